import type { Delivery, Entry } from "./types.ts";

/** Compares entries by the user's order. Entries without a sequence come last, in the order in which they were written. */
function compare(a: Entry, b: Entry): number {
    if (a.sequence === undefined || b.sequence === undefined) {
        return Number(a.sequence === undefined) - Number(b.sequence === undefined);
    }
    return a.sequence < b.sequence ? -1 : Number(a.sequence > b.sequence);
}

/** Adds arrived entries to the others, each once, in order. */
export function merge(entries: readonly Entry[], arrived: readonly Entry[], me: string): readonly Entry[] {
    const all = [...entries];
    let changed = false;
    let sorted = true;
    for (const entry of arrived) {
        const index = indexOf(all, entry, me);
        const known = all[index];
        if (known === undefined) {
            const last = all.at(-1);
            // Sort only if needed: most entries arrive in order, and there may be thousands.
            sorted &&= last === undefined || compare(last, entry) <= 0;
            all.push(entry.from === me && entry.kind === "message" ? accepted(entry) : entry);
        } else if (known.sequence === undefined) {
            sorted = false;
            all[index] = confirmed(known, entry);
        } else {
            continue;
        }
        changed = true;
    }
    if (!changed) return entries;
    // The sort is stable, so entries without a sequence keep their order.
    return sorted ? all : all.sort(compare);
}

/** Finds an entry by its id or key, or as a message of the user that is being sent with the same text. */
function indexOf(entries: readonly Entry[], entry: Entry, me: string): number {
    const known = entries.findIndex(({ id, key }) => (id !== undefined && id === entry.id) || key === entry.key);
    if (known >= 0 || entry.from !== me) return known;
    // A hub delivers the user's own messages too, maybe before the answer that tells their ids. They arrive in the order
    // of sending, so the first one with this text is the right one.
    return entries.findIndex(
        ({ id, from, conversation, text }) =>
            id === undefined && from === me && conversation === entry.conversation && text === entry.text,
    );
}

/** Merges a message of the user with its delivered form, whose time counts. */
function confirmed(own: Entry, arrived: Entry): Entry {
    const refused = own.delivery?.status === "failed" && own.id !== undefined;
    return { ...arrived, key: own.key, delivery: refused ? own.delivery : { status: "accepted" } };
}

function accepted(entry: Entry): Entry {
    return { ...entry, delivery: { status: "accepted" } };
}

/** Sets the delivery status of the message `key`, and its id if known. */
export function withDelivery(
    entries: readonly Entry[],
    key: string,
    delivery: Delivery,
    id: string | undefined,
): readonly Entry[] {
    return entries.map((entry) => {
        if (entry.key !== key) return entry;
        // A message that was delivered has not failed, even if the answer to its request was lost.
        if (entry.sequence !== undefined && id === undefined) return entry;
        return id === undefined ? { ...entry, delivery } : { ...entry, id, delivery };
    });
}
