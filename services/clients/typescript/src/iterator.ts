import type { Notification } from "./inbox.ts";

type Result = IteratorResult<Notification, undefined>;

/**
 * Hands notifications to a `for await` loop. One counts as taken when the loop comes back for the next, or ends; an
 * application that crashes in between is given it again.
 */
export class NotificationIterator implements AsyncIterableIterator<Notification, undefined> {
    #offered: Notification | undefined;
    #release: ((taken: boolean) => void) | undefined;
    #waiting: { resolve: (result: Result) => void; reject: (error: Error) => void }[] = [];
    #ended = false;
    #error: Error | undefined;
    readonly #detach: () => void;

    /** @param attach makes the iterator a consumer; what it returns ends that */
    constructor(attach: (consumer: (notification: Notification) => Promise<boolean>) => () => void) {
        this.#detach = attach((notification) => this.#offer(notification));
    }

    /** The next notification; rejected once when the client ended for a reason that was not asked for. */
    next(): Promise<Result> {
        if (this.#offered === undefined) this.#settle(true);
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

    /** Ends the loop. What it was given last counts as taken. */
    return(): Promise<Result> {
        this.end();
        return Promise.resolve({ value: undefined, done: true });
    }

    /** Ends it: with an error, if it is to be told. */
    end(error?: Error): void {
        if (this.#ended) return;
        this.#ended = true;
        this.#detach();
        this.#settle(this.#offered === undefined);
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

    /** This. */
    [Symbol.asyncIterator](): this {
        return this;
    }

    #offer(notification: Notification): Promise<boolean> {
        return new Promise((resolve) => {
            this.#release = resolve;
            const first = this.#waiting.shift();
            if (first === undefined) this.#offered = notification;
            else first.resolve({ value: notification, done: false });
            // A call was waiting for what comes after this one already, so this one is done with.
            if (this.#waiting.length > 0) this.#settle(true);
        });
    }

    #settle(taken: boolean): void {
        this.#release?.(taken);
        this.#release = undefined;
    }
}
