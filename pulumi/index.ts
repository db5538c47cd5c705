import { deploy } from "./src/gateway.js";
import { mendStackTraces } from "./src/stack-traces.js";

mendStackTraces();

export = deploy();
