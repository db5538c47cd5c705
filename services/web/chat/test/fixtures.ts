import { type Event, initial, reduce } from "../src/state/reducer.ts";
import type { Conversation, Entry, State } from "../src/state/types.ts";

/** The conversation with everyone. */
export const EVERYONE: Conversation = "hub:everyone";

/** Noon of 1 January 2026 in the local time zone, so that all times of a test are on one day. */
export const NOON = new Date(2026, 0, 1, 12).getTime();

/** Returns the state after alice has logged in and the given events. */
export function after(...events: readonly Event[]): State {
    const login: Event = {
        type: "logged-in",
        me: { userId: "alice", guest: false },
        everyone: "everyone",
        users: ["alice", "bob"],
    };
    return [login, ...events].reduce(reduce, initial);
}

/** Returns a message of bob with the sequence `n` and the id `id-n`. */
export function entry(n: number, fields: Partial<Entry> = {}): Entry {
    const sequence = String(n).padStart(39, "0");
    const id = `id-${n}`;
    return { key: id, id, sequence, conversation: EVERYONE, kind: "message", from: "bob", text: `text ${n}`, at: NOON + n, ...fields };
}

/** Returns a message of alice that is being sent. */
export function own(key: string, text: string): Entry {
    return { key, conversation: EVERYONE, kind: "message", from: "alice", text, at: NOON, delivery: { status: "sending" } };
}

/** Returns the event of an entry that arrives. */
export function arrived(entry: Entry, replayed = false): Event {
    return { type: "arrived", entry, replayed };
}

/** Returns the event of a connection that opens. */
export function open(since = NOON): Event {
    return { type: "connection", connection: { status: "open", since } };
}

/** Returns the event of alice going offline. */
export function offline(since = NOON): Event {
    return { type: "connection", connection: { status: "offline", since, by: "user" } };
}

/** Returns the texts of all entries, in order. */
export function texts({ entries }: State): string[] {
    return entries.map(({ text }) => text);
}
