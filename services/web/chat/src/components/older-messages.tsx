import type { JSX } from "preact";
import type { State } from "../state/types.ts";

interface Props {
    readonly state: State;
    /** True if the page has older messages that are not shown. */
    readonly more: boolean;
    readonly show: () => void;
}

/** The top of the message list: a button for older messages, or the reason why there are none. */
export function OlderMessages({ state: { history }, more, show }: Props): JSX.Element | null {
    if (history.status !== "loaded") {
        return history.status === "loading" ? <p class="older faint">Loading older messages…</p> : null;
    }
    if (more || history.next !== undefined) {
        return (
            <p class="older">
                <button type="button" class="quiet" onClick={show}>
                    Show older messages
                </button>
            </p>
        );
    }
    switch (history.unavailable) {
        case "off":
            return <p class="older faint">This server keeps no history: a reload clears the messages.</p>;
        case "no-payloads":
            return <p class="older faint">This server’s history has no message texts, so older messages can’t be shown.</p>;
        case "failed":
            return (
                <p class="older">
                    <span class="faint">Older messages can’t be loaded. </span>
                    <button type="button" class="quiet" onClick={show}>
                        Try again
                    </button>
                </p>
            );
        default:
            return null;
    }
}
