import type { Clock, Timer } from "./clock.ts";

/**
 * Most sequences in one acknowledgement. The contract of the frames allows 1,000, but of 42 bytes each they would be more
 * than the 32 KiB of a frame that API Gateway takes
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
 */
const MAX_SEQUENCES = 750;

/** Gathers acknowledgements: a batch is due when it is full, or its first has waited long enough. */
export class Acks {
    /** What waits: the id of the notification by its sequence. */
    #waiting = new Map<string, string>();
    /** What was sent and is not confirmed. */
    #sent = new Map<string, string>();
    #timer: Timer;
    #due = false;
    readonly #clock: Clock;
    readonly #size: number;
    readonly #delay: number;
    readonly #onDue: () => void;

    /** Batches of `size`, none older than `delay` milliseconds; `onDue` is called when one becomes due. */
    constructor(clock: Clock, size: number, delay: number, onDue: () => void) {
        this.#clock = clock;
        this.#size = size;
        this.#delay = delay;
        this.#onDue = onDue;
    }

    /** Whether a batch is due. */
    get due(): boolean {
        return this.#due;
    }

    /** Whether nothing waits and nothing is unconfirmed. */
    get settled(): boolean {
        return this.#waiting.size + this.#sent.size === 0;
    }

    /** Adds a notification the application has taken. */
    add(sequence: string, id: string): void {
        this.#waiting.set(sequence, id);
        if (this.#waiting.size >= this.#size) this.flush();
        else this.#wait(this.#delay);
    }

    /** Makes what waits due. */
    flush(): void {
        if (this.#waiting.size === 0 || this.#due) return;
        this.#stop();
        this.#due = true;
        this.#onDue();
    }

    /** The sequences to send now, at most as many as one frame may have. They are kept until it is known what became of them. */
    take(): string[] {
        const sequences = [...this.#waiting.keys()].slice(0, MAX_SEQUENCES);
        for (const sequence of sequences) {
            this.#sent.set(sequence, this.#waiting.get(sequence) ?? "");
            this.#waiting.delete(sequence);
        }
        this.#due = this.#waiting.size >= this.#size;
        if (!this.#due && this.#waiting.size > 0) this.#wait(this.#delay);
        return sequences;
    }

    /** What was taken has arrived. @returns the ids of the notifications */
    confirmed(): string[] {
        const ids = [...this.#sent.values()];
        this.#sent.clear();
        return ids;
    }

    /** What was taken may not have arrived, and waits again: for `delay` milliseconds, and first in line. */
    returned(delay: number): void {
        this.#waiting = new Map([...this.#sent, ...this.#waiting]);
        this.#sent = new Map();
        this.#due = false;
        this.#stop();
        if (this.#waiting.size > 0) this.#wait(delay);
    }

    /** Lets go of the timer. */
    stop(): void {
        this.#stop();
    }

    #wait(delay: number): void {
        this.#timer ??= this.#clock.after(delay, () => {
            this.#timer = undefined;
            this.flush();
        });
    }

    #stop(): void {
        if (this.#timer !== undefined) this.#clock.cancel(this.#timer);
        this.#timer = undefined;
    }
}
