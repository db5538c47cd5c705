import { duration, timeOfDay } from "@tidings/common/format";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Session } from "../session/session.ts";
import type { Event } from "../state/reducer.ts";
import { type Row, rowsOf, userOf } from "../state/selectors.ts";
import type { Absence, Conversation, Entry, State } from "../state/types.ts";
import type { Store } from "../store.ts";
import { EmptyConversation } from "./empty-conversation.tsx";
import { Message } from "./message.tsx";
import { OlderMessages } from "./older-messages.tsx";

interface Props {
    readonly state: State;
    readonly session: Session;
    readonly store: Store<State, Event>;
    readonly title: string;
    readonly select: (conversation: Conversation) => void;
}

/** Number of entries shown at first, and added by each "Show older messages". */
const PAGE = 200;

/** Distance from the end at which the list still follows new messages, in pixels. */
const NEAR_END = 80;

const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

/** The messages of a conversation. The list follows new messages while it is scrolled to the end. */
export function MessageList({ state, session, store, title, select }: Props): JSX.Element {
    const box = useRef<HTMLDivElement>(null);
    const follows = useRef(true);
    const [newBelow, setNewBelow] = useState(false);
    const [limit, setLimit] = useState(PAGE);
    const { conversation } = state;
    const { rows, more } = rowsOf(state, conversation, limit);
    const last = rows.at(-1)?.key;
    const lastOwn = rows.findLast((row) => row.type === "entry" && isOwn(row.entry, state));

    // After an absence, scroll to the first held message instead of the end.
    const newest = state.entries.findLast((entry) => entry.conversation === conversation);
    const endsWithHeld = rows.at(-1)?.type === "entry" && newest?.absence !== undefined;

    useLayoutEffect(() => {
        if (follows.current) scrollToEnd(box.current, endsWithHeld);
        else if (rows.length > 0) setNewBelow(true);
    }, [last, rows.length]);
    useEffect(() => {
        const list = box.current;
        if (list === null) return undefined;
        // The height changes with the composer, and with the keyboard of a touch screen.
        const observer = new ResizeObserver(() => {
            if (follows.current) scrollToEnd(list, false);
        });
        observer.observe(list);
        return () => {
            observer.disconnect();
        };
    }, []);

    return (
        <div class="message-list-frame">
            <div
                ref={box}
                class="message-list"
                role="log"
                aria-label={`Messages: ${title}`}
                tabIndex={0}
                onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
                    follows.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
                    if (follows.current) setNewBelow(false);
                }}
            >
                <OlderMessages
                    state={state}
                    more={more}
                    show={() => {
                        follows.current = false;
                        if (more) setLimit(limit + PAGE);
                        else void session.loadOlder();
                    }}
                />
                <EmptyConversation
                    state={state}
                    session={session}
                    conversation={conversation}
                    isEmpty={rows.length === 0}
                />
                {rows.map((row) => (
                    <RowView key={row.key} row={row}>
                        {(entry, startsGroup) => (
                            <Message
                                entry={entry}
                                startsGroup={startsGroup}
                                own={entry.from === state.me?.userId}
                                isLatestOwn={row === lastOwn}
                                heldFor={offlineRecipient(state, conversation)}
                                retry={() => {
                                    session.retry(entry.key);
                                }}
                                discard={() => {
                                    store.dispatch({ type: "discarded", key: entry.key });
                                }}
                                writeToSender={() => {
                                    select(`user:${entry.from}`);
                                }}
                            />
                        )}
                    </RowView>
                ))}
            </div>
            {newBelow && (
                <button
                    type="button"
                    class="to-newest"
                    onClick={() => {
                        follows.current = true;
                        box.current?.scrollTo({ top: box.current.scrollHeight });
                        setNewBelow(false);
                    }}
                >
                    Show newest messages
                </button>
            )}
        </div>
    );
}

/** Scrolls to the end, or to the last divider before held messages. */
function scrollToEnd(list: HTMLElement | null, toHeldDivider: boolean): void {
    if (list === null) return;
    const end = list.scrollHeight - list.clientHeight;
    const dividers = list.querySelectorAll<HTMLElement>("[data-held]");
    const divider = toHeldDivider ? dividers[dividers.length - 1] : undefined;
    list.scrollTop = divider === undefined ? end : Math.min(end, divider.offsetTop);
}

interface RowProps {
    readonly row: Row;
    readonly children: (entry: Entry, startsGroup: boolean) => JSX.Element;
}

function RowView({ row, children }: RowProps): JSX.Element {
    switch (row.type) {
        case "day":
            return (
                <h2 class="divider day">
                    <span>{weekday.format(row.at)}</span>
                </h2>
            );
        case "unread":
            return (
                <p class="divider unread">
                    <span>New messages</span>
                </p>
            );
        case "held":
            return (
                <div class="divider held" data-held>
                    <strong>
                        {row.count === 1 ? "1 message was" : `${row.count} messages were`} held while you were offline
                    </strong>
                    <span class="faint">{periodOf(row.absence)}</span>
                </div>
            );
        case "missed":
            return (
                <p class="divider missed">
                    <span>{missedDuring(row.absence)}</span>
                </p>
            );
        case "live":
            return (
                <p class="divider live">
                    <span>Live messages</span>
                </p>
            );
        case "entry":
            return children(row.entry, row.startsGroup);
    }
}

function periodOf({ since, until }: Absence): string {
    if (since === undefined) return `until ${timeOfDay(until)}`;
    return `from ${timeOfDay(since)}, for ${duration(until - since)}`;
}

function missedDuring({ since, until }: Absence): string {
    const length = since === undefined ? "" : ` for ${duration(until - since)}`;
    return `You were offline${length}. Messages sent here meanwhile were not held.`;
}

function isOwn(entry: Entry, { me }: State): boolean {
    return entry.kind === "message" && entry.from === me?.userId;
}

/** Returns the recipient of a direct conversation if they are known to be offline. */
function offlineRecipient({ online, onlineIsComplete, me }: State, conversation: Conversation): string | undefined {
    const user = userOf(conversation);
    if (user === undefined || user === me?.userId) return undefined;
    return onlineIsComplete && !online.has(user) ? user : undefined;
}
