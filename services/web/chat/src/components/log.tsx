import { duration, timeOfDay } from "@tidings/common/format";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Session } from "../session/session.ts";
import type { Event } from "../state/reducer.ts";
import type { Absence, Entry, Place, State } from "../state/types.ts";
import { type Line, linesOf, userOf } from "../state/view.ts";
import type { Store } from "../store.ts";
import { Empty } from "./empty.tsx";
import { Message } from "./message.tsx";
import { Before } from "./before.tsx";

interface Props {
    readonly state: State;
    readonly session: Session;
    readonly store: Store<State, Event>;
    readonly name: string;
    readonly choose: (place: Place) => void;
}

/** How many entries are shown at first, and how many more each time. */
const STEP = 200;

/** How far from the end still counts as being there, in pixels. */
const NEAR = 80;

const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

/** A conversation. */
export function Log({ state, session, store, name, choose }: Props): JSX.Element {
    const box = useRef<HTMLDivElement>(null);
    const follows = useRef(true);
    const [below, setBelow] = useState(false);
    const [most, setMost] = useState(STEP);
    const { place } = state;
    const { lines, more } = linesOf(state, place, most);
    const last = lines.at(-1)?.key;
    const lastOwn = lines.findLast((line) => line.type === "entry" && isOwn(line.entry, state));

    // Of much that was held, the beginning is shown and not the end.
    const catchesUp = lines.at(-1)?.type === "entry" && state.entries.findLast(inPlace(place))?.absence !== undefined;

    useLayoutEffect(() => {
        if (follows.current) toEnd(box.current, catchesUp);
        else if (lines.length > 0) setBelow(true);
    }, [last, lines.length]);
    useEffect(() => {
        const log = box.current;
        if (log === null) return undefined;
        // The place for it changes with what is written below, and with a keyboard on the screen.
        const observer = new ResizeObserver(() => {
            if (follows.current) toEnd(log, false);
        });
        observer.observe(log);
        return () => {
            observer.disconnect();
        };
    }, []);

    return (
        <div class="log-frame">
            <div
                ref={box}
                class="log"
                role="log"
                aria-label={`Messages: ${name}`}
                tabIndex={0}
                onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
                    follows.current = scrollHeight - scrollTop - clientHeight < NEAR;
                    if (follows.current) setBelow(false);
                }}
            >
                <Before
                    state={state}
                    more={more}
                    show={() => {
                        follows.current = false;
                        if (more) setMost(most + STEP);
                        else void session.older();
                    }}
                />
                <Empty state={state} session={session} place={place} nothing={lines.length === 0} />
                {lines.map((line) => (
                    <Row key={line.key} line={line}>
                        {(entry, heads) => (
                            <Message
                                entry={entry}
                                heads={heads}
                                own={entry.from === state.me?.userId}
                                latest={line === lastOwn}
                                awaits={awaited(state, place)}
                                retry={() => {
                                    session.retry(entry.key);
                                }}
                                discard={() => {
                                    store.dispatch({ type: "discarded", key: entry.key });
                                }}
                                write={() => {
                                    choose(`user:${entry.from}`);
                                }}
                            />
                        )}
                    </Row>
                ))}
            </div>
            {below && (
                <button
                    type="button"
                    class="below"
                    onClick={() => {
                        follows.current = true;
                        box.current?.scrollTo({ top: box.current.scrollHeight });
                        setBelow(false);
                    }}
                >
                    Show the newest messages
                </button>
            )}
        </div>
    );
}

function toEnd(log: HTMLElement | null, catchesUp: boolean): void {
    if (log === null) return;
    const end = log.scrollHeight - log.clientHeight;
    const dividers = log.querySelectorAll<HTMLElement>("[data-held]");
    const divider = catchesUp ? dividers[dividers.length - 1] : undefined;
    log.scrollTop = divider === undefined ? end : Math.min(end, divider.offsetTop);
}

function inPlace(place: Place): (entry: Entry) => boolean {
    return (entry) => entry.place === place;
}

interface RowProps {
    readonly line: Line;
    readonly children: (entry: Entry, heads: boolean) => JSX.Element;
}

function Row({ line, children }: RowProps): JSX.Element {
    switch (line.type) {
        case "day":
            return (
                <h2 class="divider day">
                    <span>{weekday.format(line.at)}</span>
                </h2>
            );
        case "unread":
            return (
                <p class="divider unread">
                    <span>New since you looked</span>
                </p>
            );
        case "held":
            return (
                <div class="divider held" data-held>
                    <strong>
                        {line.count === 1 ? "1 message was" : `${line.count} messages were`} held while you were away
                    </strong>
                    <span class="faint">{spanOf(line.absence)}</span>
                </div>
            );
        case "missed":
            return (
                <p class="divider missed">
                    <span>{missedIn(line.absence)}</span>
                </p>
            );
        case "caught-up":
            return (
                <p class="divider caught-up">
                    <span>From here on as it happens</span>
                </p>
            );
        case "entry":
            return children(line.entry, line.heads);
    }
}

function spanOf({ since, until }: Absence): string {
    if (since === undefined) return `until ${timeOfDay(until)}`;
    return `from ${timeOfDay(since)}, for ${duration(until - since)}`;
}

function missedIn({ since, until }: Absence): string {
    const length = since === undefined ? "" : ` for ${duration(until - since)}`;
    return `You were away${length}. What was said here meanwhile is not held`;
}

function isOwn(entry: Entry, { me }: State): boolean {
    return entry.kind === "message" && entry.from === me?.userId;
}

/** The name of who has to come back before what was written is delivered. */
function awaited({ here, hereIsKnown, me }: State, place: Place): string | undefined {
    const user = userOf(place);
    if (user === undefined || user === me?.userId) return undefined;
    return hereIsKnown && !here.has(user) ? user : undefined;
}
