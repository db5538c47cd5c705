import { TidingsError } from "@tidings/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SendQueue } from "../src/session/send-queue.ts";

let reports: string[];
let queue: SendQueue;

beforeEach(() => {
    vi.useFakeTimers();
    reports = [];
    queue = new SendQueue((key, delivery, id) => reports.push([key, delivery.status, id].filter(Boolean).join(" ")));
});

afterEach(() => {
    vi.useRealTimers();
});

/** Returns a message whose first attempts fail with the given errors. */
function message(key: string, ...errors: readonly TidingsError[]) {
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

test("a delayed message is not overtaken", async () => {
    queue.add(message("a", slower));
    queue.add(message("b"));
    await vi.advanceTimersByTimeAsync(2999);
    expect(reports).toEqual(["a sending", "a delayed"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(reports.slice(2)).toEqual(["a sending", "a accepted id-a", "b sending", "b accepted id-b"]);
});

test("a failed message does not block the next", async () => {
    queue.add(message("a", new TidingsError("forbidden", "no")));
    queue.add(message("b"));
    await vi.advanceTimersByTimeAsync(0);
    expect(reports).toEqual(["a sending", "a failed", "b sending", "b accepted id-b"]);
});

test("closing the queue fails the waiting messages", async () => {
    queue.add(message("a", slower));
    queue.add(message("b"));
    await vi.advanceTimersByTimeAsync(10);
    queue.close("offline");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(reports).toEqual(["a sending", "a delayed", "a failed", "b failed"]);
});
