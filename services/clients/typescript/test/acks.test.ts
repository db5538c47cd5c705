import { describe, expect, it } from "vitest";
import { Acks } from "../src/acks.ts";
import { FakeClock } from "./fakes.ts";

describe("acknowledgements", () => {
    /** Returns acknowledgements in batches of 3 or 1 s, and the times at which a batch became due. */
    const create = (): { clock: FakeClock; acks: Acks; times: number[] } => {
        const clock = new FakeClock();
        clock.skew = 0;
        const times: number[] = [];
        const acks = new Acks(clock, 3, 1000, () => times.push(clock.now()));
        return { clock, acks, times };
    };

    it("are due when the oldest has waited or the batch is full", async () => {
        const { clock, acks, times } = create();
        acks.add("1", "a");
        await clock.pass(400);
        acks.add("2", "b");
        await clock.pass(599);
        expect([acks.isDue, times]).toEqual([false, []]);
        await clock.pass(1);
        expect([acks.isDue, times]).toEqual([true, [1000]]);
        expect(acks.takeBatch()).toEqual(["1", "2"]);
        for (const n of ["3", "4", "5"]) acks.add(n, n);
        expect(times).toEqual([1000, 1000]);
        expect(acks.takeBatch()).toEqual(["3", "4", "5"]);
        expect(acks.confirm()).toEqual(["a", "b", "3", "4", "5"]);
        expect(acks.isEmpty).toBe(true);
    });

    it("return to the front when they may not have arrived", async () => {
        const { clock, acks, times } = create();
        for (const n of ["1", "2", "3"]) acks.add(n, n);
        acks.takeBatch();
        acks.add("4", "4");
        acks.requeue(0);
        expect(acks.isEmpty).toBe(false);
        await clock.pass(0);
        expect(times).toEqual([0, 0]);
        expect(acks.takeBatch()).toEqual(["1", "2", "3", "4"]);
    });

    it("fit the frames of the contract and of API Gateway", () => {
        const { acks } = create();
        for (let n = 0; n < 2500; n += 1) acks.add(String(n), "");
        expect([0, 1, 2, 3].map(() => acks.takeBatch().length)).toEqual([700, 700, 700, 400]);
        expect(acks.isDue).toBe(false);
    });
});
