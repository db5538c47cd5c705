import type { JSX } from "preact";
import { titleOf } from "../state/selectors.ts";
import type { Conversation, State } from "../state/types.ts";

interface Props {
    readonly state: State;
    readonly everyone: string | null;
    readonly select: (conversation: Conversation) => void;
}

/** Links to the other conversations with unread messages that were held during the last absence. */
export function HeldMessagesBanner({ state, everyone, select }: Props): JSX.Element | null {
    const lastAbsence = state.absences.length;
    const counts = new Map<Conversation, number>();
    for (const { conversation, absence } of state.entries) {
        const unread = (state.unread[conversation]?.count ?? 0) > 0 && conversation !== state.conversation;
        if (absence === lastAbsence && unread) counts.set(conversation, (counts.get(conversation) ?? 0) + 1);
    }
    if (counts.size === 0 || state.connection.status !== "open") return null;
    const sum = [...counts.values()].reduce((total, count) => total + count, 0);
    return (
        <section class="banner held-messages" aria-label="Held messages">
            <p>
                <strong>{sum === 1 ? "1 message was" : `${sum} messages were`} held while you were offline.</strong>
            </p>
            {[...counts].map(([conversation, count]) => (
                <button
                    type="button"
                    key={conversation}
                    onClick={() => {
                        select(conversation);
                    }}
                >
                    Read {count} from {titleOf(state, conversation, everyone)}
                </button>
            ))}
        </section>
    );
}
