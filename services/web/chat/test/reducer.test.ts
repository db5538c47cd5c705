import { describe, expect, test } from "vitest";
import type { Delivery } from "../src/state/types.ts";
import { EVERYONE, NOON, after, arrived, entry, offline, open, own, texts } from "./fixtures.ts";

const accepted: Delivery = { status: "accepted" };

describe("messages", () => {
    test("are in the gateway's order", () => {
        const state = after(open(), arrived(entry(3)), arrived(entry(1)), arrived(entry(2)));
        expect(texts(state)).toEqual(["text 1", "text 2", "text 3"]);
    });

    test("appear once, also if they are in the history", () => {
        const state = after(
            open(),
            arrived(entry(1)),
            arrived(entry(1)),
            { type: "history-loaded", entries: [entry(1), entry(0)], history: { status: "loaded" } },
            arrived(entry(0)),
        );
        expect(texts(state)).toEqual(["text 0", "text 1"]);
    });
});

describe("messages of the user", () => {
    const written = { type: "written", entry: own("k1", "hello") } as const;
    const echo = arrived(entry(5, { from: "alice", text: "hello" }));

    test("come last until the gateway has accepted them", () => {
        const state = after(open(), written, arrived(entry(9)));
        expect(texts(state)).toEqual(["text 9", "hello"]);
    });

    test.each([
        ["after the answer", [{ type: "delivery", key: "k1", delivery: accepted, id: "id-5" } as const, echo]],
        ["before the answer", [echo, { type: "delivery", key: "k1", delivery: accepted, id: "id-5" } as const]],
    ])("that are delivered %s are recognised", (_, events) => {
        const { entries } = after(open(), written, ...events, arrived(entry(9)));
        expect(entries.map(({ key, id, delivery }) => [key, id, delivery])).toEqual([
            ["k1", "id-5", accepted],
            ["id-9", "id-9", undefined],
        ]);
    });

    test("with the same text are told apart by their order", () => {
        const state = after(
            open(),
            written,
            { type: "written", entry: own("k2", "hello") },
            echo,
            arrived(entry(6, { from: "alice", text: "hello" })),
            { type: "delivery", key: "k1", delivery: accepted, id: "id-5" },
            { type: "delivery", key: "k2", delivery: accepted, id: "id-6" },
        );
        expect(state.entries.map(({ key, id }) => [key, id])).toEqual([
            ["k1", "id-5"],
            ["k2", "id-6"],
        ]);
    });

    test("that were delivered count as sent without an answer", () => {
        const late = { type: "delivery", key: "k1", delivery: { status: "failed", reason: "no answer" } } as const;
        expect(after(open(), written, echo, late).entries[0]?.delivery).toEqual(accepted);
    });

    test("that failed stay until they are discarded", () => {
        const failed = { type: "delivery", key: "k1", delivery: { status: "failed", reason: "no" } } as const;
        const state = after(open(), written, failed, arrived(entry(9)));
        expect(texts(state)).toEqual(["text 9", "hello"]);
        const events = [open(), written, failed, { type: "discarded", key: "k1" } as const];
        expect(texts(after(...events))).toEqual([]);
    });

    test("from another tab are not unread", () => {
        const state = after(open(), arrived(entry(1, { from: "alice", conversation: "user:bob" })));
        expect(state.unread).toEqual({});
        expect(state.entries[0]?.delivery).toEqual(accepted);
    });
});

describe("absences", () => {
    test("are numbered, and held messages belong to one", () => {
        const state = after(open(NOON), offline(NOON + 1000), open(NOON + 9000), arrived(entry(1), true), arrived(entry(2)));
        expect(state.absences).toEqual([{ until: NOON }, { since: NOON + 1000, until: NOON + 9000 }]);
        expect(state.entries.map(({ absence }) => absence)).toEqual([2, undefined]);
    });

    test("keep their start while the client reconnects", () => {
        const lost = { status: "lost", since: NOON + 1, reason: "", failures: 1 } as const;
        const state = after(
            open(),
            { type: "connection", connection: lost },
            { type: "connection", connection: { status: "connecting", failures: 1 } },
            { type: "connection", connection: { ...lost, since: NOON + 500, failures: 2 } },
            open(NOON + 900),
        );
        expect(state.absences.at(-1)).toEqual({ since: NOON + 1, until: NOON + 900 });
    });

    test("do not start with a rotation of connections", () => {
        const state = after(open(NOON), open(NOON + 5000));
        expect(state.absences).toHaveLength(1);
        expect(state.connection).toEqual({ status: "open", since: NOON });
    });

    test("clear the online users", () => {
        const members = { type: "members", users: ["alice", "bob"] } as const;
        expect([...after(open(), members).online.keys()]).toEqual(["bob"]);
        const gone = after(open(), members, offline());
        expect([gone.online.size, gone.onlineIsComplete]).toEqual([0, false]);
    });
});

describe("online users", () => {
    test("follow presence events", () => {
        const joined = arrived(entry(1, { kind: "joined", from: "carol", name: "Carol" }));
        const left = arrived(entry(2, { kind: "left", from: "bob" }));
        const state = after(open(), { type: "members", users: ["bob"] }, joined, left);
        expect([...state.online]).toEqual([["carol", "Carol"]]);
        expect(state.unread).toEqual({});
    });
});

describe("unread messages", () => {
    const direct = entry(1, { conversation: "user:bob" });

    test("are counted in other conversations until selected", () => {
        const state = after(open(), arrived(direct), arrived(entry(2, { conversation: "user:bob" })));
        expect(state.unread["user:bob"]).toEqual({ count: 2, first: "id-1" });
        const looked = after(open(), arrived(direct), { type: "selected", conversation: "user:bob" });
        expect(looked.unread["user:bob"]).toEqual({ count: 0, first: "id-1" });
        const left = after(open(), arrived(direct), { type: "selected", conversation: "user:bob" }, { type: "selected", conversation: EVERYONE });
        expect(left.unread["user:bob"]).toBeUndefined();
    });

    test("include those that arrive while the page is hidden", () => {
        const elsewhere = arrived(entry(2, { conversation: "user:bob" }));
        const hidden = [open(), { type: "visibility", hidden: true } as const, arrived(entry(1)), elsewhere];
        expect(after(...hidden).unseen).toBe(2);
        expect(after(...hidden).unread[EVERYONE]).toEqual({ count: 1, first: "id-1" });
        const shown = after(...hidden, { type: "visibility", hidden: false });
        expect([shown.unseen, shown.unread[EVERYONE]?.count]).toEqual([0, 0]);
    });

    test("do not include the history", () => {
        const state = after(open(), { type: "history-loaded", entries: [direct], history: { status: "loaded" } });
        expect(state.unread).toEqual({});
        expect(state.users).toEqual(["bob"]);
    });
});

test("a logout clears the state", () => {
    const state = after(open(), arrived(entry(1)), { type: "logged-out" });
    expect([state.me, state.entries, state.users]).toEqual([undefined, [], []]);
});
