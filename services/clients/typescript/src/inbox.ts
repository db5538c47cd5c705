import type { Delivery } from "./frames.ts";

/** A notification, as the application gets it. */
export interface Notification extends Delivery {
    /**
     * Whether one with a higher sequence was handed over before. The gateway promises that this does not happen to
     * what is held for a user who is not there (`whenOffline: "hold"`).
     */
    readonly outOfOrder: boolean;
}

/**
 * Takes notifications; it is done with one when it returns, or the promise it returns is settled. One that comes to
 * `false` says that it was not taken.
 */
export type Consumer = (notification: Notification) => unknown;

/** What an inbox tells its owner. */
export interface InboxHooks {
    /** The application is done with a delivery. */
    taken(delivery: Delivery): void;
    /** A consumer threw this. */
    failed(error: unknown): void;
    /** Nothing is in a consumer's hand any more. */
    rested(): void;
}

interface Entry {
    readonly delivery: Delivery;
    /** Absent for a duplicate, which only has to be acknowledged again, behind its first delivery. */
    readonly notification: Notification | undefined;
}

/**
 * What arrived and is not taken yet: handed over in order of arrival, one when all consumers are done with the one
 * before. Without a consumer it waits.
 */
export class Inbox {
    readonly #consumers = new Set<Consumer>();
    readonly #hooks: InboxHooks;
    #entries: Entry[] = [];
    #head = 0;
    #pumping = false;

    constructor(hooks: InboxHooks) {
        this.#hooks = hooks;
    }

    /** How many wait. */
    get size(): number {
        return this.#entries.length - this.#head;
    }

    /** Whether no notification is in a consumer's hand. */
    get atRest(): boolean {
        return !this.#pumping;
    }

    /** Adds a delivery; without a notification it is a duplicate. */
    push(delivery: Delivery, notification?: Notification): void {
        this.#entries.push({ delivery, notification });
        void this.#pump();
    }

    /** Adds a consumer. @returns what removes it again */
    consume(consumer: Consumer): () => void {
        this.#consumers.add(consumer);
        void this.#pump();
        return () => {
            this.#consumers.delete(consumer);
        };
    }

    /** Forgets what waits: it is not acknowledged. */
    clear(): void {
        this.#entries = [];
        this.#head = 0;
    }

    async #pump(): Promise<void> {
        if (this.#pumping) return;
        this.#pumping = true;
        while (this.#consumers.size > 0) {
            const entry = this.#entries[this.#head];
            if (entry === undefined) break;
            if (entry.notification !== undefined && !(await this.#offer(entry.notification))) continue;
            this.#advance(entry);
            this.#hooks.taken(entry.delivery);
        }
        this.#pumping = false;
        this.#hooks.rested();
    }

    /** Goes on to the next entry, unless all were forgotten meanwhile. */
    #advance(entry: Entry): void {
        if (this.#entries[this.#head] !== entry) return;
        this.#head += 1;
        // What was taken is let go of now and then: to do it each time would cost the length of the rest.
        if (this.#head >= 1000 || this.#head === this.#entries.length) {
            this.#entries = this.#entries.slice(this.#head);
            this.#head = 0;
        }
    }

    /** Whether a consumer took it. */
    async #offer(notification: Notification): Promise<boolean> {
        const answers = [...this.#consumers].map(async (consumer) => {
            try {
                return (await consumer(notification)) !== false;
            } catch (error) {
                // The application's mistake; the gateway's sending it again would not mend it.
                this.#hooks.failed(error);
                return true;
            }
        });
        return (await Promise.all(answers)).includes(true);
    }
}
