/** Where a notification is, or what became of it. */
export type LifeState =
    | "queued"
    | "held"
    | "pushed"
    | "acknowledged"
    | "delivered"
    | "dropped"
    | "expired"
    | "deadLetter"
    | "unknown";

/** Something that happened to a notification. */
export interface LifeEvent {
    readonly what: Exclude<LifeState, "unknown"> | "sent";
    readonly at?: number;
    readonly detail?: string;
}

/** What the server knows of a notification. */
export interface Life {
    readonly userId: string;
    readonly id: string;
    readonly state: LifeState;
    readonly sequence?: string;
    readonly expiresAt?: number;
    readonly deadLetter?: string;
    readonly events: readonly LifeEvent[];
    readonly notKnown: readonly string[];
}

const STATES: Readonly<Record<LifeState, string>> = {
    queued: "In the queue",
    held: "Held in the mailbox until the user comes",
    pushed: "Pushed, waiting for the client to acknowledge it",
    acknowledged: "Delivered and acknowledged",
    delivered: "Delivered",
    dropped: "Dropped: nobody was there, and it was not to be held",
    expired: "Expired before it could be delivered",
    deadLetter: "A dead letter",
    unknown: "Nothing is known of it",
};

/** The state in a sentence. */
export function stateWords(state: LifeState): string {
    return STATES[state];
}

const EVENTS: Readonly<Record<LifeEvent["what"], string>> = {
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

/** One line of what happened. */
export interface Step {
    readonly what: LifeEvent["what"] | "accepted";
    readonly words: string;
    readonly at?: number;
    readonly detail?: string;
}

/** What the server answered when it accepted the notification. */
export interface Accepted {
    /** When the answer came, by the clock of this machine. */
    readonly at: number;
    readonly sequence: string;
    readonly duplicate: boolean;
}

/** What happened, in order. The server's word for when it was sent gives way to when it was accepted here. */
export function steps(life: Life | undefined, accepted?: Accepted): Step[] {
    const events = (life?.events ?? []).map((event) => ({ words: EVENTS[event.what], ...event }));
    if (accepted === undefined) return events;
    const detail = accepted.duplicate ? "its id was accepted before; it is not sent a second time" : "it is on disk";
    const first: Step = { what: "accepted", words: "Accepted by the server", at: accepted.at, detail };
    return [first, ...events.filter(({ what }) => what !== "sent")];
}

/** How good or bad a state is. */
export function mood(state: LifeState): "good" | "bad" | "open" {
    if (state === "acknowledged" || state === "delivered") return "good";
    return state === "deadLetter" || state === "expired" || state === "dropped" ? "bad" : "open";
}

/** Whether nothing more is to be expected. One that is delivered may still be acknowledged. */
export function isOver(state: LifeState): boolean {
    return state === "acknowledged" || mood(state) === "bad";
}
