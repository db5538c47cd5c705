import { expect, test } from "vitest";
import { clock, duration } from "../src/format.ts";

test.each([
    [-1, "0:00"],
    [7_999, "0:07"],
    [750_000, "12:30"],
    [3_723_000, "1:02:03"],
])("%i ms on the clock is %s", (milliseconds, text) => {
    expect(clock(milliseconds)).toBe(text);
});

test.each([
    [-1, "0 seconds", "0 sec"],
    [1_999, "1 second", "1 sec"],
    [59_999, "59 seconds", "59 sec"],
    [60_000, "1 minute", "1 min"],
    [179_000, "2 minutes", "2 min"],
    [3_600_000, "1 hour", "1 hr"],
    [7_200_000, "2 hours", "2 hr"],
    [200_000_000, "2 days", "2 days"],
    [2e9, "23 days", "23 days"],
])("%i ms are %s", (milliseconds, long, short) => {
    expect(duration(milliseconds)).toBe(long);
    expect(duration(milliseconds, "short")).toBe(short);
});
