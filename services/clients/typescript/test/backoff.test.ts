import { describe, expect, it } from "vitest";
import { fullJitter } from "../src/backoff.ts";

describe("backoff", () => {
    const backoff = { initial: 200, max: 15_000 };

    it("doubles the bound up to the maximum", () => {
        const bounds = [0, 1, 2, 6, 7, 2000].map((failures) => fullJitter(backoff, failures, () => 0.999_999));
        expect(bounds).toEqual([199, 399, 799, 12_799, 14_999, 14_999]);
    });

    it("returns a random delay below the bound", () => {
        expect(fullJitter(backoff, 3, () => 0)).toBe(0);
        expect(fullJitter(backoff, 3, () => 0.5)).toBe(800);
    });
});
