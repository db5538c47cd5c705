import type { Snapshot } from "./metrics.ts";

/** Number of snapshots kept: those of fifteen minutes, as many as the server keeps. */
export const CAPACITY = 900;
/** Age at which the newest snapshot becomes stale, in milliseconds. */
export const STALE_AFTER = 4_000;

/** Status of the connection over which the metrics arrive. */
export type FeedStatus =
    | { readonly name: "connecting" }
    | { readonly name: "live" }
    /** There is no connection, for the reason in `message`. */
    | { readonly name: "lost"; readonly message: string }
    /** The server refused the API key. */
    | { readonly name: "refused"; readonly message: string };

/** The server's metrics over time. */
export interface MetricsFeed {
    /** Snapshots, oldest first. */
    readonly snapshots: readonly Snapshot[];
    readonly status: FeedStatus;
    /** Time at which the newest snapshot arrived, by the clock of this machine. */
    readonly receivedAt: number | undefined;
}

export const EMPTY: MetricsFeed = { snapshots: [], status: { name: "connecting" }, receivedAt: undefined };

/** Adds snapshots in order, each once, and removes the oldest ones beyond the capacity. */
export function add(feed: MetricsFeed, items: readonly Snapshot[], now: number): MetricsFeed {
    const newest = feed.snapshots.at(-1)?.at ?? -Infinity;
    const known = new Set(feed.snapshots.map(({ at }) => at));
    const added = items.filter(({ at }) => !known.has(at));
    if (added.length === 0) return feed;
    const all = [...feed.snapshots, ...added];
    if (added.some(({ at }) => at < newest)) all.sort((a, b) => a.at - b.at);
    return { ...feed, snapshots: all.slice(-CAPACITY), receivedAt: now };
}

/** Sets the status. */
export function withStatus(feed: MetricsFeed, status: FeedStatus): MetricsFeed {
    return { ...feed, status };
}

/** Returns true if the newest snapshot is too old to be called live. */
export function isStale({ receivedAt }: MetricsFeed, now: number): boolean {
    return receivedAt !== undefined && now - receivedAt > STALE_AFTER;
}
