import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import type { Session } from "../session/session.ts";
import type { Place, State } from "../state/types.ts";
import { nameOf, peopleOf } from "../state/view.ts";
import { SessionPanel } from "./session-panel.tsx";
import { WriteTo } from "./write-to.tsx";

interface Props {
    readonly state: State;
    readonly session: Session;
    readonly choose: (place: Place) => void;
    readonly close: () => void;
}

/** Who is here, what one may write in, and the session. */
export function Side({ state, session, choose, close }: Props): JSX.Element {
    const dialog = useRef<HTMLDialogElement>(null);
    const { everyone, sending } = session.info;
    const { me, hubs, entries, hereIsKnown } = state;
    const people = peopleOf(state);
    const here = people.filter((person) => person.here);
    const away = people.filter((person) => !person.here);
    const programs = sending === "off" || entries.some(({ place }) => place === "programs");
    const item = (place: Place): JSX.Element => (
        <Item key={place} state={state} place={place} everyone={everyone} choose={choose} />
    );

    return (
        <aside class="side" id="side" aria-label="People and session">
            <header class="side-head">
                <p class="wordmark">Tidings</p>
                <p>
                    <span class="faint">{me?.guest === true ? "You are a guest:" : "You are"}</span>{" "}
                    <strong class="me" title={me?.userId}>
                        {me?.name ?? me?.userId}
                    </strong>
                </p>
                <button type="button" class="quiet from-side" onClick={close}>
                    Back to the conversation
                </button>
            </header>
            <nav class="places" aria-label="Conversations">
                {(hubs.length > 0 || programs) && (
                    <ul>
                        {hubs.map((hub) => item(`hub:${hub}`))}
                        {programs && item("programs")}
                    </ul>
                )}
                <h2>
                    {hereIsKnown ? "Here now" : "People"}
                    {hereIsKnown && <span class="faint numbers"> {here.length}</span>}
                </h2>
                {hereIsKnown && here.length === 0 && <p class="nobody faint">Nobody else</p>}
                <ul>{(hereIsKnown ? here : people).map(({ user }) => item(`user:${user}`))}</ul>
                {hereIsKnown && away.length > 0 && (
                    <>
                        <h2>Away</h2>
                        <ul>{away.map(({ user }) => item(`user:${user}`))}</ul>
                    </>
                )}
                {sending !== "off" && (
                    <button type="button" class="quiet" onClick={() => dialog.current?.showModal()}>
                        Write to someone else…
                    </button>
                )}
            </nav>
            <SessionPanel state={state} session={session} />
            <WriteTo dialog={dialog} people={people.map(({ user }) => user)} choose={choose} />
        </aside>
    );
}

interface ItemProps {
    readonly state: State;
    readonly place: Place;
    readonly everyone: string | null;
    readonly choose: (place: Place) => void;
}

function Item({ state, place, everyone, choose }: ItemProps): JSX.Element {
    const unread = state.unread[place]?.count ?? 0;
    return (
        <li>
            <button
                type="button"
                class="place"
                aria-current={state.place === place ? "true" : undefined}
                onClick={() => {
                    choose(place);
                }}
            >
                <span class="place-name">{nameOf(state, place, everyone)}</span>
                {unread > 0 && (
                    <span class="badge">
                        {unread}
                        <span class="visually-hidden"> unread</span>
                    </span>
                )}
            </button>
        </li>
    );
}
