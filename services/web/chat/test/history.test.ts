import type { HistoryMessage } from "@tidings/client";
import { expect, test } from "vitest";
import { entriesOf } from "../src/session/history.ts";

function row(id: string, what: HistoryMessage["what"], at: number, fields: Partial<HistoryMessage> = {}): HistoryMessage {
    return { id, what, at, sequence: id, kind: "message", source: "user/bob", payload: { data: { sender: "bob", content: id } }, ...fields };
}

test("a message delivered twice is shown once, as the first time", () => {
    const entries = entriesOf([row("1", "delivered", 9), row("1", "delivered", 5), row("1", "held", 1)], "alice", null);
    expect(entries.map(({ id, at }) => [id, at])).toEqual([["1", 5]]);
});

test("held, presence and empty rows are left out", () => {
    const rows = [
        row("1", "held", 1),
        row("2", "delivered", 2, { kind: "presence" }),
        row("3", "delivered", 3, { payload: null }),
    ];
    expect(entriesOf(rows, "alice", null)).toEqual([]);
});
