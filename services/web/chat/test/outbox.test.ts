import { TidingsError } from "@tidings/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Outbox } from "../src/session/outbox.ts";

let reports: string[];
let outbox: Outbox;

beforeEach(() => {
    vi.useFakeTimers();
    reports = [];
    outbox = new Outbox((key, delivery, id) => reports.push([key, delivery.status, id].filter(Boolean).join(" ")));
});

afterEach(() => {
    vi.useRealTimers();
});

/** A letter that is refused with these errors first. */
function letter(key: string, ...errors: readonly TidingsError[]) {
    const left = [...errors];
    return {
        key,
        send: () => {
            const error = left.shift();
            return error === undefined ? Promise.resolve(`id-${key}`) : Promise.reject(error);
        },
    };
}

const slower = new TidingsError("too-many-requests", "slower", { retryAfter: 3000 });

test("what the gateway wants later is sent later, and nothing overtakes it", async () => {
    outbox.add(letter("a", slower));
    outbox.add(letter("b"));
    await vi.advanceTimersByTimeAsync(2999);
    expect(reports).toEqual(["a sending", "a put-off"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(reports.slice(2)).toEqual(["a sending", "a accepted id-a", "b sending", "b accepted id-b"]);
});

test("what fails does not hold up the next", async () => {
    outbox.add(letter("a", new TidingsError("forbidden", "no")));
    outbox.add(letter("b"));
    await vi.advanceTimersByTimeAsync(0);
    expect(reports).toEqual(["a sending", "a failed", "b sending", "b accepted id-b"]);
});

test("what waits is given up when it is closed", async () => {
    outbox.add(letter("a", slower));
    outbox.add(letter("b"));
    await vi.advanceTimersByTimeAsync(10);
    outbox.close("offline");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(reports).toEqual(["a sending", "a put-off", "a failed", "b failed"]);
});
