import type { Delivery } from "./frames.ts";

/** A notification as the application gets it. */
export interface Notification extends Delivery {
    /**
     * True if a notification with a higher sequence was handed over before. The gateway promises that this never
     * happens to notifications that are held for offline users (`whenOffline: "hold"`).
     */
    readonly outOfOrder: boolean;
}

/**
 * Handles notifications. It has handled one when it returns or when the promise it returns is settled, unless the
 * result is `false`, which means that it did not take the notification.
 */
export type Consumer = (notification: Notification) => unknown;

/** Callbacks of an inbox to its owner. */
export interface InboxHooks {
    /** The application has handled a delivery. */
    handled(delivery: Delivery): void;
    /** A consumer threw an error. */
    failed(error: unknown): void;
    /** No consumer is working on a notification any more. */
    idle(): void;
}

interface Entry {
    readonly delivery: Delivery;
    /** Absent for a duplicate, which is only acknowledged again, after its first delivery. */
    readonly notification: Notification | undefined;
}

/**
 * Queue of notifications that arrived and are not handled yet. It hands them over in order of arrival, the next one
 * when all consumers are done with the one before, and keeps them while there is no consumer.
 */
export class Inbox {
    readonly #consumers = new Set<Consumer>();
    readonly #hooks: InboxHooks;
    #entries: Entry[] = [];
    #head = 0;
    #running = false;

    constructor(hooks: InboxHooks) {
        this.#hooks = hooks;
    }

    /** Number of deliveries in the queue. */
    get size(): number {
        return this.#entries.length - this.#head;
    }

    /** True if no consumer is working on a notification. */
    get isIdle(): boolean {
        return !this.#running;
    }

    /** Adds a delivery. Without a notification it is a duplicate. */
    push(delivery: Delivery, notification?: Notification): void {
        this.#entries.push({ delivery, notification });
        void this.#run();
    }

    /** Adds a consumer. @returns a function that removes it */
    addConsumer(consumer: Consumer): () => void {
        this.#consumers.add(consumer);
        void this.#run();
        return () => {
            this.#consumers.delete(consumer);
        };
    }

    /** Discards the queue. Its notifications are not acknowledged, so the gateway keeps them. */
    clear(): void {
        this.#entries = [];
        this.#head = 0;
    }

    async #run(): Promise<void> {
        if (this.#running) return;
        this.#running = true;
        while (this.#consumers.size > 0) {
            const entry = this.#entries[this.#head];
            if (entry === undefined) break;
            if (entry.notification !== undefined && !(await this.#offer(entry.notification))) continue;
            this.#advance(entry);
            this.#hooks.handled(entry.delivery);
        }
        this.#running = false;
        this.#hooks.idle();
    }

    /** Moves on to the next entry, unless the queue was cleared meanwhile. */
    #advance(entry: Entry): void {
        if (this.#entries[this.#head] !== entry) return;
        this.#head += 1;
        // Removing handled entries copies the rest of the array, so it is done once per thousand.
        if (this.#head >= 1000 || this.#head === this.#entries.length) {
            this.#entries = this.#entries.slice(this.#head);
            this.#head = 0;
        }
    }

    /** Offers a notification to all consumers. @returns true if at least one took it */
    async #offer(notification: Notification): Promise<boolean> {
        const answers = [...this.#consumers].map(async (consumer) => {
            try {
                return (await consumer(notification)) !== false;
            } catch (error) {
                // Delivering it again would not correct the application's mistake, so it counts as handled.
                this.#hooks.failed(error);
                return true;
            }
        });
        return (await Promise.all(answers)).includes(true);
    }
}
