import type { Notification } from "./inbox.ts";

type Result = IteratorResult<Notification, undefined>;

/**
 * Hands notifications to a `for await` loop. A notification counts as handled when the loop asks for the next one, or
 * ends. An application that crashes in between gets it again.
 */
export class NotificationIterator implements AsyncIterableIterator<Notification, undefined> {
    #offered: Notification | undefined;
    #answerOffer: ((taken: boolean) => void) | undefined;
    #waiting: { resolve: (result: Result) => void; reject: (error: Error) => void }[] = [];
    #ended = false;
    #error: Error | undefined;
    readonly #detach: () => void;

    /** @param attach adds the iterator as a consumer and returns a function that removes it */
    constructor(attach: (consumer: (notification: Notification) => Promise<boolean>) => () => void) {
        this.#detach = attach((notification) => this.#offer(notification));
    }

    /**
     * Returns the next notification. If the client was closed because of an error, the promise is rejected once with
     * that error.
     */
    next(): Promise<Result> {
        if (this.#offered === undefined) this.#answer(true);
        if (this.#error !== undefined) {
            const error = this.#error;
            this.#error = undefined;
            return Promise.reject(error);
        }
        if (this.#ended) return Promise.resolve({ value: undefined, done: true });
        const value = this.#offered;
        this.#offered = undefined;
        if (value !== undefined) return Promise.resolve({ value, done: false });
        return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }

    /** Ends the loop. The notification it got last counts as handled. */
    return(): Promise<Result> {
        this.end();
        return Promise.resolve({ value: undefined, done: true });
    }

    /** Ends the iterator, with an error if one is given. */
    end(error?: Error): void {
        if (this.#ended) return;
        this.#ended = true;
        this.#detach();
        this.#answer(this.#offered === undefined);
        this.#offered = undefined;
        const [first, ...others] = this.#waiting;
        this.#waiting = [];
        if (error !== undefined && first !== undefined) first.reject(error);
        else {
            this.#error = error;
            first?.resolve({ value: undefined, done: true });
        }
        for (const { resolve } of others) resolve({ value: undefined, done: true });
    }

    /** Returns the iterator itself. */
    [Symbol.asyncIterator](): this {
        return this;
    }

    #offer(notification: Notification): Promise<boolean> {
        return new Promise((resolve) => {
            this.#answerOffer = resolve;
            const first = this.#waiting.shift();
            if (first === undefined) this.#offered = notification;
            else first.resolve({ value: notification, done: false });
            // Another call already waits for the notification after this one, so this one is handled.
            if (this.#waiting.length > 0) this.#answer(true);
        });
    }

    #answer(taken: boolean): void {
        this.#answerOffer?.(taken);
        this.#answerOffer = undefined;
    }
}
