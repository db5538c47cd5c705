import { clock, dateAndTime, timeOfDay } from "@tidings/common/format";
import type { JSX } from "preact";
import type { Delivery, Entry } from "../state/types.ts";
import { useNow } from "../store.ts";

interface Props {
    readonly entry: Entry;
    /** True if the message starts a group and shows its sender and time. */
    readonly startsGroup: boolean;
    /** True for a message of the user. */
    readonly own: boolean;
    /** True for the newest message of the user, the only one that shows that it was sent. */
    readonly isLatestOwn: boolean;
    /** The recipient, if the message is held because they are offline. */
    readonly heldFor: string | undefined;
    readonly retry: () => void;
    readonly discard: () => void;
    readonly writeToSender: () => void;
}

/** A message, or a line about a member who came online or went offline. */
export function Message(props: Props): JSX.Element {
    const { entry, startsGroup, own, writeToSender } = props;
    const { kind, from, name, text, at, absence, delivery } = entry;
    if (kind !== "message") {
        return (
            <p class="presence faint">
                {name ?? from} {kind === "joined" ? "is online" : "went offline and doesn’t get messages sent here"}
                {" · "}
                <Time at={at} />
                {kind === "left" && (
                    <>
                        {" · "}
                        <button type="button" class="link" onClick={writeToSender}>
                            Write to {name ?? from}
                        </button>
                    </>
                )}
            </p>
        );
    }
    const held = absence !== undefined;
    const classes = ["message", own ? "own" : "other", startsGroup && "starts-group", held && "was-held"].filter(Boolean).join(" ");
    return (
        <article class={classes}>
            {startsGroup || held ? (
                <p class="byline">
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
                <DeliveryStatus {...props} delivery={delivery} />
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

interface DeliveryStatusProps extends Pick<Props, "isLatestOwn" | "heldFor" | "retry" | "discard"> {
    readonly delivery: Delivery;
}

/** The delivery status of a message of the user. */
function DeliveryStatus({ delivery, isLatestOwn, heldFor, retry, discard }: DeliveryStatusProps): JSX.Element | null {
    switch (delivery.status) {
        case "sending":
            return <p class="delivery faint">Sending…</p>;
        case "delayed":
            return <Delayed until={delivery.until} />;
        case "accepted":
            if (!isLatestOwn) return null;
            return <p class="delivery faint">{heldFor === undefined ? "Sent" : `Sent. Held until ${heldFor} is online`}</p>;
        case "failed":
            return (
                <div class="delivery">
                    <p class="bad">
                        <strong>Not sent.</strong> {delivery.reason}
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

function Delayed({ until }: { readonly until: number }): JSX.Element {
    const now = useNow();
    return (
        <p class="delivery warn">
            You reached the server’s rate limit. Sending again {until - now < 1000 ? "now" : `in ${clock(until - now)}`}…
        </p>
    );
}
