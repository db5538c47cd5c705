import { describe, expect, test } from "vitest";
import { pageTitle, peopleOf, rowsOf, titleOf } from "../src/state/selectors.ts";
import type { Conversation, State } from "../src/state/types.ts";
import { EVERYONE, NOON, after, arrived, entry, offline, open } from "./fixtures.ts";

const DAY = 24 * 3_600_000;

/** Returns the rows of a conversation in short: texts, with a `+` at the start of a group, and types of dividers. */
function short(state: State, limit = 100, conversation: Conversation = EVERYONE): string[] {
    return rowsOf(state, conversation, limit).rows.map((row) =>
        row.type === "entry" ? `${row.startsGroup ? "+" : ""}${row.entry.text}` : row.type,
    );
}

describe("rows", () => {
    test("are grouped by sender, without long pauses or new days", () => {
        const state = after(
            open(),
            arrived(entry(1)),
            arrived(entry(2)),
            arrived(entry(3, { at: NOON + 6 * 60_000 })),
            arrived(entry(4, { at: NOON + 6 * 60_000, from: "carol" })),
            arrived(entry(5, { at: NOON + DAY, from: "carol" })),
        );
        expect(short(state)).toEqual(["day", "+text 1", "text 2", "+text 3", "+text 4", "day", "+text 5"]);
    });

    test("mark held messages with their number and absence", () => {
        const conversation = "user:bob";
        const state = after(
            open(),
            { type: "selected", conversation },
            arrived(entry(1, { conversation })),
            offline(NOON + 100),
            open(NOON + 900),
            arrived(entry(2, { conversation }), true),
            arrived(entry(3, { conversation }), true),
            arrived(entry(4, { conversation })),
        );
        const rows = ["day", "+text 1", "held", "+text 2", "text 3", "live", "+text 4"];
        expect(short(state, 100, conversation)).toEqual(rows);
        const held = rowsOf(state, conversation, 100).rows.find(({ type }) => type === "held");
        expect(held).toMatchObject({ count: 2, absence: { since: NOON + 100, until: NOON + 900 } });
    });

    test("mark an absence in a hub", () => {
        const state = after(open(), arrived(entry(1)), offline(), open(NOON + 900), offline(), open(NOON + 990), arrived(entry(2)));
        expect(short(state)).toEqual(["day", "+text 1", "missed", "+text 2"]);
        const nothing = after(open(), arrived(entry(1)), offline(), open(NOON + 900));
        expect(short(nothing)).toEqual(["day", "+text 1", "missed"]);
        expect(rowsOf(nothing, "user:bob", 9).rows).toEqual([]);
    });

    test("mark the first unread message", () => {
        const state = after(open(), arrived(entry(1)), { type: "visibility", hidden: true }, arrived(entry(2)), {
            type: "visibility",
            hidden: false,
        });
        expect(short(state)).toEqual(["day", "+text 1", "unread", "+text 2"]);
    });

    test("are limited to the newest entries", () => {
        const state = after(open(), ...[1, 2, 3].map((n) => arrived(entry(n))));
        expect(short(state, 2)).toEqual(["day", "+text 2", "text 3"]);
        expect(rowsOf(state, EVERYONE, 2).more).toBe(true);
        expect(rowsOf(state, EVERYONE, 3).more).toBe(false);
        const held = after(open(), ...[1, 2, 3].map((n) => arrived(entry(n), true)));
        expect(rowsOf(held, EVERYONE, 2).rows).toContainEqual(expect.objectContaining({ type: "held", count: 3 }));
    });
});

test("online users come before offline users", () => {
    const state = after(open(), { type: "members", users: ["zoe", "carol"] });
    expect(peopleOf(state)).toEqual([
        { user: "carol", online: true },
        { user: "zoe", online: true },
        { user: "bob", online: false },
    ]);
});

test("the page title counts unseen messages", () => {
    expect(pageTitle(after(open()))).toBe("Tidings: alice");
    const identified = { type: "identified", me: { userId: "u-1", name: "Alice" }, hubs: ["everyone"] } as const;
    expect(pageTitle(after(open(), identified))).toBe("Tidings: Alice");
    expect(pageTitle(after(open(), { type: "visibility", hidden: true }, arrived(entry(1))))).toBe("(1) Tidings: alice");
});

test("conversations have titles", () => {
    const state = after(open());
    const titles = (["hub:everyone", "hub:team", "user:bob", "programs"] as const).map((conversation) =>
        titleOf(state, conversation, "everyone"),
    );
    expect(titles).toEqual(["Everyone", "team", "bob", "From programs"]);
});
