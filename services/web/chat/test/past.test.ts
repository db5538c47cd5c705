import type { PastMessage } from "@tidings/client";
import { expect, test } from "vitest";
import { remembered } from "../src/session/past.ts";

function row(id: string, what: PastMessage["what"], at: number, fields: Partial<PastMessage> = {}): PastMessage {
    return { id, what, at, sequence: id, kind: "message", source: "user/bob", payload: { data: { sender: "bob", content: id } }, ...fields };
}

test("what was delivered is remembered once, as it was first", () => {
    const entries = remembered([row("1", "delivered", 9), row("1", "delivered", 5), row("1", "held", 1)], "alice", null);
    expect(entries.map(({ id, at }) => [id, at])).toEqual([["1", 5]]);
});

test("what is about to arrive, comings and goings, and what has no payload are not", () => {
    const rows = [
        row("1", "held", 1),
        row("2", "delivered", 2, { kind: "presence" }),
        row("3", "delivered", 3, { payload: null }),
    ];
    expect(remembered(rows, "alice", null)).toEqual([]);
});
