import { delivered, merge } from "./entries.ts";
import type { Delivery, Entry, Link, Me, Past, Place, State } from "./types.ts";

/** What happens. */
export type Event =
    | {
          readonly type: "logged-in";
          readonly me: Me;
          /** The hub of everyone, if there is one. */
          readonly everyone: string | null;
          /** Users to offer a conversation with. */
          readonly users: readonly string[];
      }
    | { readonly type: "logged-out" }
    /** The gateway says who one is. */
    | { readonly type: "identified"; readonly me: Omit<Me, "guest">; readonly hubs: readonly string[] }
    | { readonly type: "link"; readonly link: Link }
    | { readonly type: "arrived"; readonly entry: Entry; readonly replayed: boolean }
    | { readonly type: "remembered"; readonly entries: readonly Entry[]; readonly past: Past }
    | { readonly type: "past"; readonly past: Past }
    /** Everybody who is in a hub. */
    | { readonly type: "members"; readonly users: readonly string[] }
    | { readonly type: "written"; readonly entry: Entry }
    | { readonly type: "delivery"; readonly key: string; readonly delivery: Delivery; readonly id?: string }
    | { readonly type: "discarded"; readonly key: string }
    | { readonly type: "chosen"; readonly place: Place }
    | { readonly type: "visibility"; readonly hidden: boolean };

/** Before anybody has logged in. */
export const initial: State = {
    me: undefined,
    link: { status: "connecting", failures: 0 },
    hubs: [],
    here: new Map(),
    hereIsKnown: false,
    entries: [],
    users: [],
    place: "programs",
    hidden: false,
    unread: {},
    unseen: 0,
    past: { status: "unknown" },
    absences: [],
};

/** What is to be shown after something has happened. */
export function reduce(state: State, event: Event): State {
    switch (event.type) {
        case "logged-in": {
            const { me, everyone } = event;
            const users = event.users.filter((user) => user !== me.userId);
            const [first] = users;
            const elsewhere: Place = first === undefined ? "programs" : `user:${first}`;
            const place: Place = everyone === null ? elsewhere : `hub:${everyone}`;
            const hubs = everyone === null ? [] : [everyone];
            return { ...initial, hidden: state.hidden, me, users, hubs, place };
        }
        case "logged-out":
            return { ...initial, hidden: state.hidden };
        case "identified":
            return identified(state, event.me, event.hubs);
        case "link":
            return linked(state, event.link);
        case "arrived":
            return arrived(state, event.entry, event.replayed);
        case "remembered": {
            const entries = merge(state.entries, event.entries, state.me?.userId ?? "");
            const users = event.entries.reduce((known, entry) => withUser(known, entry.place), state.users);
            return { ...state, entries, users, past: event.past };
        }
        case "past":
            return { ...state, past: event.past };
        case "members": {
            const others = event.users.filter((user) => user !== state.me?.userId);
            const here = new Map(others.map((user) => [user, state.here.get(user) ?? user]));
            return { ...state, here, hereIsKnown: true };
        }
        case "written": {
            // Who answers has read what was there.
            const unread = without(state.unread, event.entry.place);
            const users = withUser(state.users, event.entry.place);
            return { ...state, users, unread, entries: [...state.entries, event.entry] };
        }
        case "delivery":
            return { ...state, entries: delivered(state.entries, event.key, event.delivery, event.id) };
        case "discarded":
            return { ...state, entries: state.entries.filter(({ key }) => key !== event.key) };
        case "chosen":
            return chosen(state, event.place);
        case "visibility":
            return event.hidden
                ? { ...state, hidden: true }
                : { ...state, hidden: false, unseen: 0, unread: seen(state.unread, state.place) };
    }
}

function identified(state: State, who: Omit<Me, "guest">, hubs: readonly string[]): State {
    if (state.me === undefined) return state;
    const me = { guest: state.me.guest, ...who };
    const users = state.users.filter((user) => user !== who.userId);
    const [hub] = hubs;
    const place = state.place === "programs" && hub !== undefined ? (`hub:${hub}` as const) : state.place;
    return { ...state, me, users, place, hubs: [...new Set([...state.hubs, ...hubs])] };
}

/** An absence ends when a connection is open; who is here then has to be asked for. */
function linked(state: State, link: Link): State {
    const was = state.link;
    if (link.status === "open") {
        // A connection that took another's place without a gap goes on.
        if (was.status === "open") return state;
        const since = was.status === "connecting" ? undefined : was.since;
        const after = state.entries.findLast(({ sequence }) => sequence !== undefined)?.sequence;
        const absence = {
            until: link.since,
            ...(since === undefined ? {} : { since }),
            ...(after === undefined ? {} : { after }),
        };
        return { ...state, link, absences: [...state.absences, absence] };
    }
    const gone = { ...state, here: new Map<string, string>(), hereIsKnown: false };
    if (was.status === "open") return { ...gone, link };
    // An absence goes on from where it began while a way back is looked for.
    if (was.status === "lost" && link.status === "lost") return { ...gone, link: { ...link, since: was.since } };
    if (was.status !== "connecting" && link.status === "connecting") {
        return { ...gone, link: { status: "lost", since: was.since, why: "", failures: link.failures } };
    }
    return { ...gone, link };
}

function arrived(state: State, came: Entry, replayed: boolean): State {
    const me = state.me?.userId ?? "";
    const absence = state.absences.length;
    const entry = replayed && absence > 0 && came.from !== me ? { ...came, absence } : came;
    const entries = merge(state.entries, [entry], me);
    const here = present(state.here, entry);
    if (entries === state.entries) return { ...state, here };
    const next = { ...state, entries, here, users: withUser(state.users, entry.place) };
    if (entry.kind !== "message" || entry.from === me) return next;
    const unseen = state.hidden ? state.unseen + 1 : state.unseen;
    if (entry.place === state.place && !state.hidden) return { ...next, unseen };
    const before = state.unread[entry.place];
    const fresh = before === undefined || before.count === 0;
    const unread = fresh ? { count: 1, first: entry.key } : { ...before, count: before.count + 1 };
    return { ...next, unseen, unread: { ...state.unread, [entry.place]: unread } };
}

/** Who is here after somebody came or went. */
function present(here: ReadonlyMap<string, string>, { kind, from, name }: Entry): ReadonlyMap<string, string> {
    if (kind === "message") return here;
    const next = new Map(here);
    if (kind === "joined") next.set(from, name ?? from);
    else next.delete(from);
    return next;
}

function chosen(state: State, place: Place): State {
    // The line before what was new is gone when one has been elsewhere.
    const left = place === state.place ? state.unread : without(state.unread, state.place);
    return { ...state, place, users: withUser(state.users, place), unread: seen(left, place) };
}

function seen(unread: State["unread"], place: Place): State["unread"] {
    const there = unread[place];
    return there === undefined ? unread : { ...unread, [place]: { ...there, count: 0 } };
}

function without(unread: State["unread"], place: Place): State["unread"] {
    return Object.fromEntries(Object.entries(unread).filter(([key]) => key !== place));
}

function withUser(users: readonly string[], place: Place): readonly string[] {
    if (!place.startsWith("user:")) return users;
    const user = place.slice("user:".length);
    return users.includes(user) ? users : [...users, user];
}
