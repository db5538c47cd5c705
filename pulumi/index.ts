import { deploy } from "./src/gateway.js";

export = deploy();
