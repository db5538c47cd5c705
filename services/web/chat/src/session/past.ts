import { type Client, type PastMessage, TidingsError } from "@tidings/client";
import { read } from "../state/read.ts";
import type { Event } from "../state/reducer.ts";
import type { Entry, Past } from "../state/types.ts";

/** Which page of whose history. */
export interface Query {
    readonly me: string;
    readonly everyone: string | null;
    readonly limit: number;
    readonly before: string | undefined;
}

/** How many pages are looked through for something to show: they may be full of comings and goings. */
const MOST_PAGES = 5;

/** How many messages are enough. */
const ENOUGH = 20;

/** What came before, as far as the history has payloads. */
export async function older(client: Client, { me, everyone, limit, before }: Query): Promise<Event> {
    try {
        const items: PastMessage[] = [];
        let next = before;
        let entries: readonly Entry[] = [];
        for (let page = 0; page < MOST_PAGES && entries.length < ENOUGH; page += 1) {
            const answer = await client.history({ limit, ...(next === undefined ? {} : { before: next }) });
            items.push(...answer.items);
            entries = remembered(items, me, everyone);
            next = answer.next;
            if (next === undefined) break;
        }
        const bare = items.length > 0 && items.every(({ payload }) => payload == null);
        const past: Past = bare
            ? { status: "known", without: "no-payloads" }
            : { status: "known", ...(next === undefined ? {} : { next }) };
        return { type: "remembered", entries, past };
    } catch (error) {
        if (!(error instanceof TidingsError)) throw error;
        const off = error.code === "forbidden" || error.code === "unknown-action";
        return { type: "past", past: { status: "known", without: off ? "off" : "failed" } };
    }
}

/**
 * What was delivered. What was only held is about to arrive. A row for each delivery says the same: it is taken from
 * the first, which is nearest to its sending.
 */
export function remembered(items: readonly PastMessage[], me: string, everyone: string | null): readonly Entry[] {
    const byId = new Map<string, Entry>();
    for (const item of items) {
        if (item.what !== "delivered" || item.payload == null || item.kind === "presence") continue;
        byId.set(item.id, read(item, me, everyone));
    }
    return [...byId.values()];
}
