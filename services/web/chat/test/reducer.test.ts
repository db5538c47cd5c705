import { describe, expect, test } from "vitest";
import type { Delivery } from "../src/state/types.ts";
import { NOON, ROOM, after, arrived, away, entry, open, own, texts } from "./world.ts";

const accepted: Delivery = { status: "accepted" };

describe("messages", () => {
    test("are in the gateway's order, however they arrive", () => {
        const state = after(open(), arrived(entry(3)), arrived(entry(1)), arrived(entry(2)));
        expect(texts(state)).toEqual(["text 1", "text 2", "text 3"]);
    });

    test("are there once, also when they arrive and are remembered", () => {
        const state = after(
            open(),
            arrived(entry(1)),
            arrived(entry(1)),
            { type: "remembered", entries: [entry(1), entry(0)], past: { status: "known" } },
            arrived(entry(0)),
        );
        expect(texts(state)).toEqual(["text 0", "text 1"]);
    });
});

describe("one's own", () => {
    const written = { type: "written", entry: own("k1", "hello") } as const;
    const echo = arrived(entry(5, { from: "alice", text: "hello" }));

    test("are last until the gateway has them", () => {
        const state = after(open(), written, arrived(entry(9)));
        expect(texts(state)).toEqual(["text 9", "hello"]);
    });

    test.each([
        ["after the answer", [{ type: "delivery", key: "k1", delivery: accepted, id: "id-5" } as const, echo]],
        ["before the answer", [echo, { type: "delivery", key: "k1", delivery: accepted, id: "id-5" } as const]],
    ])("that come back %s are the same", (_, events) => {
        const { entries } = after(open(), written, ...events, arrived(entry(9)));
        expect(entries.map(({ key, id, delivery }) => [key, id, delivery])).toEqual([
            ["k1", "id-5", accepted],
            ["id-9", "id-9", undefined],
        ]);
    });

    test("of the same words are told apart by their order", () => {
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

    test("that came back were sent, although no answer came", () => {
        const late = { type: "delivery", key: "k1", delivery: { status: "failed", why: "no answer" } } as const;
        expect(after(open(), written, echo, late).entries[0]?.delivery).toEqual(accepted);
    });

    test("that failed stay until they are given up", () => {
        const failed = { type: "delivery", key: "k1", delivery: { status: "failed", why: "no" } } as const;
        const state = after(open(), written, failed, arrived(entry(9)));
        expect(texts(state)).toEqual(["text 9", "hello"]);
        const events = [open(), written, failed, { type: "discarded", key: "k1" } as const];
        expect(texts(after(...events))).toEqual([]);
    });

    test("from another tab are not news", () => {
        const state = after(open(), arrived(entry(1, { from: "alice", place: "user:bob" })));
        expect(state.unread).toEqual({});
        expect(state.entries[0]?.delivery).toEqual(accepted);
    });
});

describe("absences", () => {
    test("are numbered, and what was held in one belongs to it", () => {
        const state = after(open(NOON), away(NOON + 1000), open(NOON + 9000), arrived(entry(1), true), arrived(entry(2)));
        expect(state.absences).toEqual([{ until: NOON }, { since: NOON + 1000, until: NOON + 9000 }]);
        expect(state.entries.map(({ absence }) => absence)).toEqual([2, undefined]);
    });

    test("go on from their beginning while a way back is looked for", () => {
        const lost = { status: "lost", since: NOON + 1, why: "", failures: 1 } as const;
        const state = after(
            open(),
            { type: "link", link: lost },
            { type: "link", link: { status: "connecting", failures: 1 } },
            { type: "link", link: { ...lost, since: NOON + 500, failures: 2 } },
            open(NOON + 900),
        );
        expect(state.absences.at(-1)).toEqual({ since: NOON + 1, until: NOON + 900 });
    });

    test("are not begun by a connection that takes another's place", () => {
        const state = after(open(NOON), open(NOON + 5000));
        expect(state.absences).toHaveLength(1);
        expect(state.link).toEqual({ status: "open", since: NOON });
    });

    test("of a user who is away leave nobody here", () => {
        const here = { type: "members", users: ["alice", "bob"] } as const;
        expect([...after(open(), here).here.keys()]).toEqual(["bob"]);
        const gone = after(open(), here, away());
        expect([gone.here.size, gone.hereIsKnown]).toEqual([0, false]);
    });
});

describe("who is here", () => {
    test("changes as they come and go", () => {
        const joined = arrived(entry(1, { kind: "joined", from: "carol", name: "Carol" }));
        const left = arrived(entry(2, { kind: "left", from: "bob" }));
        const state = after(open(), { type: "members", users: ["bob"] }, joined, left);
        expect([...state.here]).toEqual([["carol", "Carol"]]);
        expect(state.unread).toEqual({});
    });
});

describe("what is unread", () => {
    const direct = entry(1, { place: "user:bob" });

    test("is counted elsewhere, until it is looked at", () => {
        const state = after(open(), arrived(direct), arrived(entry(2, { place: "user:bob" })));
        expect(state.unread["user:bob"]).toEqual({ count: 2, first: "id-1" });
        const looked = after(open(), arrived(direct), { type: "chosen", place: "user:bob" });
        expect(looked.unread["user:bob"]).toEqual({ count: 0, first: "id-1" });
        const left = after(open(), arrived(direct), { type: "chosen", place: "user:bob" }, { type: "chosen", place: ROOM });
        expect(left.unread["user:bob"]).toBeUndefined();
    });

    test("is what came while the page was hidden", () => {
        const elsewhere = arrived(entry(2, { place: "user:bob" }));
        const hidden = [open(), { type: "visibility", hidden: true } as const, arrived(entry(1)), elsewhere];
        expect(after(...hidden).unseen).toBe(2);
        expect(after(...hidden).unread[ROOM]).toEqual({ count: 1, first: "id-1" });
        const shown = after(...hidden, { type: "visibility", hidden: false });
        expect([shown.unseen, shown.unread[ROOM]?.count]).toEqual([0, 0]);
    });

    test("is not what is remembered", () => {
        const state = after(open(), { type: "remembered", entries: [direct], past: { status: "known" } });
        expect(state.unread).toEqual({});
        expect(state.users).toEqual(["bob"]);
    });
});

test("nothing is left of who has logged out", () => {
    const state = after(open(), arrived(entry(1)), { type: "logged-out" });
    expect([state.me, state.entries, state.users]).toEqual([undefined, [], []]);
});
