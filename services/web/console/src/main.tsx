import "@tidings/common/base.css";
import { render } from "preact";

const root = document.getElementById("app");
if (root !== null) render(<h1>Tidings</h1>, root);
