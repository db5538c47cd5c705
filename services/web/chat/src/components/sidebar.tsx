import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import type { Session } from "../session/session.ts";
import { peopleOf, titleOf } from "../state/selectors.ts";
import type { Conversation, State } from "../state/types.ts";
import { NewConversation } from "./new-conversation.tsx";
import { SessionPanel } from "./session-panel.tsx";

interface Props {
    readonly state: State;
    readonly session: Session;
    readonly select: (conversation: Conversation) => void;
    readonly close: () => void;
}

/** The sidebar: the user, the conversations, the online and offline users, and the session. */
export function Sidebar({ state, session, select, close }: Props): JSX.Element {
    const dialog = useRef<HTMLDialogElement>(null);
    const { everyone, sending } = session.info;
    const { me, hubs, entries, onlineIsComplete } = state;
    const people = peopleOf(state);
    const online = people.filter((person) => person.online);
    const offline = people.filter((person) => !person.online);
    const hasPrograms = sending === "off" || entries.some(({ conversation }) => conversation === "programs");
    const item = (conversation: Conversation): JSX.Element => (
        <Item key={conversation} state={state} conversation={conversation} everyone={everyone} select={select} />
    );

    return (
        <aside class="sidebar" id="sidebar" aria-label="People and session">
            <header class="sidebar-head">
                <p class="wordmark">Tidings</p>
                <p>
                    <span class="faint">{me?.guest === true ? "You are a guest:" : "You are"}</span>{" "}
                    <strong class="me" title={me?.userId}>
                        {me?.name ?? me?.userId}
                    </strong>
                </p>
                <button type="button" class="quiet close-sidebar" onClick={close}>
                    Back to the conversation
                </button>
            </header>
            <nav class="conversations" aria-label="Conversations">
                {(hubs.length > 0 || hasPrograms) && (
                    <ul>
                        {hubs.map((hub) => item(`hub:${hub}`))}
                        {hasPrograms && item("programs")}
                    </ul>
                )}
                <h2>
                    {onlineIsComplete ? "Online" : "People"}
                    {onlineIsComplete && <span class="faint numbers"> {online.length}</span>}
                </h2>
                {onlineIsComplete && online.length === 0 && <p class="nobody faint">Nobody else</p>}
                <ul>{(onlineIsComplete ? online : people).map(({ user }) => item(`user:${user}`))}</ul>
                {onlineIsComplete && offline.length > 0 && (
                    <>
                        <h2>Offline</h2>
                        <ul>{offline.map(({ user }) => item(`user:${user}`))}</ul>
                    </>
                )}
                {sending !== "off" && (
                    <button type="button" class="quiet" onClick={() => dialog.current?.showModal()}>
                        Write to someone else…
                    </button>
                )}
            </nav>
            <SessionPanel state={state} session={session} />
            <NewConversation dialog={dialog} people={people.map(({ user }) => user)} select={select} />
        </aside>
    );
}

interface ItemProps {
    readonly state: State;
    readonly conversation: Conversation;
    readonly everyone: string | null;
    readonly select: (conversation: Conversation) => void;
}

function Item({ state, conversation, everyone, select }: ItemProps): JSX.Element {
    const unread = state.unread[conversation]?.count ?? 0;
    return (
        <li>
            <button
                type="button"
                class="item"
                aria-current={state.conversation === conversation ? "true" : undefined}
                onClick={() => {
                    select(conversation);
                }}
            >
                <span class="item-title">{titleOf(state, conversation, everyone)}</span>
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
