import type { Delivery, Entry } from "./types.ts";

/** The order of a user's notifications; what the gateway has not numbered is last, in the order it was written. */
function inOrder(a: Entry, b: Entry): number {
    if (a.sequence === undefined || b.sequence === undefined) {
        return Number(a.sequence === undefined) - Number(b.sequence === undefined);
    }
    return a.sequence < b.sequence ? -1 : Number(a.sequence > b.sequence);
}

/** The entries with those that came, each once, in order. */
export function merge(entries: readonly Entry[], came: readonly Entry[], me: string): readonly Entry[] {
    const all = [...entries];
    let changed = false;
    let sorted = true;
    for (const entry of came) {
        const at = indexOf(all, entry, me);
        const known = all[at];
        if (known === undefined) {
            const last = all.at(-1);
            // Most come in order, and there may be thousands.
            sorted &&= last === undefined || inOrder(last, entry) <= 0;
            all.push(entry.from === me && isMessage(entry) ? accepted(entry) : entry);
        } else if (known.sequence === undefined) {
            sorted = false;
            all[at] = confirmed(known, entry);
        } else {
            continue;
        }
        changed = true;
    }
    if (!changed) return entries;
    // The sort is stable: what has no place in the order stays as it was written.
    return sorted ? all : all.sort(inOrder);
}

/** Where an entry is already: by its id or key, or as one's own that is under way with the same words. */
function indexOf(entries: readonly Entry[], entry: Entry, me: string): number {
    const known = entries.findIndex(({ id, key }) => (id !== undefined && id === entry.id) || key === entry.key);
    if (known >= 0 || entry.from !== me) return known;
    // A hub gives the sender their own, maybe before the answer that tells its id. They come in the order in which
    // they were sent, so the first with these words is the one.
    return entries.findIndex(
        ({ id, from, place, text }) =>
            id === undefined && from === me && place === entry.place && text === entry.text,
    );
}

/** One's own that came back: the gateway's word for when it was sent counts. */
function confirmed(own: Entry, came: Entry): Entry {
    const refused = own.delivery?.status === "failed" && own.id !== undefined;
    return { ...came, key: own.key, delivery: refused ? own.delivery : { status: "accepted" } };
}

function accepted(entry: Entry): Entry {
    return { ...entry, delivery: { status: "accepted" } };
}

function isMessage({ kind }: Entry): boolean {
    return kind === "message";
}

/** The entries with what has become of one's own `key`. */
export function delivered(
    entries: readonly Entry[],
    key: string,
    delivery: Delivery,
    id: string | undefined,
): readonly Entry[] {
    return entries.map((entry) => {
        if (entry.key !== key) return entry;
        // That it came back is known for certain; a failure to hear that it was accepted changes nothing about it.
        if (entry.sequence !== undefined && id === undefined) return entry;
        return id === undefined ? { ...entry, delivery } : { ...entry, id, delivery };
    });
}
