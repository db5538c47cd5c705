import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { template } from "./cloudformation/template.js";
import { programGraph } from "./mocks/in-process.js";
import { STACK_NAMES } from "./mocks/stacks.js";

/** Path of cfn-lint, which scripts/pulumi-check installs. */
const CFN_LINT = process.env["TIDINGS_CFN_LINT"] ?? "cfn-lint";

test.each(STACK_NAMES)("cfn-lint accepts %s as a CloudFormation template", async (stack) => {
    const file = join(mkdtempSync(join(tmpdir(), "tidings-template-")), `${stack}.json`);
    writeFileSync(file, template(await programGraph(stack)));
    const linted = spawnSync(CFN_LINT, ["--regions", "eu-central-1", "--", file], { encoding: "utf8" });
    if (linted.error !== undefined) {
        throw new Error(`can't run ${CFN_LINT}; scripts/pulumi-check installs cfn-lint`, { cause: linted.error });
    }
    expect(linted.stdout + linted.stderr).toBe("");
    expect(linted.status).toBe(0);
});
