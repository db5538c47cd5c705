import { clock, timeOfDay } from "@tidings/common/format";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Connection } from "../state/types.ts";
import { useNow } from "../store.ts";

interface Props {
    readonly connection: Connection;
    readonly goOnline: () => void;
}

/** Number of failures after which the banner mentions that the token may be the reason. */
const MANY_FAILURES = 4;

/** Tells the user, while there is no connection, what that means and what to do. */
export function ConnectionBanner({ connection, goOnline }: Props): JSX.Element | null {
    const now = useNow();
    const button = useRef<HTMLButtonElement>(null);
    const byUser = connection.status === "offline" && connection.by === "user";
    useEffect(() => {
        // Move the focus from the "Go offline" button, which is gone. If the timer went offline, the user may be typing.
        if (byUser && document.activeElement === document.body) button.current?.focus();
    }, [byUser]);
    if (connection.status === "open" || (connection.status === "connecting" && connection.failures === 0)) return null;
    if (connection.status === "offline") {
        const since = timeOfDay(connection.since);
        return (
            <section class="banner" aria-label="Connection">
                <p>
                    <strong>
                        {connection.by === "timer"
                            ? `You went offline automatically at ${since}.`
                            : `You went offline at ${since}.`}
                    </strong>{" "}
                    Direct messages to you are held, and arrive in order when you go online.
                </p>
                <button ref={button} type="button" class="primary" onClick={goOnline}>
                    Go online
                </button>
            </section>
        );
    }
    const lost = connection.status === "lost" ? connection : undefined;
    return (
        <section class="banner" aria-label="Connection">
            <p>
                <strong>{lost === undefined ? "Not connected yet." : `No connection since ${timeOfDay(lost.since)}.`}</strong>{" "}
                {lost?.reason} {nextAttempt(lost?.nextAttemptAt, now)} Direct messages to you are held.
                {connection.failures >= MANY_FAILURES &&
                    " If you logged in with a token of another issuer, this server may not accept it."}
            </p>
        </section>
    );
}

function nextAttempt(at: number | undefined, now: number): string {
    if (at === undefined) return "Trying to connect.";
    return at - now < 1000 ? "Trying again now." : `Trying again in ${clock(at - now)}.`;
}
