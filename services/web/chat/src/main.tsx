import "@tidings/common/base.css";
import "./styles/login.css";
import "./styles/chat.css";
import "./styles/sidebar.css";
import "./styles/message-list.css";
import { render } from "preact";
import { App } from "./components/app.tsx";
import { takeTokenFromUrl } from "./login/credential.ts";

// Take the token out of the URL before anything is rendered or requested.
const token = takeTokenFromUrl(location, history);
const root = document.getElementById("app");
if (root !== null) render(<App token={token} />, root);
