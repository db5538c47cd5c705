/**
 * Tells new deliveries from repeated ones, across connections.
 *
 * By id, not by the highest sequence so far: a notification redriven from the dead letters keeps its id and gets a
 * new sequence. An id is known for as long as the gateway may hold its notification, which is until that is
 * settled; of settled ids the most recent ones are known, so memory is bounded.
 */
export class Deduplication {
    readonly #open = new Set<string>();
    readonly #settled = new Set<string>();
    readonly #remember: number;
    #highest = "";

    /** @param remember how many settled ids are known */
    constructor(remember: number) {
        this.#remember = remember;
    }

    /** How many ids are known. */
    get size(): number {
        return this.#open.size + this.#settled.size;
    }

    /** Judges a delivery and remembers it. */
    judge(id: string, sequence: string): "new" | "out-of-order" | "duplicate" {
        if (this.#open.has(id) || this.#settled.has(id)) return "duplicate";
        this.#open.add(id);
        // Sequences have leading zeroes: their order is that of their text.
        if (sequence < this.#highest) return "out-of-order";
        this.#highest = sequence;
        return "new";
    }

    /** The gateway does not hold the notification any more. */
    settle(id: string): void {
        this.#open.delete(id);
        // Sets keep the order in which values were added, so this makes it the most recent one.
        this.#settled.delete(id);
        this.#settled.add(id);
        if (this.#settled.size > this.#remember) {
            for (const oldest of this.#settled) {
                this.#settled.delete(oldest);
                break;
            }
        }
    }
}
