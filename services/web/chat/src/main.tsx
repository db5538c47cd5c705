import "@tidings/common/base.css";
import "./styles/login.css";
import "./styles/chat.css";
import "./styles/side.css";
import "./styles/log.css";
import { render } from "preact";
import { App } from "./components/app.tsx";
import { takeFromAddress } from "./login/credential.ts";

// Before anything is shown or asked for.
const token = takeFromAddress(location, history);
const root = document.getElementById("app");
if (root !== null) render(<App token={token} />, root);
