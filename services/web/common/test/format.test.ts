import { expect, test } from "vitest";
import { clock } from "../src/format.ts";

test.each([
    [-1, "0:00"],
    [7_999, "0:07"],
    [750_000, "12:30"],
    [3_723_000, "1:02:03"],
])("%i ms is %s", (milliseconds, text) => {
    expect(clock(milliseconds)).toBe(text);
});
