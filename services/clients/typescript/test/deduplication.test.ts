import { describe, expect, it } from "vitest";
import { Deduplication } from "../src/deduplication.ts";
import { sequence } from "./fakes.ts";

describe("deduplication", () => {
    it("recognises a redriven dead letter by its id", () => {
        const known = new Deduplication(10);
        expect(known.classify("a", sequence(1))).toBe("new");
        expect(known.classify("a", sequence(9))).toBe("duplicate");
        // The sequence of a duplicate does not count as the highest.
        expect(known.classify("b", sequence(2))).toBe("new");
        expect(known.classify("c", sequence(1))).toBe("out-of-order");
    });

    it("remembers open ids and the most recent completed ones", () => {
        const known = new Deduplication(2);
        for (let n = 1; n <= 5; n += 1) known.classify(String(n), sequence(n));
        expect(known.size).toBe(5);
        for (let n = 1; n <= 4; n += 1) known.complete(String(n));
        expect(known.size).toBe(3);
        expect(["3", "4", "5"].map((id) => known.classify(id, sequence(9)))).toEqual(Array(3).fill("duplicate"));
        expect(known.classify("1", sequence(10))).toBe("new");
    });

    it("keeps an id longer that is completed again", () => {
        const known = new Deduplication(2);
        for (const id of ["a", "b", "a", "c"]) known.complete(id);
        expect(known.classify("a", sequence(1))).toBe("duplicate");
        expect(known.classify("b", sequence(2))).toBe("new");
    });
});
