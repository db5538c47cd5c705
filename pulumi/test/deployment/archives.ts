import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { contract, REPOSITORY } from "../../src/contract.js";

/**
 * Packs a program for each function in a folder in `root` as scripts/build-lambdas does, and returns that folder. The
 * programs differ by `version` and do nothing, because these tests invoke no function.
 */
export function packArchives(root: string, version: string): string {
    const folder = join(root, `archives-${version}`);
    const programs = join(folder, "programs");
    mkdirSync(programs, { recursive: true });
    const names = contract.functions.map(({ name }) => name);
    for (const name of names) {
        writeFileSync(join(programs, name), `#!/bin/sh\n# ${name}, version ${version}\n`);
    }
    execFileSync(join(REPOSITORY, "scripts/build-lambdas"), ["--pack", programs, folder, ...names]);
    return folder;
}
