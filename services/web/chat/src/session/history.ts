import { type Client, type HistoryMessage, TidingsError } from "@tidings/client";
import { parseNotification } from "../state/parse-notification.ts";
import type { Event } from "../state/reducer.ts";
import type { Entry, History } from "../state/types.ts";

/** Query for a page of a user's history. */
export interface Query {
    readonly me: string;
    /** Name of the hub of everyone, if there is one. */
    readonly everyone: string | null;
    readonly limit: number;
    /** Cursor of the page; the newest page when `undefined`. */
    readonly before: string | undefined;
}

/** Maximum number of pages to search for messages. Pages may be full of presence events. */
const MAX_PAGES = 5;

/** Number of messages at which the search ends. */
const ENOUGH = 20;

/** Loads older messages from the gateway's history. */
export async function loadOlder(client: Client, { me, everyone, limit, before }: Query): Promise<Event> {
    try {
        const items: HistoryMessage[] = [];
        let next = before;
        let entries: readonly Entry[] = [];
        for (let page = 0; page < MAX_PAGES && entries.length < ENOUGH; page += 1) {
            const answer = await client.history({ limit, ...(next === undefined ? {} : { before: next }) });
            items.push(...answer.items);
            entries = entriesOf(items, me, everyone);
            next = answer.next;
            if (next === undefined) break;
        }
        const withoutPayloads = items.length > 0 && items.every(({ payload }) => payload == null);
        const history: History = withoutPayloads
            ? { status: "loaded", unavailable: "no-payloads" }
            : { status: "loaded", ...(next === undefined ? {} : { next }) };
        return { type: "history-loaded", entries, history };
    } catch (error) {
        if (!(error instanceof TidingsError)) throw error;
        const off = error.code === "forbidden" || error.code === "unknown-action";
        return { type: "history", history: { status: "loaded", unavailable: off ? "off" : "failed" } };
    }
}

/**
 * Returns the delivered messages of a history, newest first. Held messages are left out, because they are about to
 * arrive. If a message was delivered several times, the oldest row counts, which is nearest to the time of sending.
 */
export function entriesOf(items: readonly HistoryMessage[], me: string, everyone: string | null): readonly Entry[] {
    const byId = new Map<string, Entry>();
    for (const item of items) {
        if (item.what !== "delivered" || item.payload == null || item.kind === "presence") continue;
        byId.set(item.id, parseNotification(item, me, everyone));
    }
    return [...byId.values()];
}
