/** State of a notification. */
export type NotificationState =
    | "queued"
    | "held"
    | "pushed"
    | "acknowledged"
    | "delivered"
    | "dropped"
    | "expired"
    | "deadLetter"
    | "unknown";

/** An event of a notification. `at` is in milliseconds since the Unix epoch, if known. */
export interface TimelineEvent {
    readonly what: Exclude<NotificationState, "unknown"> | "sent";
    readonly at?: number;
    readonly detail?: string;
}

/** State and events of a notification, as far as the server knows them. */
export interface Timeline {
    readonly userId: string;
    readonly id: string;
    readonly state: NotificationState;
    readonly sequence?: string;
    readonly expiresAt?: number;
    /** Id of its dead letter. */
    readonly deadLetter?: string;
    readonly events: readonly TimelineEvent[];
    /** Sentences about gaps in the events. */
    readonly notKnown: readonly string[];
}

const STATES: Readonly<Record<NotificationState, string>> = {
    queued: "In the queue",
    held: "Held until the user connects",
    pushed: "Pushed, waiting for the acknowledgement",
    acknowledged: "Delivered and acknowledged",
    delivered: "Delivered",
    dropped: "Dropped: the user was offline",
    expired: "Expired before delivery",
    deadLetter: "Dead letter",
    unknown: "Not known to this server",
};

/** Returns the label of a state. */
export function stateLabel(state: NotificationState): string {
    return STATES[state];
}

const EVENTS: Readonly<Record<TimelineEvent["what"], string>> = {
    sent: "Sent",
    queued: "In the queue",
    held: "Held in the mailbox",
    pushed: "Pushed",
    acknowledged: "Acknowledged by the client",
    delivered: "Delivered to a connection",
    dropped: "Dropped",
    expired: "Expired",
    deadLetter: "Became a dead letter",
};

/** A line of the timeline. */
export interface Step {
    readonly what: TimelineEvent["what"] | "accepted";
    readonly label: string;
    readonly at?: number;
    readonly detail?: string;
}

/** The server's answer when it accepted the notification. */
export interface Accepted {
    /** Time of the answer, by the clock of this machine. */
    readonly at: number;
    readonly sequence: string;
    /** True if the id was accepted before. */
    readonly duplicate: boolean;
}

/** Returns the lines of the timeline, in order. If this page sent the notification, it starts with the acceptance. */
export function steps(timeline: Timeline | undefined, accepted?: Accepted): Step[] {
    const events = (timeline?.events ?? []).map((event) => ({ label: EVENTS[event.what], ...event }));
    if (accepted === undefined) return events;
    const detail = accepted.duplicate ? "duplicate: this ID was accepted before and is not sent again" : "stored on disk";
    // Prefer the server's clock, by which the other events are measured.
    const at = events.find(({ what }) => what === "sent")?.at ?? accepted.at;
    const first: Step = { what: "accepted", label: "Accepted by the server", at, detail };
    return [first, ...events.filter(({ what }) => what !== "sent")];
}

/** Classifies a state by its outcome. */
export function outcomeOf(state: NotificationState): "good" | "bad" | "open" {
    if (state === "acknowledged" || state === "delivered") return "good";
    return state === "deadLetter" || state === "expired" || state === "dropped" ? "bad" : "open";
}

/** Returns true if no more events follow. A delivered notification may still be acknowledged. */
export function isFinal(state: NotificationState): boolean {
    return state === "acknowledged" || outcomeOf(state) === "bad";
}
