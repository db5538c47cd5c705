import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Global setup of vitest: gives the run a folder for its temporary files, also for those of programs that tests start,
 * and returns what deletes it.
 */
export default function setup(): () => void {
    const folder = mkdtempSync(join(tmpdir(), "tidings-tests-"));
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = folder;
    return () => {
        if (before === undefined) {
            delete process.env["TMPDIR"];
        } else {
            process.env["TMPDIR"] = before;
        }
        // A program that is ending may still write a file.
        rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    };
}
