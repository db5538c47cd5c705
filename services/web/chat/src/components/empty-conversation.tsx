import type { JSX } from "preact";
import type { Session } from "../session/session.ts";
import { hubOf, userOf } from "../state/selectors.ts";
import type { Conversation, State } from "../state/types.ts";

interface Props {
    readonly state: State;
    readonly session: Session;
    readonly conversation: Conversation;
    /** True if the conversation has no messages. */
    readonly isEmpty: boolean;
}

/** Placeholder of a conversation without messages. In development mode, hubs always show a guide here. */
export function EmptyConversation({ state, session, conversation, isEmpty }: Props): JSX.Element | null {
    const user = userOf(conversation);
    const [other] = state.users;
    const showGuide = hubOf(conversation) !== undefined && session.info.development && other !== undefined;
    if (!isEmpty && !showGuide) return null;
    if (conversation === "programs") {
        return <p class="empty faint">No notifications yet. Those that programs send to {state.me?.userId} appear here.</p>;
    }
    if (user !== undefined) return <p class="empty faint">No messages between you and {user} yet.</p>;
    if (!showGuide) {
        return <p class="empty faint">No messages yet.</p>;
    }
    return (
        <section class="empty guide" aria-labelledby="guide">
            <h2 id="guide">Try it</h2>
            <ol>
                <li>
                    <a href="./" target="_blank" rel="noopener">
                        Open a second tab
                    </a>{" "}
                    and log in there as {other}. Send a message: everyone who is online sees it.
                </li>
                <li>
                    In this tab, press <strong>Go offline</strong>.
                </li>
                <li>
                    In the other tab, choose <strong>{state.me?.userId}</strong> in the list of people and send a few
                    messages. They are held.
                </li>
                <li>
                    In this tab, press <strong>Go online</strong>. All the messages arrive, in order.
                </li>
            </ol>
        </section>
    );
}
