import { page } from "../common/vite.page.ts";

export default page("chat");
