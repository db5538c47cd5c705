import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { expect, test } from "vitest";

import { archives } from "./mocks/stacks.js";
import setup from "./temporary-files.js";

test("temporary files of the tests are in a folder of the run", () => {
    expect(basename(tmpdir())).toMatch(/^tidings-tests-/);
    expect(archives().startsWith(tmpdir())).toBe(true);
});

test("temporary files are deleted at the end", () => {
    const before = tmpdir();
    const end = setup();
    const folder = tmpdir();
    expect(folder).not.toBe(before);
    writeFileSync(join(mkdtempSync(join(folder, "one-")), "file"), "");
    end();
    expect(existsSync(folder)).toBe(false);
    expect(tmpdir()).toBe(before);
});
