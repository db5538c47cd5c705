import { clock, dateAndTime, timeOfDay } from "@tidings/common/format";
import type { JSX } from "preact";
import type { Delivery, Entry } from "../state/types.ts";
import { useNow } from "../store.ts";

interface Props {
    readonly entry: Entry;
    readonly heads: boolean;
    readonly own: boolean;
    /** Whether it is the last of one's own: of it is said that it was sent. */
    readonly latest: boolean;
    /** Who has to come back first. */
    readonly awaits: string | undefined;
    readonly retry: () => void;
    readonly discard: () => void;
    readonly write: () => void;
}

/** A line that somebody said, or that they came or went. */
export function Message({ entry, heads, own, latest, awaits, retry, discard, write }: Props): JSX.Element {
    const { kind, from, name, text, at, absence, delivery } = entry;
    if (kind !== "message") {
        return (
            <p class="came faint">
                {name ?? from} {kind === "joined" ? "is here" : "has left, and doesn’t hear what is said here"}
                {" · "}
                <Time at={at} />
                {kind === "left" && (
                    <>
                        {" · "}
                        <button type="button" class="link" onClick={write}>
                            Write to {name ?? from}
                        </button>
                    </>
                )}
            </p>
        );
    }
    const held = absence !== undefined;
    const classes = ["message", own ? "own" : "other", heads && "heads", held && "was-held"].filter(Boolean).join(" ");
    return (
        <article class={classes}>
            {heads || held ? (
                <p class="by">
                    <strong>{own ? "You" : (name ?? (from === "" ? "A program" : from))}</strong>{" "}
                    <span class="faint">
                        {held && "sent "}
                        <Time at={at} />
                    </span>
                </p>
            ) : (
                <p class="visually-hidden">
                    {own ? "You" : (name ?? from)} <Time at={at} />
                </p>
            )}
            <p class="text">{text}</p>
            {delivery !== undefined && (
                <Fate delivery={delivery} latest={latest} awaits={awaits} retry={retry} discard={discard} />
            )}
        </article>
    );
}

function Time({ at }: { readonly at: number }): JSX.Element {
    return (
        <time dateTime={new Date(at).toISOString()} title={dateAndTime(at)}>
            {timeOfDay(at)}
        </time>
    );
}

interface FateProps extends Pick<Props, "latest" | "awaits" | "retry" | "discard"> {
    readonly delivery: Delivery;
}

/** What has become of one's own. */
function Fate({ delivery, latest, awaits, retry, discard }: FateProps): JSX.Element | null {
    switch (delivery.status) {
        case "sending":
            return <p class="fate faint">Sending…</p>;
        case "put-off":
            return <PutOff until={delivery.until} />;
        case "accepted":
            if (!latest) return null;
            return <p class="fate faint">{awaits === undefined ? "Sent" : `Sent. Held until ${awaits} is back`}</p>;
        case "failed":
            return (
                <div class="fate">
                    <p class="bad">
                        <strong>Not sent.</strong> {delivery.why}
                    </p>
                    <button type="button" onClick={retry}>
                        Try again
                    </button>{" "}
                    <button type="button" class="quiet" onClick={discard}>
                        Delete
                    </button>
                </div>
            );
    }
}

function PutOff({ until }: { readonly until: number }): JSX.Element {
    const now = useNow();
    return (
        <p class="fate warn">
            The server asks to slow down. Sending again {until - now < 1000 ? "now" : `in ${clock(until - now)}`}…
        </p>
    );
}
