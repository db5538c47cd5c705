/**
 * Recognises repeated deliveries, across connections.
 *
 * It compares ids instead of the highest sequence, because a redriven dead letter keeps its id and gets a new
 * sequence. An id is remembered while the gateway may deliver its notification again, that is until the notification
 * is completed. Of the completed ids only the most recent are remembered, so memory is bounded.
 */
export class Deduplication {
    readonly #open = new Set<string>();
    readonly #completed = new Set<string>();
    readonly #capacity: number;
    #highest = "";

    /** @param capacity number of completed ids to remember */
    constructor(capacity: number) {
        this.#capacity = capacity;
    }

    /** Number of ids remembered. */
    get size(): number {
        return this.#open.size + this.#completed.size;
    }

    /** Classifies a delivery and remembers its id. */
    classify(id: string, sequence: string): "new" | "out-of-order" | "duplicate" {
        if (this.#open.has(id) || this.#completed.has(id)) return "duplicate";
        this.#open.add(id);
        // Sequences are padded with zeros, so their text sorts like their numbers.
        if (sequence < this.#highest) return "out-of-order";
        this.#highest = sequence;
        return "new";
    }

    /** Marks a notification as no longer held by the gateway. */
    complete(id: string): void {
        this.#open.delete(id);
        // A set iterates in insertion order: deleting first makes the id the most recent.
        this.#completed.delete(id);
        this.#completed.add(id);
        if (this.#completed.size > this.#capacity) {
            for (const oldest of this.#completed) {
                this.#completed.delete(oldest);
                break;
            }
        }
    }
}
