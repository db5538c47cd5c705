import { expect, test } from "vitest";
import { clock, duration } from "../src/format.ts";

test.each([
    [-1, "0:00"],
    [7_999, "0:07"],
    [750_000, "12:30"],
    [3_723_000, "1:02:03"],
])("%i ms is %s", (milliseconds, text) => {
    expect(clock(milliseconds)).toBe(text);
});

test.each([
    [-1, "0 seconds"],
    [1_999, "1 second"],
    [179_000, "2 minutes"],
    [3_600_000, "1 hour"],
    [200_000_000, "2 days"],
])("%i ms last %s", (milliseconds, text) => {
    expect(duration(milliseconds)).toBe(text);
});
