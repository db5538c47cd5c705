import type { Absence, Entry, Place, State } from "./types.ts";

/** What is shown of a conversation, from top to bottom. */
export type Line =
    | { readonly type: "day"; readonly key: string; readonly at: number }
    | { readonly type: "held"; readonly key: string; readonly count: number; readonly absence: Absence }
    | { readonly type: "caught-up"; readonly key: string }
    | { readonly type: "unread"; readonly key: string }
    /** Of what a hub was told in an absence nothing is here. */
    | { readonly type: "missed"; readonly key: string; readonly absence: Absence }
    | {
          readonly type: "entry";
          readonly key: string;
          readonly entry: Entry;
          /** Whether it needs a name and time: it doesn't go on from the one before. */
          readonly heads: boolean;
      };

/** How long one may pause and still go on, in milliseconds. */
const PAUSE = 5 * 60_000;

/** The last `most` entries of a conversation, with what divides them. */
export function linesOf(state: State, place: Place, most: number): { lines: readonly Line[]; more: boolean } {
    const all = state.entries.filter((entry) => entry.place === place);
    const shown = all.slice(-most);
    const first = state.unread[place]?.first;
    const lines: Line[] = [];
    const missed = hubOf(place) === undefined ? [] : state.absences.filter(({ since }) => since !== undefined);
    let before: Entry | undefined;
    for (const entry of shown) {
        const { key, absence, at } = entry;
        const gaps = missed.splice(0, missed.findLastIndex((gap) => comesAfter(entry, gap)) + 1);
        lines.push(...lineOf(gaps));
        const day = before === undefined || dayOf(before.at) !== dayOf(at);
        const held = absence !== undefined && absence !== before?.absence;
        const caughtUp = absence === undefined && before?.absence !== undefined;
        if (day) lines.push({ type: "day", key: `day ${key}`, at });
        const of = absence === undefined ? undefined : state.absences[absence - 1];
        if (held && of !== undefined) {
            const count = all.filter((other) => other.absence === absence).length;
            lines.push({ type: "held", key: `held ${key}`, count, absence: of });
        } else if (key === first) {
            lines.push({ type: "unread", key: `unread ${key}` });
        } else if (caughtUp) {
            lines.push({ type: "caught-up", key: `caught up ${key}` });
        }
        const divided = gaps.length > 0 || day || held || caughtUp || key === first;
        lines.push({ type: "entry", key, entry, heads: divided || !goesOn(before, entry) });
        before = entry;
    }
    lines.push(...lineOf(missed));
    return { lines, more: all.length > shown.length };
}

function comesAfter({ sequence }: Entry, { after }: Absence): boolean {
    return sequence === undefined || after === undefined || sequence > after;
}

/** The last of several absences in which nothing was heard stands for all. */
function lineOf(absences: readonly Absence[]): readonly Line[] {
    const absence = absences.at(-1);
    return absence === undefined ? [] : [{ type: "missed", key: `missed ${absence.until}`, absence }];
}

function goesOn(before: Entry | undefined, { kind, from, at }: Entry): boolean {
    return before?.kind === "message" && kind === "message" && before.from === from && at - before.at < PAUSE;
}

function dayOf(at: number): string {
    return new Date(at).toDateString();
}

/** What a conversation is called. */
export function nameOf(state: State, place: Place, everyone: string | null): string {
    if (place === "programs") return "From programs";
    const name = place.slice(place.indexOf(":") + 1);
    if (place.startsWith("hub:")) return name === everyone ? "Everyone" : name;
    return state.here.get(name) ?? name;
}

/** The user a conversation is with, if it is with one. */
export function userOf(place: Place): string | undefined {
    return place.startsWith("user:") ? place.slice("user:".length) : undefined;
}

/** The hub a conversation is in, if it is in one. */
export function hubOf(place: Place): string | undefined {
    return place.startsWith("hub:") ? place.slice("hub:".length) : undefined;
}

/** Those one may write to: who is here first, each group by name. */
export function peopleOf(state: State): readonly { readonly user: string; readonly here: boolean }[] {
    const users = new Set([...state.here.keys(), ...state.users]);
    return [...users]
        .map((user) => ({ user, here: state.here.has(user) }))
        .sort((a, b) => Number(b.here) - Number(a.here) || a.user.localeCompare(b.user));
}

/** The page's title: what came while nobody looked counts. */
export function titleOf({ me, unseen }: State): string {
    if (me === undefined) return "Tidings";
    const name = `Tidings: ${me.name ?? me.userId}`;
    return unseen > 0 ? `(${unseen}) ${name}` : name;
}

/** How many messages an absence has held, in all conversations. */
export function heldIn(state: State, absence: number): number {
    return state.entries.filter((entry) => entry.absence === absence).length;
}
