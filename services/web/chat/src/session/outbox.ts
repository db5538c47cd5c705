import { TidingsError } from "@tidings/client";
import type { Delivery } from "../state/types.ts";

/** A message to be sent. */
export interface Letter {
    /** The idempotency key: the same each time it is tried. */
    readonly key: string;
    /** Sends it. @returns the notification's id, when it is known that it was accepted */
    readonly send: () => Promise<string>;
}

/**
 * Sends one message after the other, so that they are accepted in the order in which they were written, also when the
 * gateway wants them slower.
 */
export class Outbox {
    readonly #report: (key: string, delivery: Delivery, id?: string) => void;
    readonly #letters: Letter[] = [];
    #busy = false;
    #closed = false;
    #rest: { timer: ReturnType<typeof setTimeout>; over: () => void } | undefined;

    constructor(report: (key: string, delivery: Delivery, id?: string) => void) {
        this.#report = report;
    }

    add(letter: Letter): void {
        this.#letters.push(letter);
        void this.#work();
    }

    /** Gives up what is not sent. */
    close(why: string): void {
        this.#closed = true;
        const rest = this.#rest;
        if (rest !== undefined) {
            clearTimeout(rest.timer);
            rest.over();
        }
        for (const { key } of this.#letters.splice(0)) this.#report(key, { status: "failed", why });
    }

    async #work(): Promise<void> {
        if (this.#busy) return;
        this.#busy = true;
        for (let letter = this.#letters[0]; letter !== undefined; letter = this.#letters[0]) {
            const wait = await this.#try(letter);
            if (wait === undefined) {
                if (this.#letters[0] === letter) this.#letters.shift();
            } else {
                await this.#pause(wait);
            }
        }
        this.#busy = false;
    }

    /** @returns for how many milliseconds to wait before it is tried again, if it is to be */
    async #try({ key, send }: Letter): Promise<number | undefined> {
        this.#report(key, { status: "sending" });
        try {
            const id = await send();
            this.#report(key, { status: "accepted" }, id);
        } catch (error) {
            const after = error instanceof TidingsError ? error.retryAfter : undefined;
            if (after !== undefined && !this.#closed) {
                this.#report(key, { status: "put-off", until: Date.now() + after });
                return after;
            }
            this.#report(key, { status: "failed", why: inWords(error) });
        }
        return undefined;
    }

    #pause(milliseconds: number): Promise<void> {
        return new Promise((resolve) => {
            const over = (): void => {
                this.#rest = undefined;
                resolve();
            };
            this.#rest = { timer: setTimeout(over, milliseconds), over };
        });
    }
}

/** Why something was not sent, for people. */
export function inWords(error: unknown): string {
    if (!(error instanceof TidingsError)) return "Something went wrong in this page.";
    switch (error.code) {
        case "timeout":
            return "The server did not answer in time. Trying again can't send it twice.";
        case "closed":
            return "You went offline before it was sent.";
        case "forbidden":
            return `The server doesn't allow it: ${error.message}.`;
        case "too-many-requests":
            return "Too many messages in a short time.";
        case "bad-request":
        case "unknown-action":
            return `The server didn't take it: ${error.message}.`;
        case "internal":
            return "The server had a problem with it.";
    }
}
