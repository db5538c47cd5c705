import type { JSX } from "preact";
import type { State } from "../state/types.ts";

interface Props {
    readonly state: State;
    /** Whether there is more in the page already. */
    readonly more: boolean;
    readonly show: () => void;
}

/** What there is before the first message: the way to older ones, or why there are none. */
export function Before({ state: { past }, more, show }: Props): JSX.Element | null {
    if (past.status !== "known") {
        return past.status === "loading" ? <p class="before faint">Looking for older messages…</p> : null;
    }
    if (more || past.next !== undefined) {
        return (
            <p class="before">
                <button type="button" class="quiet" onClick={show}>
                    Show older messages
                </button>
            </p>
        );
    }
    switch (past.without) {
        case "off":
            return <p class="before faint">This server keeps no messages that were read: a reload begins anew.</p>;
        case "no-payloads":
            return <p class="before faint">This server keeps a record of messages, but not what they said.</p>;
        case "failed":
            return (
                <p class="before">
                    <span class="faint">Older messages could not be read. </span>
                    <button type="button" class="quiet" onClick={show}>
                        Try again
                    </button>
                </p>
            );
        default:
            return null;
    }
}
