import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Session } from "../session/session.ts";
import type { Event } from "../state/reducer.ts";
import type { Place, State } from "../state/types.ts";
import { heldIn, hubOf, nameOf, userOf } from "../state/view.ts";
import type { Store } from "../store.ts";
import { Band } from "./band.tsx";
import { Composer } from "./composer.tsx";
import { Log } from "./log.tsx";
import { Returned } from "./returned.tsx";
import { Side } from "./side.tsx";
import { Status } from "./status.tsx";

/** What of a message is not its text, in bytes. */
const AROUND = 2048;

interface Props {
    readonly session: Session;
    readonly store: Store<State, Event>;
    readonly state: State;
}

/** The page of somebody who is logged in. */
export function Chat({ session, store, state }: Props): JSX.Element {
    const [sideOpen, setSideOpen] = useState(false);
    const heading = useRef<HTMLHeadingElement>(null);
    const composer = useRef<HTMLTextAreaElement>(null);
    const drafts = useRef(new Map<Place, string>());
    const { place, link } = state;
    const { everyone, sending } = session.info;
    const name = nameOf(state, place, everyone);

    const away = link.status === "away";
    const choose = (chosen: Place): void => {
        store.dispatch({ type: "chosen", place: chosen });
        setSideOpen(false);
    };
    // Whoever has logged in, chosen a conversation or come back goes on with writing; on a touch screen that would
    // bring up a keyboard that nobody has asked for.
    useEffect(() => {
        const touch = matchMedia("(hover: none)").matches;
        if (!away) ((touch ? undefined : composer.current) ?? heading.current)?.focus();
    }, [place, away]);
    // On a small screen one of the two is shown; the focus goes along.
    const turned = useRef(false);
    useEffect(() => {
        if (sideOpen) document.querySelector<HTMLElement>(".from-side")?.focus();
        else if (turned.current) heading.current?.focus();
        turned.current = sideOpen;
    }, [sideOpen]);

    return (
        <div class={sideOpen ? "chat side-open" : "chat"}>
            <Side
                state={state}
                session={session}
                choose={choose}
                close={() => {
                    setSideOpen(false);
                }}
            />
            <main class="conversation">
                <header class="top">
                    <button
                        type="button"
                        class="quiet to-side"
                        aria-expanded={sideOpen}
                        aria-controls="side"
                        onClick={() => {
                            setSideOpen(!sideOpen);
                        }}
                    >
                        People<span class="visually-hidden"> and session</span>
                        <Count state={state} />
                    </button>
                    <div class="about">
                        <h1 ref={heading} tabIndex={-1}>
                            {name}
                        </h1>
                        <p class="faint">{about(state, place)}</p>
                    </div>
                    <Status
                        link={link}
                        leave={() => {
                            session.goOffline();
                        }}
                    />
                </header>
                <Band
                    link={link}
                    comeBack={() => {
                        session.comeBack();
                    }}
                />
                <Returned state={state} everyone={everyone} choose={choose} />
                <Log key={place} state={state} session={session} store={store} name={name} choose={choose} />
                <Composer
                    key={`to ${place}`}
                    field={composer}
                    name={name}
                    reason={reasonAgainst(state, place, sending)}
                    most={largest(session.info.maxMessageBytes, place)}
                    draft={drafts.current.get(place) ?? ""}
                    changed={(text) => drafts.current.set(place, text)}
                    write={(text) => {
                        session.write(place, text);
                    }}
                />
                <p class="visually-hidden" role="status">
                    {spoken(state)}
                </p>
            </main>
        </div>
    );
}

function Count({ state }: { readonly state: State }): JSX.Element | null {
    const count = Object.values(state.unread).reduce((sum, unread) => sum + (unread?.count ?? 0), 0);
    if (count === 0) return null;
    return (
        <span class="badge">
            {count}
            <span class="visually-hidden"> unread</span>
        </span>
    );
}

/** What a conversation is, in a line. */
function about(state: State, place: Place): string {
    const user = userOf(place);
    if (user !== undefined) {
        if (state.here.has(user)) return "Is here. Only the two of you see this.";
        return state.hereIsKnown
            ? "Is away. What you write is held, and arrives when they come back."
            : "Only the two of you see this. It is held while one is away.";
    }
    if (hubOf(place) === undefined) return "Notifications that programs send to you.";
    return "Heard by who is here right now. To reach someone who is away, write to them alone.";
}

function reasonAgainst(state: State, place: Place, sending: string): string | undefined {
    if (sending === "off") return "This server lets nobody write from here. What programs send to you arrives.";
    if (place === "programs") return "Programs can’t be written to from here.";
    return state.link.status === "away" ? "You are offline. Come back to write." : undefined;
}

/** The largest text, in bytes: what a hub is told has it twice. */
function largest(message: number, place: Place): number {
    return (message - AROUND) / (hubOf(place) === undefined ? 1 : 2);
}

/** What somebody who doesn't see the page is told. */
function spoken(state: State): string {
    const { link, absences } = state;
    if (link.status === "away") return "You are offline.";
    if (link.status === "lost") return "The connection is lost.";
    if (link.status === "connecting") return "Connecting.";
    const held = heldIn(state, absences.length);
    if (held === 0) return "Connected.";
    return `Connected. ${held === 1 ? "1 message was" : `${held} messages were`} held while you were away.`;
}
