import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = new URL("../", import.meta.url);

function run(script: string, ...args: string[]): string {
    const path = fileURLToPath(new URL(script, root));
    return execFileSync(process.execPath, [path, ...args], { encoding: "utf8" });
}

describe("the package", () => {
    it("has the frame types of the current contracts", () => {
        const committed = readFileSync(new URL("src/frames.ts", root), "utf8");
        expect(committed, "run `npm run frames`").toBe(run("scripts/frames.mjs", "--print"));
    });

    it("is smaller than 6 kB", () => {
        const [, compressed] = /(\d+) compressed/.exec(run("scripts/size.mjs")) ?? [];
        expect(Number(compressed)).toBeGreaterThan(1000);
        expect(Number(compressed)).toBeLessThan(6000);
    });
});
