import type { Snapshot } from "./figures.ts";

/** How many snapshots are kept: those of fifteen minutes, as the server does. */
export const KEPT = 900;
/** For how long figures are those of now, in milliseconds. */
export const FRESH = 4_000;

/** How the figures come. */
export type Link =
    | { readonly how: "connecting" }
    /** Over a connection of Tidings itself. */
    | { readonly how: "live" }
    /** There is no connection; `message` is what is known of why. */
    | { readonly how: "lost"; readonly message: string }
    /** The key is refused. */
    | { readonly how: "refused"; readonly message: string };

/** What is known of the server's figures. */
export interface Feed {
    /** Oldest first. */
    readonly snapshots: readonly Snapshot[];
    readonly link: Link;
    /** When the newest came, by the clock of this machine. */
    readonly receivedAt: number | undefined;
}

export const EMPTY: Feed = { snapshots: [], link: { how: "connecting" }, receivedAt: undefined };

/** Adds snapshots, in their order and each once. Older ones than are kept fall out. */
export function add(feed: Feed, items: readonly Snapshot[], now: number): Feed {
    const newest = feed.snapshots.at(-1)?.at ?? -Infinity;
    const known = new Set(feed.snapshots.map(({ at }) => at));
    const fresh = items.filter(({ at }) => !known.has(at));
    if (fresh.length === 0) return feed;
    const all = [...feed.snapshots, ...fresh];
    if (fresh.some(({ at }) => at < newest)) all.sort((a, b) => a.at - b.at);
    return { ...feed, snapshots: all.slice(-KEPT), receivedAt: now };
}

/** Says how the figures come now. */
export function linked(feed: Feed, link: Link): Feed {
    return { ...feed, link };
}

/** Whether the newest figures are those of a time gone by. */
export function isStale({ receivedAt }: Feed, now: number): boolean {
    return receivedAt !== undefined && now - receivedAt > FRESH;
}
