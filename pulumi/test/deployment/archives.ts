import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { contract, REPOSITORY } from "../../src/contract.js";

/**
 * Packs a program for each function as scripts/build-lambdas does, and returns the folder of the archives. The programs
 * differ by `version` and do nothing, because these tests invoke no function.
 */
export function packArchives(version: string): string {
    const folder = mkdtempSync(join(tmpdir(), "tidings-archives-"));
    const programs = join(folder, "programs");
    mkdirSync(programs);
    const names = contract.functions.map(({ name }) => name);
    for (const name of names) {
        writeFileSync(join(programs, name), `#!/bin/sh\n# ${name}, version ${version}\n`);
    }
    execFileSync(join(REPOSITORY, "scripts/build-lambdas"), ["--pack", programs, folder, ...names]);
    return folder;
}
