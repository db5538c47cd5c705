import type { JSX } from "preact";
import type { Session } from "../session/session.ts";
import type { Place, State } from "../state/types.ts";
import { hubOf, userOf } from "../state/view.ts";

interface Props {
    readonly state: State;
    readonly session: Session;
    readonly place: Place;
    /** Whether nothing has been said yet. */
    readonly nothing: boolean;
}

/** What stands where nothing has been said yet; in development also what there is to try. */
export function Empty({ state, session, place, nothing }: Props): JSX.Element | null {
    const user = userOf(place);
    const [other] = state.users;
    const guides = hubOf(place) !== undefined && session.info.development && other !== undefined;
    if (!nothing && !guides) return null;
    if (place === "programs") {
        return <p class="empty faint">Nothing yet. What a program sends to {state.me?.userId} appears here.</p>;
    }
    if (user !== undefined) return <p class="empty faint">Nothing has been said yet between you and {user}.</p>;
    if (!guides) {
        return <p class="empty faint">Nothing has been said yet.</p>;
    }
    return (
        <section class="empty guide" aria-labelledby="guide">
            <h2 id="guide">See for yourself</h2>
            <ol>
                <li>
                    <a href="/" target="_blank" rel="noopener">
                        Open a second tab
                    </a>{" "}
                    and log in there as {other}. Say hello: everybody who is here hears it.
                </li>
                <li>
                    In this tab press <strong>Go offline</strong>.
                </li>
                <li>
                    In the other tab choose <strong>{state.me?.userId}</strong> in the list of people, and write a few
                    messages. They are held.
                </li>
                <li>
                    Come back here and press <strong>Come back</strong>. They are all there, in order.
                </li>
            </ol>
        </section>
    );
}
