import { TidingsError } from "@tidings/client";
import type { Delivery } from "../state/types.ts";

/** A message to send. */
export interface QueuedMessage {
    /** Idempotency key, the same for every attempt. */
    readonly key: string;
    /** Sends the message. @returns the notification's id, once the gateway has accepted it */
    readonly send: () => Promise<string>;
}

/** Called with each change of a message's delivery; `id` is the notification's id, once accepted. */
type Report = (key: string, delivery: Delivery, id?: string) => void;

/**
 * Sends one message after the other, so that the gateway accepts them in the order in which they were written. When the
 * gateway's rate limit delays a message, the ones after it wait too.
 */
export class SendQueue {
    readonly #report: Report;
    readonly #messages: QueuedMessage[] = [];
    #running = false;
    #closed = false;
    #delay: { timer: ReturnType<typeof setTimeout>; end: () => void } | undefined;

    constructor(report: Report) {
        this.#report = report;
    }

    add(message: QueuedMessage): void {
        this.#messages.push(message);
        void this.#run();
    }

    /** Fails all messages that are not sent, with the given reason. */
    close(reason: string): void {
        this.#closed = true;
        const delay = this.#delay;
        if (delay !== undefined) {
            clearTimeout(delay.timer);
            delay.end();
        }
        for (const { key } of this.#messages.splice(0)) this.#report(key, { status: "failed", reason });
    }

    async #run(): Promise<void> {
        if (this.#running) return;
        this.#running = true;
        for (let message = this.#messages[0]; message !== undefined; message = this.#messages[0]) {
            const delay = await this.#attempt(message);
            if (delay === undefined) {
                if (this.#messages[0] === message) this.#messages.shift();
            } else {
                await this.#sleep(delay);
            }
        }
        this.#running = false;
    }

    /** Tries to send a message. @returns milliseconds until the next attempt, if one is due */
    async #attempt({ key, send }: QueuedMessage): Promise<number | undefined> {
        this.#report(key, { status: "sending" });
        try {
            const id = await send();
            this.#report(key, { status: "accepted" }, id);
        } catch (error) {
            const after = error instanceof TidingsError ? error.retryAfter : undefined;
            if (after !== undefined && !this.#closed) {
                this.#report(key, { status: "delayed", until: Date.now() + after });
                return after;
            }
            this.#report(key, { status: "failed", reason: describe(error) });
        }
        return undefined;
    }

    #sleep(milliseconds: number): Promise<void> {
        return new Promise((resolve) => {
            const end = (): void => {
                this.#delay = undefined;
                resolve();
            };
            this.#delay = { timer: setTimeout(end, milliseconds), end };
        });
    }
}

/** Says why a message was not sent, and what the user can do. */
function describe(error: unknown): string {
    if (!(error instanceof TidingsError)) return "Something went wrong in this page. Reload it and try again.";
    switch (error.code) {
        case "timeout":
            return "The server did not answer in time. Try again: the message is not delivered twice.";
        case "closed":
            return "You went offline before it was sent. Go online and try again.";
        case "forbidden":
            return `The server doesn't allow it: ${error.message}.`;
        case "too-many-requests":
            return "Too many messages in a short time. Wait a moment and try again.";
        case "bad-request":
        case "unknown-action":
            return `The server rejected it: ${error.message}.`;
        case "internal":
        case "unreadable":
            return "The server has a problem. Try again in a moment.";
    }
}
