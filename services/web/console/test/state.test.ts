import { expect, test } from "vitest";
import { confirmationOf, resultMessage } from "../src/state/dead-letter-actions.ts";
import { INITIAL_DRAFT, requestBody, validate } from "../src/state/draft.ts";
import {
    age,
    formatBytes,
    formatLatency,
    formatNumber,
    formatSequence,
    pluralize,
} from "../src/state/format.ts";
import { CAPACITY, EMPTY, STALE_AFTER, add, isStale } from "../src/state/metrics-feed.ts";
import { type Snapshot, cpuPercent, parseSnapshot, rate } from "../src/state/metrics.ts";
import { type PlotDefinition, PLOTS, columns, rowsOf } from "../src/state/plots.ts";
import { READ_ONLY, rightsOf } from "../src/state/rights.ts";
import { notificationAddress, parseRoute, userAddress } from "../src/state/route.ts";
import { type Timeline, isFinal, outcomeOf, steps } from "../src/state/timeline.ts";

/** Returns a snapshot at a time, with the number of accepted notifications. */
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

test("only valid snapshots are parsed", () => {
    expect(parseSnapshot(at(5, 3, { latency: { count: 1, p50: 1, p95: 2, p99: 3 } }))?.counts.accepted).toBe(3);
    const wrong = [null, 1, {}, { ...at(1), counts: { accepted: 1 } }, { ...at(1), latency: {} }, { ...at(1), at: "1" }];
    for (const value of wrong) expect(parseSnapshot(value)).toBeUndefined();
});

test("rates need two snapshots without a gap or a restart", () => {
    expect(rate(at(1000, 10), at(3000, 30), "accepted")).toBe(10);
    expect(rate(at(1000, 10), at(20_000, 30), "accepted")).toBeNull();
    expect(rate(at(1000, 10), at(2000, 3), "accepted")).toBeNull();
    expect(rate(at(1000), at(1000), "held")).toBeNull();
    expect(cpuPercent(at(0, 0, { cpuMs: 100 }), at(1000, 0, { cpuMs: 350 }))).toBe(25);
    expect(cpuPercent(at(0), at(1000))).toBeNull();
});

test("the feed keeps 15 minutes of snapshots in order, each once", () => {
    const first = add(EMPTY, [at(1), at(3)], 7);
    const second = add(first, [at(2), at(3)], 8);
    expect(second.snapshots.map((one) => one.at)).toEqual([1, 2, 3]);
    expect(second.receivedAt).toBe(8);
    expect(add(second, [at(2)], 9)).toBe(second);
    const many = Array.from({ length: CAPACITY + 5 }, (_, time) => at(10 + time));
    expect(add(second, many, 9).snapshots).toHaveLength(CAPACITY);
    expect(isStale(EMPTY, 1e9)).toBe(false);
    expect(isStale(second, 8 + STALE_AFTER)).toBe(false);
    expect(isStale(second, 9 + STALE_AFTER)).toBe(true);
});

test("a plot has the values of its span and a table of means", () => {
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

test("numbers are formatted for people", () => {
    expect([formatNumber(null), formatNumber(3), formatNumber(3.14), formatNumber(1234.5), formatNumber(2_500_000)]).toEqual([
        "–",
        "3",
        "3.1",
        "1,235",
        "2.5M",
    ]);
    expect([formatLatency(undefined), formatLatency(0), formatLatency(12), formatLatency(12_300)]).toEqual([
        "–",
        "< 1 ms",
        "12 ms",
        "12.3 s",
    ]);
    expect([formatBytes(7), formatBytes(1500), formatBytes(25_000_000)]).toEqual(["7 B", "1.5 kB", "25 MB"]);
    expect([pluralize(1, "dead letter"), pluralize(1200, "dead letter")]).toEqual(["1 dead letter", "1,200 dead letters"]);
    expect([age(0, 59_999), age(0, 60_000), age(0, 7_200_000), age(0, 2e9), age(5, 0)]).toEqual([
        "59 sec",
        "1 min",
        "2 hr",
        "23 days",
        "0 sec",
    ]);
    expect([formatSequence("00042"), formatSequence("000")]).toEqual(["42", "0"]);
});

test("a test notification is validated before it is sent", () => {
    expect(validate({ ...INITIAL_DRAFT, userId: " jo " })).toEqual({});
    expect(validate({ ...INITIAL_DRAFT, userId: "j o", payload: "{" })).toEqual({
        userId: expect.stringContaining("without spaces") as unknown,
        payload: expect.stringContaining("not JSON") as unknown,
    });
    expect(validate({ ...INITIAL_DRAFT, userId: "jo", payload: " " }).payload).toContain("Enter a JSON value");
    const draft = { userId: " jo ", payload: "[1]", whenOffline: "drop", expiresAfter: 500 } as const;
    expect(requestBody(draft, "n", 1000)).toEqual({
        id: "n",
        userId: "jo",
        payload: [1],
        whenOffline: "drop",
        expiresAt: 1500,
        kind: "test",
        source: "console",
    });
    expect(requestBody({ ...draft, expiresAfter: 0 }, "n", 1)).not.toHaveProperty("expiresAt");
});

test("a timeline starts with accepting or sending", () => {
    const timeline: Timeline = {
        userId: "jo",
        id: "n",
        state: "deadLetter",
        events: [
            { what: "sent", at: 1 },
            { what: "deadLetter", at: 2, detail: "received 3 times" },
        ],
        notKnown: [],
    };
    expect(steps(timeline).map(({ label }) => label)).toEqual(["Sent", "Became a dead letter"]);
    const accepted = { at: 5, sequence: "1", duplicate: true };
    expect(steps(undefined, accepted)).toHaveLength(1);
    const [first, ...rest] = steps(timeline, accepted);
    expect([first?.label, first?.at, first?.detail, rest.length]).toEqual([
        "Accepted by the server",
        1,
        "duplicate: this ID was accepted before and is not sent again",
        1,
    ]);
    expect([outcomeOf("delivered"), outcomeOf("held"), outcomeOf("dropped")]).toEqual(["good", "open", "bad"]);
    expect([isFinal("acknowledged"), isFinal("delivered"), isFinal("expired")]).toEqual([true, false, true]);
});

test("addresses escape users and notification ids", () => {
    const [user, id] = ["a/b#c%", "n/1"];
    expect(parseRoute(userAddress(user))).toEqual({ view: "user", user });
    expect(parseRoute(notificationAddress(user, id))).toEqual({ view: "notification", user, id });
    expect(parseRoute("#/user")).toEqual({ view: "user", user: undefined });
    expect(parseRoute("#/follow/jo/n")).toEqual({ view: "notification", user: "jo", id: "n" });
    expect(parseRoute("#/notification/only")).toEqual({ view: "overview" });
    expect([parseRoute(""), parseRoute("#/%"), parseRoute("#/dead-letters")].map(({ view }) => view)).toEqual([
        "overview",
        "overview",
        "dead-letters",
    ]);
});

test("actions on dead letters tell their number", () => {
    expect(confirmationOf("purge", 12)).toMatchObject({ title: "Purge 12 dead letters?", refusal: "Keep them", dangerous: true });
    expect(confirmationOf("purge", 12).consequence).toContain("All 12 are deleted for good");
    expect(confirmationOf("redrive", 1, "jo").action).toBe("Redrive the dead letter of jo");
    expect([resultMessage("purge", 1), resultMessage("redrive", 3)]).toEqual([
        "1 dead letter was purged.",
        "3 dead letters were redriven.",
    ]);
});

test("a key acts only with the scope for it", () => {
    expect(rightsOf({ name: "first", scopes: ["admin"] })).toEqual({ operate: true, send: true });
    expect(rightsOf({ scopes: ["operate"] })).toEqual({ operate: true, send: false });
    expect(rightsOf({ scopes: ["read", "send"] })).toEqual({ operate: false, send: true });
    for (const other of [{ scopes: ["read", "token", "send:app-"] }, {}, undefined, { scopes: "admin" }]) {
        expect(rightsOf(other)).toEqual(READ_ONLY);
    }
});
