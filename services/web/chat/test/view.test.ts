import { describe, expect, test } from "vitest";
import { linesOf, nameOf, peopleOf, titleOf } from "../src/state/view.ts";
import type { Place, State } from "../src/state/types.ts";
import { NOON, ROOM, after, arrived, away, entry, open } from "./world.ts";

const DAY = 24 * 3_600_000;

function types(state: State, most = 100, place: Place = ROOM): string[] {
    return linesOf(state, place, most).lines.map((line) =>
        line.type === "entry" ? `${line.heads ? "+" : ""}${line.entry.text}` : line.type,
    );
}

describe("lines", () => {
    test("of one person go on, until a pause, another person or another day", () => {
        const state = after(
            open(),
            arrived(entry(1)),
            arrived(entry(2)),
            arrived(entry(3, { at: NOON + 6 * 60_000 })),
            arrived(entry(4, { at: NOON + 6 * 60_000, from: "carol" })),
            arrived(entry(5, { at: NOON + DAY, from: "carol" })),
        );
        expect(types(state)).toEqual(["day", "+text 1", "text 2", "+text 3", "+text 4", "day", "+text 5"]);
    });

    test("set off what was held, with how much and since when", () => {
        const place = "user:bob";
        const state = after(
            open(),
            { type: "chosen", place },
            arrived(entry(1, { place })),
            away(NOON + 100),
            open(NOON + 900),
            arrived(entry(2, { place }), true),
            arrived(entry(3, { place }), true),
            arrived(entry(4, { place })),
        );
        const lines = ["day", "+text 1", "held", "+text 2", "text 3", "caught-up", "+text 4"];
        expect(types(state, 100, place)).toEqual(lines);
        const held = linesOf(state, place, 100).lines.find(({ type }) => type === "held");
        expect(held).toMatchObject({ count: 2, absence: { since: NOON + 100, until: NOON + 900 } });
    });

    test("say of a hub what an absence has cost, where it was", () => {
        const state = after(open(), arrived(entry(1)), away(), open(NOON + 900), away(), open(NOON + 990), arrived(entry(2)));
        expect(types(state)).toEqual(["day", "+text 1", "missed", "+text 2"]);
        const nothing = after(open(), arrived(entry(1)), away(), open(NOON + 900));
        expect(types(nothing)).toEqual(["day", "+text 1", "missed"]);
        expect(linesOf(nothing, "user:bob", 9).lines).toEqual([]);
    });

    test("show where the unread ones begin", () => {
        const state = after(open(), arrived(entry(1)), { type: "visibility", hidden: true }, arrived(entry(2)), {
            type: "visibility",
            hidden: false,
        });
        expect(types(state)).toEqual(["day", "+text 1", "unread", "+text 2"]);
    });

    test("are the last ones, when there are many", () => {
        const state = after(open(), ...[1, 2, 3].map((n) => arrived(entry(n))));
        expect(types(state, 2)).toEqual(["day", "+text 2", "text 3"]);
        expect(linesOf(state, ROOM, 2).more).toBe(true);
        expect(linesOf(state, ROOM, 3).more).toBe(false);
        const held = after(open(), ...[1, 2, 3].map((n) => arrived(entry(n), true)));
        expect(linesOf(held, ROOM, 2).lines).toContainEqual(expect.objectContaining({ type: "held", count: 3 }));
    });
});

test("who is here comes before who is away", () => {
    const state = after(open(), { type: "members", users: ["zoe", "carol"] });
    expect(peopleOf(state)).toEqual([
        { user: "carol", here: true },
        { user: "zoe", here: true },
        { user: "bob", here: false },
    ]);
});

test("the title counts what came while nobody looked", () => {
    expect(titleOf(after(open()))).toBe("Tidings: alice");
    const identified = { type: "identified", me: { userId: "u-1", name: "Alice" }, hubs: ["everyone"] } as const;
    expect(titleOf(after(open(), identified))).toBe("Tidings: Alice");
    expect(titleOf(after(open(), { type: "visibility", hidden: true }, arrived(entry(1))))).toBe("(1) Tidings: alice");
});

test("conversations have names", () => {
    const state = after(open());
    const names = (["hub:everyone", "hub:team", "user:bob", "programs"] as const).map((place) =>
        nameOf(state, place, "everyone"),
    );
    expect(names).toEqual(["Everyone", "team", "bob", "From programs"]);
});
