import { execFileSync } from "node:child_process";

import { expect, test } from "vitest";

import { withPackageFolders } from "../src/stack-traces.js";
import { PROGRAM } from "./mocks/stacks.js";

// Pulumi's runner registers source-map-support before the program, and formats errors with colours.
const FORMAT_AN_ERROR = `
require("source-map-support/register");
require("./src/stack-traces.ts").mendStackTraces();
require("@pulumi/pulumi").output(1).apply(() => {
    console.log(require("node:util").inspect(new Error("no such quota"), { colors: true }));
});
`;

test("an error that passes through Pulumi's SDK can be formatted", () => {
    const options = ["--max-old-space-size=256", "--import", "tsx", "--eval", FORMAT_AN_ERROR];
    const printed = execFileSync(process.execPath, options, { cwd: PROGRAM, encoding: "utf8", timeout: 60_000, stdio: ["ignore", "pipe", "pipe"] });
    expect(printed).toContain("no such quota");
    expect(printed, "a frame whose file the source maps put beside the SDK").toMatch(/@pulumi.*output\.ts/);
});

test.each([
    ["    at apply (/x/node_modules/@pulumi/output.ts:1:2)", "    at apply (/x/node_modules/@pulumi/./output.ts:1:2)"],
    ["    at /x/node_modules/output.js:1:2", "    at /x/node_modules/./output.js:1:2"],
    ["    at f (C:\\x\\node_modules\\@pulumi\\output.ts:1:2)", "    at f (C:\\x\\node_modules\\@pulumi\\.\\output.ts:1:2)"],
    ["    at /x/node_modules/@pulumi/pulumi/output.js:1:2", undefined],
    ["    at /x/node_modules/yaml/index.js:1:2", undefined],
    ["    at /x/src/gateway.ts:1:2", undefined],
    ["there is no /x/node_modules/output.js", undefined],
])("%s names a file in a package folder", (frame, expected) => {
    expect(withPackageFolders(`Error: refused\n${frame}`)).toBe(`Error: refused\n${expected ?? frame}`);
});
