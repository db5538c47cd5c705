import type { Absence, Conversation, Entry, State } from "./types.ts";

/** A row of the message list, from top to bottom. */
export type Row =
    | { readonly type: "day"; readonly key: string; readonly at: number }
    | { readonly type: "held"; readonly key: string; readonly count: number; readonly absence: Absence }
    | { readonly type: "live"; readonly key: string }
    | { readonly type: "unread"; readonly key: string }
    /** Messages of a hub that were sent during an absence are missing here. */
    | { readonly type: "missed"; readonly key: string; readonly absence: Absence }
    | {
          readonly type: "entry";
          readonly key: string;
          readonly entry: Entry;
          /** True if the entry starts a group and needs a sender and a time. */
          readonly startsGroup: boolean;
      };

/** Longest pause within a group of messages of one sender, in milliseconds. */
const GROUP_PAUSE = 5 * 60_000;

/**
 * Returns the last `limit` entries of a conversation with the dividers between them. `more` is true if there are older
 * entries.
 */
export function rowsOf(state: State, conversation: Conversation, limit: number): { rows: readonly Row[]; more: boolean } {
    const all = state.entries.filter((entry) => entry.conversation === conversation);
    const shown = all.slice(-limit);
    const firstUnread = state.unread[conversation]?.first;
    const rows: Row[] = [];
    const missed = hubOf(conversation) === undefined ? [] : state.absences.filter(({ since }) => since !== undefined);
    let previous: Entry | undefined;
    for (const entry of shown) {
        const { key, absence, at } = entry;
        const gaps = missed.splice(0, missed.findLastIndex((gap) => comesAfter(entry, gap)) + 1);
        rows.push(...missedRow(gaps));
        const newDay = previous === undefined || dayOf(previous.at) !== dayOf(at);
        const startsHeld = absence !== undefined && absence !== previous?.absence;
        const endsHeld = absence === undefined && previous?.absence !== undefined;
        if (newDay) rows.push({ type: "day", key: `day ${key}`, at });
        const during = absence === undefined ? undefined : state.absences[absence - 1];
        if (startsHeld && during !== undefined) {
            const count = all.filter((other) => other.absence === absence).length;
            rows.push({ type: "held", key: `held ${key}`, count, absence: during });
        } else if (key === firstUnread) {
            rows.push({ type: "unread", key: `unread ${key}` });
        } else if (endsHeld) {
            rows.push({ type: "live", key: `live ${key}` });
        }
        const divided = gaps.length > 0 || newDay || startsHeld || endsHeld || key === firstUnread;
        rows.push({ type: "entry", key, entry, startsGroup: divided || !continuesGroup(previous, entry) });
        previous = entry;
    }
    rows.push(...missedRow(missed));
    return { rows, more: all.length > shown.length };
}

function comesAfter({ sequence }: Entry, { after }: Absence): boolean {
    return sequence === undefined || after === undefined || sequence > after;
}

/** Returns one row for several absences without an entry between them: that of the last. */
function missedRow(absences: readonly Absence[]): readonly Row[] {
    const absence = absences.at(-1);
    return absence === undefined ? [] : [{ type: "missed", key: `missed ${absence.until}`, absence }];
}

function continuesGroup(previous: Entry | undefined, { kind, from, at }: Entry): boolean {
    if (previous?.kind !== "message" || kind !== "message") return false;
    return previous.from === from && at - previous.at < GROUP_PAUSE;
}

function dayOf(at: number): string {
    return new Date(at).toDateString();
}

/** Returns the title of a conversation. */
export function titleOf(state: State, conversation: Conversation, everyone: string | null): string {
    if (conversation === "programs") return "From programs";
    const name = conversation.slice(conversation.indexOf(":") + 1);
    if (conversation.startsWith("hub:")) return name === everyone ? "Everyone" : name;
    return state.online.get(name) ?? name;
}

/** Returns the user that a conversation is with, or `undefined` for other conversations. */
export function userOf(conversation: Conversation): string | undefined {
    return conversation.startsWith("user:") ? conversation.slice("user:".length) : undefined;
}

/** Returns the hub of a conversation, or `undefined` for other conversations. */
export function hubOf(conversation: Conversation): string | undefined {
    return conversation.startsWith("hub:") ? conversation.slice("hub:".length) : undefined;
}

/** Returns the users with a conversation or online, online users first, each group by name. */
export function peopleOf(state: State): readonly { readonly user: string; readonly online: boolean }[] {
    const users = new Set([...state.online.keys(), ...state.users]);
    return [...users]
        .map((user) => ({ user, online: state.online.has(user) }))
        .sort((a, b) => Number(b.online) - Number(a.online) || a.user.localeCompare(b.user));
}

/** Returns the title of the page, with the number of unseen messages. */
export function pageTitle({ me, unseen }: State): string {
    if (me === undefined) return "Tidings";
    const name = `Tidings: ${me.name ?? me.userId}`;
    return unseen > 0 ? `(${unseen}) ${name}` : name;
}

/** Returns the number of messages held during an absence, in all conversations. */
export function heldDuring(state: State, absence: number): number {
    return state.entries.filter((entry) => entry.absence === absence).length;
}
