import { type Event, initial, reduce } from "../src/state/reducer.ts";
import type { Entry, Place, State } from "../src/state/types.ts";

/** The hub of everyone, as these tests have it. */
export const ROOM: Place = "hub:everyone";

/** 1 January 2026, about noon wherever the tests run. */
export const NOON = new Date(2026, 0, 1, 12).getTime();

/** What is shown after all of that has happened, one after the other, to alice. */
export function after(...events: readonly Event[]): State {
    const login: Event = {
        type: "logged-in",
        me: { userId: "alice", guest: false },
        everyone: "everyone",
        users: ["alice", "bob"],
    };
    return [login, ...events].reduce(reduce, initial);
}

/** A message of bob's. `n` is its place in the order, and part of its id. */
export function entry(n: number, fields: Partial<Entry> = {}): Entry {
    const sequence = String(n).padStart(39, "0");
    const id = `id-${n}`;
    return { key: id, id, sequence, place: ROOM, kind: "message", from: "bob", text: `text ${n}`, at: NOON + n, ...fields };
}

/** One's own, just written. */
export function own(key: string, text: string): Entry {
    return { key, place: ROOM, kind: "message", from: "alice", text, at: NOON, delivery: { status: "sending" } };
}

export function arrived(entry: Entry, replayed = false): Event {
    return { type: "arrived", entry, replayed };
}

/** There is a connection since then. */
export function open(since = NOON): Event {
    return { type: "link", link: { status: "open", since } };
}

/** The user went offline then. */
export function away(since = NOON): Event {
    return { type: "link", link: { status: "away", since, by: "user" } };
}

export function texts({ entries }: State): string[] {
    return entries.map(({ text }) => text);
}
