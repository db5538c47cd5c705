import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Session } from "../session/session.ts";
import type { Event } from "../state/reducer.ts";
import { heldDuring, hubOf, titleOf, userOf } from "../state/selectors.ts";
import type { Conversation, State } from "../state/types.ts";
import type { Store } from "../store.ts";
import { Composer } from "./composer.tsx";
import { ConnectionBanner } from "./connection-banner.tsx";
import { ConnectionStatus } from "./connection-status.tsx";
import { HeldMessagesBanner } from "./held-messages-banner.tsx";
import { MessageList } from "./message-list.tsx";
import { Sidebar } from "./sidebar.tsx";

/** Size of a message apart from its text, in bytes. */
const ENVELOPE_BYTES = 2048;

interface Props {
    readonly session: Session;
    readonly store: Store<State, Event>;
    readonly state: State;
}

/** The chat of a logged-in user: sidebar, message list and composer. */
export function Chat({ session, store, state }: Props): JSX.Element {
    const [sidebarOpen, setSidebarOpen] = useState(false);
    const heading = useRef<HTMLHeadingElement>(null);
    const composer = useRef<HTMLTextAreaElement>(null);
    const drafts = useRef(new Map<Conversation, string>());
    const { conversation, connection } = state;
    const { everyone, sending } = session.info;
    const title = titleOf(state, conversation, everyone);

    const offline = connection.status === "offline";
    const select = (selected: Conversation): void => {
        store.dispatch({ type: "selected", conversation: selected });
        setSidebarOpen(false);
    };
    // After logging in, selecting a conversation or going online, the user can type at once. On a touch screen, focus the
    // heading instead, because focusing the field would open the keyboard.
    useEffect(() => {
        const touch = matchMedia("(hover: none)").matches;
        if (!offline) ((touch ? undefined : composer.current) ?? heading.current)?.focus();
    }, [conversation, offline]);
    // A small screen shows either the sidebar or the conversation; the focus moves along.
    const wasOpen = useRef(false);
    useEffect(() => {
        if (sidebarOpen) document.querySelector<HTMLElement>(".close-sidebar")?.focus();
        else if (wasOpen.current) heading.current?.focus();
        wasOpen.current = sidebarOpen;
    }, [sidebarOpen]);

    return (
        <div class={sidebarOpen ? "chat sidebar-open" : "chat"}>
            <Sidebar
                state={state}
                session={session}
                select={select}
                close={() => {
                    setSidebarOpen(false);
                }}
            />
            <main class="conversation">
                <header class="top">
                    <button
                        type="button"
                        class="quiet open-sidebar"
                        aria-expanded={sidebarOpen}
                        aria-controls="sidebar"
                        onClick={() => {
                            setSidebarOpen(!sidebarOpen);
                        }}
                    >
                        People<span class="visually-hidden"> and session</span>
                        <UnreadBadge state={state} />
                    </button>
                    <div class="about">
                        <h1 ref={heading} tabIndex={-1}>
                            {title}
                        </h1>
                        <p class="faint">{describe(state, conversation)}</p>
                    </div>
                    <ConnectionStatus
                        connection={connection}
                        goOffline={() => {
                            session.goOffline();
                        }}
                    />
                </header>
                <ConnectionBanner
                    connection={connection}
                    goOnline={() => {
                        session.goOnline();
                    }}
                />
                <HeldMessagesBanner state={state} everyone={everyone} select={select} />
                <MessageList
                    key={conversation}
                    state={state}
                    session={session}
                    store={store}
                    title={title}
                    select={select}
                />
                <Composer
                    key={`to ${conversation}`}
                    field={composer}
                    recipient={title}
                    disabledReason={disabledReason(state, conversation, sending)}
                    maxBytes={maxTextBytes(session.info.maxMessageBytes, conversation)}
                    draft={drafts.current.get(conversation) ?? ""}
                    onChange={(text) => drafts.current.set(conversation, text)}
                    send={(text) => {
                        session.send(conversation, text);
                    }}
                />
                <p class="visually-hidden" role="status">
                    {announcement(state)}
                </p>
            </main>
        </div>
    );
}

function UnreadBadge({ state }: { readonly state: State }): JSX.Element | null {
    const count = Object.values(state.unread).reduce((sum, unread) => sum + (unread?.count ?? 0), 0);
    if (count === 0) return null;
    return (
        <span class="badge">
            {count}
            <span class="visually-hidden"> unread</span>
        </span>
    );
}

/** Says who gets the messages of a conversation, and when. */
function describe(state: State, conversation: Conversation): string {
    const user = userOf(conversation);
    if (user !== undefined) {
        if (state.online.has(user)) return "Online. Only the two of you see this.";
        return state.onlineIsComplete
            ? "Offline. Your messages are held until they come back."
            : "Only the two of you see this. Messages are held while one of you is offline.";
    }
    if (hubOf(conversation) === undefined) return "Notifications that programs send to you.";
    return "Everyone who is online sees this. Write to offline users directly.";
}

function disabledReason(state: State, conversation: Conversation, sending: string): string | undefined {
    if (sending === "off") return "Users can’t send messages on this server. Notifications from programs still arrive.";
    if (conversation === "programs") return "You can’t reply to programs.";
    return state.connection.status === "offline" ? "You are offline. Go online to write." : undefined;
}

/** Returns the maximum size of a text, in bytes. A message to a hub contains the text twice. */
function maxTextBytes(maxMessageBytes: number, conversation: Conversation): number {
    return (maxMessageBytes - ENVELOPE_BYTES) / (hubOf(conversation) === undefined ? 1 : 2);
}

/** Returns the state of the connection for screen readers. */
function announcement(state: State): string {
    const { connection, absences } = state;
    if (connection.status === "offline") return "You are offline.";
    if (connection.status === "lost") return "Connection lost.";
    if (connection.status === "connecting") return "Connecting.";
    const held = heldDuring(state, absences.length);
    if (held === 0) return "Connected.";
    return `Connected. ${held === 1 ? "1 message was" : `${held} messages were`} held while you were offline.`;
}
