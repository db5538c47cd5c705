import { merge, withDelivery } from "./entries.ts";
import type { Connection, Conversation, Delivery, Entry, History, Me, State } from "./types.ts";

/** Events that change the state. */
export type Event =
    | {
          readonly type: "logged-in";
          readonly me: Me;
          /** Name of the hub of everyone, if there is one. */
          readonly everyone: string | null;
          /** Users to suggest a conversation with. */
          readonly users: readonly string[];
      }
    | { readonly type: "logged-out" }
    /** The gateway told the user's identity. */
    | { readonly type: "identified"; readonly me: Omit<Me, "guest">; readonly hubs: readonly string[] }
    | { readonly type: "connection"; readonly connection: Connection }
    | { readonly type: "arrived"; readonly entry: Entry; readonly replayed: boolean }
    | { readonly type: "history-loaded"; readonly entries: readonly Entry[]; readonly history: History }
    | { readonly type: "history"; readonly history: History }
    /** The connected members of the main hub. */
    | { readonly type: "members"; readonly users: readonly string[] }
    | { readonly type: "written"; readonly entry: Entry }
    | { readonly type: "delivery"; readonly key: string; readonly delivery: Delivery; readonly id?: string }
    | { readonly type: "discarded"; readonly key: string }
    | { readonly type: "selected"; readonly conversation: Conversation }
    | { readonly type: "visibility"; readonly hidden: boolean };

/** State before the first login. */
export const initial: State = {
    me: undefined,
    connection: { status: "connecting", failures: 0 },
    hubs: [],
    online: new Map(),
    onlineIsComplete: false,
    entries: [],
    users: [],
    conversation: "programs",
    hidden: false,
    unread: {},
    unseen: 0,
    history: { status: "unknown" },
    absences: [],
};

/** Returns the state after an event. */
export function reduce(state: State, event: Event): State {
    switch (event.type) {
        case "logged-in": {
            const { me, everyone } = event;
            const users = event.users.filter((user) => user !== me.userId);
            const [first] = users;
            const withoutHub: Conversation = first === undefined ? "programs" : `user:${first}`;
            const conversation: Conversation = everyone === null ? withoutHub : `hub:${everyone}`;
            const hubs = everyone === null ? [] : [everyone];
            return { ...initial, hidden: state.hidden, me, users, hubs, conversation };
        }
        case "logged-out":
            return { ...initial, hidden: state.hidden };
        case "identified":
            return identified(state, event.me, event.hubs);
        case "connection":
            return connectionChanged(state, event.connection);
        case "arrived":
            return arrived(state, event.entry, event.replayed);
        case "history-loaded": {
            const entries = merge(state.entries, event.entries, state.me?.userId ?? "");
            const users = event.entries.reduce((known, entry) => withUser(known, entry.conversation), state.users);
            return { ...state, entries, users, history: event.history };
        }
        case "history":
            return { ...state, history: event.history };
        case "members": {
            const others = event.users.filter((user) => user !== state.me?.userId);
            const online = new Map(others.map((user) => [user, state.online.get(user) ?? user]));
            return { ...state, online, onlineIsComplete: true };
        }
        case "written": {
            // A user who answers has read the conversation.
            const unread = without(state.unread, event.entry.conversation);
            const users = withUser(state.users, event.entry.conversation);
            return { ...state, users, unread, entries: [...state.entries, event.entry] };
        }
        case "delivery":
            return { ...state, entries: withDelivery(state.entries, event.key, event.delivery, event.id) };
        case "discarded":
            return { ...state, entries: state.entries.filter(({ key }) => key !== event.key) };
        case "selected":
            return selected(state, event.conversation);
        case "visibility":
            return event.hidden
                ? { ...state, hidden: true }
                : { ...state, hidden: false, unseen: 0, unread: markRead(state.unread, state.conversation) };
    }
}

function identified(state: State, identity: Omit<Me, "guest">, hubs: readonly string[]): State {
    if (state.me === undefined) return state;
    const me = { guest: state.me.guest, ...identity };
    const users = state.users.filter((user) => user !== identity.userId);
    const [hub] = hubs;
    const conversation =
        state.conversation === "programs" && hub !== undefined ? (`hub:${hub}` as const) : state.conversation;
    return { ...state, me, users, conversation, hubs: [...new Set([...state.hubs, ...hubs])] };
}

/** Applies a change of the connection. An absence ends when a connection opens. */
function connectionChanged(state: State, connection: Connection): State {
    const before = state.connection;
    if (connection.status === "open") {
        // A rotation replaces the connection without an absence.
        if (before.status === "open") return state;
        const since = before.status === "connecting" ? undefined : before.since;
        const after = state.entries.findLast(({ sequence }) => sequence !== undefined)?.sequence;
        const absence = {
            until: connection.since,
            ...(since === undefined ? {} : { since }),
            ...(after === undefined ? {} : { after }),
        };
        return { ...state, connection, absences: [...state.absences, absence] };
    }
    const disconnected = { ...state, online: new Map<string, string>(), onlineIsComplete: false };
    if (before.status === "open") return { ...disconnected, connection };
    // While the client reconnects, the absence keeps its start.
    if (before.status === "lost" && connection.status === "lost") {
        return { ...disconnected, connection: { ...connection, since: before.since } };
    }
    if (before.status !== "connecting" && connection.status === "connecting") {
        const { failures } = connection;
        return { ...disconnected, connection: { status: "lost", since: before.since, reason: "", failures } };
    }
    return { ...disconnected, connection };
}

function arrived(state: State, received: Entry, replayed: boolean): State {
    const me = state.me?.userId ?? "";
    const absence = state.absences.length;
    const entry = replayed && absence > 0 && received.from !== me ? { ...received, absence } : received;
    const entries = merge(state.entries, [entry], me);
    const online = updatePresence(state.online, entry);
    if (entries === state.entries) return { ...state, online };
    const next = { ...state, entries, online, users: withUser(state.users, entry.conversation) };
    if (entry.kind !== "message" || entry.from === me) return next;
    const unseen = state.hidden ? state.unseen + 1 : state.unseen;
    if (entry.conversation === state.conversation && !state.hidden) return { ...next, unseen };
    const before = state.unread[entry.conversation];
    const isFirst = before === undefined || before.count === 0;
    const unread = isFirst ? { count: 1, first: entry.key } : { ...before, count: before.count + 1 };
    return { ...next, unseen, unread: { ...state.unread, [entry.conversation]: unread } };
}

/** Returns the online users after a presence entry. */
function updatePresence(online: ReadonlyMap<string, string>, { kind, from, name }: Entry): ReadonlyMap<string, string> {
    if (kind === "message") return online;
    const next = new Map(online);
    if (kind === "joined") next.set(from, name ?? from);
    else next.delete(from);
    return next;
}

function selected(state: State, conversation: Conversation): State {
    // The divider before unread messages disappears when the user selects another conversation.
    const unread = conversation === state.conversation ? state.unread : without(state.unread, state.conversation);
    const users = withUser(state.users, conversation);
    return { ...state, conversation, users, unread: markRead(unread, conversation) };
}

function markRead(unread: State["unread"], conversation: Conversation): State["unread"] {
    const current = unread[conversation];
    return current === undefined ? unread : { ...unread, [conversation]: { ...current, count: 0 } };
}

function without(unread: State["unread"], conversation: Conversation): State["unread"] {
    return Object.fromEntries(Object.entries(unread).filter(([key]) => key !== conversation));
}

function withUser(users: readonly string[], conversation: Conversation): readonly string[] {
    if (!conversation.startsWith("user:")) return users;
    const user = conversation.slice("user:".length);
    return users.includes(user) ? users : [...users, user];
}
