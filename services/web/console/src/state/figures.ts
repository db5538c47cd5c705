/** What the server has done since it began, in notifications. */
export interface Counts {
    readonly accepted: number;
    readonly delivered: number;
    readonly held: number;
    readonly replayed: number;
    readonly acknowledged: number;
    readonly expired: number;
    readonly dropped: number;
    readonly buried: number;
}

/** From the sending of notifications to their push, in milliseconds. */
export interface Latency {
    readonly count: number;
    readonly p50: number;
    readonly p95: number;
    readonly p99: number;
}

/** What the server says of itself every second. */
export interface Snapshot {
    /** When, in milliseconds since the epoch, by the server's clock. */
    readonly at: number;
    readonly counts: Counts;
    /** Of the last second; `null` when nothing was pushed. */
    readonly latency: Latency | null;
    readonly connections: number;
    readonly queued: number;
    /** `null` while the server still counts what there was at its start. */
    readonly mailbox: number | null;
    readonly deadLetters: number;
    readonly residentBytes: number | null;
    readonly cpuMs: number | null;
}

const COUNTS = [
    "accepted",
    "delivered",
    "held",
    "replayed",
    "acknowledged",
    "expired",
    "dropped",
    "buried",
] as const satisfies (keyof Counts)[];
const NUMBERS = ["at", "connections", "queued", "deadLetters"] as const satisfies (keyof Snapshot)[];
const MAYBE = ["mailbox", "residentBytes", "cpuMs"] as const satisfies (keyof Snapshot)[];

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
    return typeof value === "object" && value !== null;
}

function isLatency(value: unknown): boolean {
    return isObject(value) && ["count", "p50", "p95", "p99"].every((name) => typeof value[name] === "number");
}

/** Reads figures; `undefined` for anything else: whatever reaches the page is checked before it is shown. */
export function snapshot(value: unknown): Snapshot | undefined {
    if (!isObject(value) || !isObject(value["counts"])) return undefined;
    const counts = value["counts"];
    const whole =
        COUNTS.every((name) => typeof counts[name] === "number") &&
        NUMBERS.every((name) => typeof value[name] === "number") &&
        MAYBE.every((name) => value[name] === null || typeof value[name] === "number") &&
        (value["latency"] === null || isLatency(value["latency"]));
    return whole ? (value as unknown as Snapshot) : undefined;
}

/** The longest time between two snapshots over which a rate says something, in milliseconds. */
const GAP = 10_000;

/** How many there were a second between two snapshots; `null` across a gap, and when the server began anew. */
export function rate(before: Snapshot, after: Snapshot, name: keyof Counts): number | null {
    const time = after.at - before.at;
    const more = after.counts[name] - before.counts[name];
    if (time <= 0 || time > GAP || after.counts.accepted < before.counts.accepted) return null;
    // What is on its way at the moment of a snapshot may be missing in one of them.
    return (Math.max(0, more) * 1000) / time;
}

/** The share of one processor that was used between two snapshots, in percent. */
export function processor(before: Snapshot, after: Snapshot): number | null {
    const time = after.at - before.at;
    if (before.cpuMs === null || after.cpuMs === null || time <= 0 || time > GAP) return null;
    const used = after.cpuMs - before.cpuMs;
    return used < 0 ? null : (used * 100) / time;
}
