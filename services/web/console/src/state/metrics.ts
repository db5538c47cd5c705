/** Numbers of notifications since the start of the server. */
export interface Counts {
    readonly accepted: number;
    readonly delivered: number;
    readonly held: number;
    readonly replayed: number;
    readonly acknowledged: number;
    readonly expired: number;
    readonly dropped: number;
    /** Number of notifications that became dead letters. */
    readonly buried: number;
}

/** Time from sending to push, in milliseconds. */
export interface Latency {
    readonly count: number;
    readonly p50: number;
    readonly p95: number;
    readonly p99: number;
}

/** The live metrics of a moment. The server takes a snapshot every second. */
export interface Snapshot {
    /** Time of the snapshot in milliseconds since the Unix epoch, by the server's clock. */
    readonly at: number;
    readonly counts: Counts;
    /** Latency during the last second. `null` if nothing was pushed. */
    readonly latency: Latency | null;
    /** Number of open connections. */
    readonly connections: number;
    /** Number of notifications in the queue. */
    readonly queued: number;
    /** Number of held notifications. `null` while the server still counts those of before its start. */
    readonly mailbox: number | null;
    readonly deadLetters: number;
    /** Memory of the server process. `null` where the system does not tell. */
    readonly residentBytes: number | null;
    /** Processor time of the server process. `null` where the system does not tell. */
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
const NULLABLE_NUMBERS = ["mailbox", "residentBytes", "cpuMs"] as const satisfies (keyof Snapshot)[];

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
    return typeof value === "object" && value !== null;
}

function isLatency(value: unknown): boolean {
    return isObject(value) && ["count", "p50", "p95", "p99"].every((name) => typeof value[name] === "number");
}

/** Validates a snapshot. Returns `undefined` for anything else. */
export function parseSnapshot(value: unknown): Snapshot | undefined {
    if (!isObject(value) || !isObject(value["counts"])) return undefined;
    const counts = value["counts"];
    const valid =
        COUNTS.every((name) => typeof counts[name] === "number") &&
        NUMBERS.every((name) => typeof value[name] === "number") &&
        NULLABLE_NUMBERS.every((name) => value[name] === null || typeof value[name] === "number") &&
        (value["latency"] === null || isLatency(value["latency"]));
    return valid ? (value as unknown as Snapshot) : undefined;
}

/** Maximum time between two snapshots for a meaningful rate, in milliseconds. */
const MAX_GAP = 10_000;

/** Returns the rate per second between two snapshots. Returns `null` across a gap or a restart of the server. */
export function rate(before: Snapshot, after: Snapshot, name: keyof Counts): number | null {
    const time = after.at - before.at;
    const more = after.counts[name] - before.counts[name];
    if (time <= 0 || time > MAX_GAP || after.counts.accepted < before.counts.accepted) return null;
    // A count may decrease slightly, because a snapshot may miss a notification that is being delivered.
    return (Math.max(0, more) * 1000) / time;
}

/** Returns the use of one processor core between two snapshots, in percent. */
export function cpuPercent(before: Snapshot, after: Snapshot): number | null {
    const time = after.at - before.at;
    if (before.cpuMs === null || after.cpuMs === null || time <= 0 || time > MAX_GAP) return null;
    const used = after.cpuMs - before.cpuMs;
    return used < 0 ? null : (used * 100) / time;
}
