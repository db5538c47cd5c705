import { clock, timeOfDay } from "@tidings/common/format";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Link } from "../state/types.ts";
import { useNow } from "../store.ts";

interface Props {
    readonly link: Link;
    readonly comeBack: () => void;
}

/** After how many failures it is worth saying that a pasted token may be the reason. */
const OFTEN = 4;

/** Says what it means that there is no connection. */
export function Band({ link, comeBack }: Props): JSX.Element | null {
    const now = useNow();
    const back = useRef<HTMLButtonElement>(null);
    const left = link.status === "away" && link.by === "user";
    useEffect(() => {
        // The button that was pressed is gone. Whom the time has sent away may be typing: their Enter is not for this.
        if (left && document.activeElement === document.body) back.current?.focus();
    }, [left]);
    if (link.status === "open" || (link.status === "connecting" && link.failures === 0)) return null;
    if (link.status === "away") {
        const since = timeOfDay(link.since);
        return (
            <section class="band" aria-label="Connection">
                <p>
                    <strong>
                        {link.by === "timer"
                            ? `Disconnected at ${since}, after the time you had chosen.`
                            : `You went offline at ${since}.`}
                    </strong>{" "}
                    What is sent to you alone is now held by the server, and arrives in order when you come back.
                </p>
                <button ref={back} type="button" class="primary" onClick={comeBack}>
                    Come back
                </button>
            </section>
        );
    }
    const lost = link.status === "lost" ? link : undefined;
    return (
        <section class="band" aria-label="Connection">
            <p>
                <strong>{lost === undefined ? "Connecting is taking long." : `No connection since ${timeOfDay(lost.since)}.`}</strong>{" "}
                {lost?.why} {next(lost?.nextAttemptAt, now)} What is sent to you is held meanwhile.
                {link.failures >= OFTEN && " If you logged in with a token from elsewhere, it may not be accepted here."}
            </p>
        </section>
    );
}

function next(at: number | undefined, now: number): string {
    if (at === undefined) return "Looking for a way back.";
    return at - now < 1000 ? "Trying again now." : `Trying again in ${clock(at - now)}.`;
}
