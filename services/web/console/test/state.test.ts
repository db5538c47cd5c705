import { expect, test } from "vitest";
import { FIRST, body, check } from "../src/state/compose.ts";
import { ask, outcome } from "../src/state/dead-letters.ts";
import { EMPTY, FRESH, KEPT, add, isStale } from "../src/state/feed.ts";
import { type Snapshot, processor, rate, snapshot } from "../src/state/figures.ts";
import { type Life, isOver, mood, steps } from "../src/state/life.ts";
import { followAddress, route, userAddress } from "../src/state/route.ts";
import { type PlotDefinition, PLOTS, columns, rowsOf } from "../src/state/series.ts";
import { ago, bytes, figure, many, milliseconds, sequence } from "../src/state/words.ts";

function at(time: number, accepted = 0, more: Partial<Snapshot> = {}): Snapshot {
    const none = { delivered: 0, held: 0, replayed: 0, acknowledged: 0, expired: 0, dropped: 0, buried: 0 };
    return {
        at: time,
        counts: { accepted, ...none },
        latency: null,
        connections: 1,
        queued: 0,
        mailbox: 0,
        deadLetters: 0,
        residentBytes: null,
        cpuMs: null,
        ...more,
    };
}

test("figures are read as they are, and nothing else is taken for figures", () => {
    expect(snapshot(at(5, 3, { latency: { count: 1, p50: 1, p95: 2, p99: 3 } }))?.counts.accepted).toBe(3);
    const wrong = [null, 1, {}, { ...at(1), counts: { accepted: 1 } }, { ...at(1), latency: {} }, { ...at(1), at: "1" }];
    for (const value of wrong) expect(snapshot(value)).toBeUndefined();
});

test("a rate is of the time between two snapshots, and there is none across a gap or a restart", () => {
    expect(rate(at(1000, 10), at(3000, 30), "accepted")).toBe(10);
    expect(rate(at(1000, 10), at(20_000, 30), "accepted")).toBeNull();
    expect(rate(at(1000, 10), at(2000, 3), "accepted")).toBeNull();
    expect(rate(at(1000), at(1000), "held")).toBeNull();
    expect(processor(at(0, 0, { cpuMs: 100 }), at(1000, 0, { cpuMs: 350 }))).toBe(25);
    expect(processor(at(0), at(1000))).toBeNull();
});

test("snapshots are kept in order, each once, for a quarter of an hour", () => {
    const first = add(EMPTY, [at(1), at(3)], 7);
    const second = add(first, [at(2), at(3)], 8);
    expect(second.snapshots.map((one) => one.at)).toEqual([1, 2, 3]);
    expect(second.receivedAt).toBe(8);
    expect(add(second, [at(2)], 9)).toBe(second);
    const many = Array.from({ length: KEPT + 5 }, (_, time) => at(10 + time));
    expect(add(second, many, 9).snapshots).toHaveLength(KEPT);
    expect(isStale(EMPTY, 1e9)).toBe(false);
    expect(isStale(second, 8 + FRESH)).toBe(false);
    expect(isStale(second, 9 + FRESH)).toBe(true);
});

test("a plot has the lines of its span, and a table of means", () => {
    const [traffic] = PLOTS as [PlotDefinition];
    const snapshots = [at(0, 0), at(1000, 10), at(2000, 30), at(3000, 30)];
    const [times, accepted] = columns(traffic, snapshots, 2000);
    expect(times).toEqual([1, 2, 3]);
    expect(accepted).toEqual([10, 20, 0]);
    expect(rowsOf([[1, 2, 3], [10, 20, null]], 2)).toEqual([
        { at: 3000, values: [20] },
        { at: 1000, values: [10] },
    ]);
    expect(columns(traffic, [], 1000)).toEqual([[], [], [], []]);
});

test("numbers are told as people read them", () => {
    expect([figure(null), figure(3), figure(3.14), figure(1234.5), figure(2_500_000)]).toEqual([
        "–",
        "3",
        "3.1",
        "1,235",
        "2.5M",
    ]);
    expect([milliseconds(undefined), milliseconds(0), milliseconds(12), milliseconds(12_300)]).toEqual([
        "–",
        "< 1 ms",
        "12 ms",
        "12.3 s",
    ]);
    expect([bytes(7), bytes(1500), bytes(25_000_000)]).toEqual(["7 B", "1.5 kB", "25 MB"]);
    expect([many(1, "dead letter"), many(1200, "dead letter")]).toEqual(["1 dead letter", "1,200 dead letters"]);
    expect([ago(0, 59_999), ago(0, 60_000), ago(0, 7_200_000), ago(0, 2e9), ago(5, 0)]).toEqual([
        "59 s",
        "1 min",
        "2 h",
        "23 days",
        "0 s",
    ]);
    expect([sequence("00042"), sequence("000")]).toEqual(["42", "0"]);
});

test("a test notification is checked before it is sent", () => {
    expect(check({ ...FIRST, userId: " jo " })).toEqual({});
    expect(check({ ...FIRST, userId: "j o", payload: "{" })).toEqual({
        userId: expect.stringContaining("without blanks") as unknown,
        payload: expect.stringContaining("not JSON") as unknown,
    });
    expect(check({ ...FIRST, userId: "jo", payload: " " }).payload).toContain("Give a JSON value");
    const draft = { userId: " jo ", payload: "[1]", whenOffline: "drop", expiresAfter: 500 } as const;
    expect(body(draft, "n", 1000)).toEqual({
        id: "n",
        userId: "jo",
        payload: [1],
        whenOffline: "drop",
        expiresAt: 1500,
        kind: "test",
        source: "console",
    });
    expect(body({ ...draft, expiresAfter: 0 }, "n", 1)).not.toHaveProperty("expiresAt");
});

test("a life begins with the acceptance here, or with the sending elsewhere", () => {
    const life: Life = {
        userId: "jo",
        id: "n",
        state: "deadLetter",
        events: [
            { what: "sent", at: 1 },
            { what: "deadLetter", at: 2, detail: "received 3 times" },
        ],
        notKnown: [],
    };
    expect(steps(life).map(({ words }) => words)).toEqual(["Sent", "Became a dead letter"]);
    const accepted = { at: 5, sequence: "1", duplicate: true };
    expect(steps(undefined, accepted)).toHaveLength(1);
    const [first, ...rest] = steps(life, accepted);
    expect([first?.words, first?.detail, rest.length]).toEqual([
        "Accepted by the server",
        "its id was accepted before; it is not sent a second time",
        1,
    ]);
    expect([mood("delivered"), mood("held"), mood("dropped")]).toEqual(["good", "open", "bad"]);
    expect([isOver("acknowledged"), isOver("delivered"), isOver("expired")]).toEqual([true, false, true]);
});

test("addresses name users and notifications whatever is in their names", () => {
    const [user, id] = ["a/b#c%", "n/1"];
    expect(route(userAddress(user))).toEqual({ view: "user", user });
    expect(route(followAddress(user, id))).toEqual({ view: "follow", user, id });
    expect(route("#/user")).toEqual({ view: "user", user: undefined });
    expect(route("#/follow/only")).toEqual({ view: "overview" });
    expect([route(""), route("#/%"), route("#/dead-letters")].map(({ view }) => view)).toEqual([
        "overview",
        "overview",
        "dead-letters",
    ]);
});

test("what is done to dead letters is said with their number before and after", () => {
    expect(ask("drop", 12)).toMatchObject({ title: "Drop 12 dead letters?", refusal: "Keep them", dangerous: true });
    expect(ask("drop", 12).consequence).toContain("All 12 are deleted for good");
    expect(ask("redrive", 1, "jo").action).toBe("Redrive the dead letter of jo");
    expect([outcome("drop", 1), outcome("redrive", 3)]).toEqual([
        "1 dead letter was dropped.",
        "3 dead letters were redriven.",
    ]);
});
