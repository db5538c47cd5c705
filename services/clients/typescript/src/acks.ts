import type { Clock, Timer } from "./clock.ts";

/**
 * Maximum number of sequences in one `ack` frame. The frames contract allows 1,000, but at 42 bytes each they would
 * exceed the 32 KiB that API Gateway accepts in a frame
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
 */
const MAX_SEQUENCES = 700;

/**
 * Collects acknowledgements into batches. A batch is due when it is full, or when its oldest acknowledgement has
 * waited long enough. Acknowledgements that were sent stay here until the gateway confirms them.
 */
export class Acks {
    /** Acknowledgements to send: notification ids by sequence. */
    #pending = new Map<string, string>();
    /** Acknowledgements sent and not confirmed yet. */
    #sent = new Map<string, string>();
    #timer: Timer;
    #due = false;
    readonly #clock: Clock;
    readonly #size: number;
    readonly #delay: number;
    readonly #onDue: () => void;

    /**
     * @param size number of acknowledgements that make a batch due
     * @param delay maximum age of an acknowledgement before its batch is due, in milliseconds
     * @param onDue called when a batch becomes due
     */
    constructor(clock: Clock, size: number, delay: number, onDue: () => void) {
        this.#clock = clock;
        this.#size = size;
        this.#delay = delay;
        this.#onDue = onDue;
    }

    /** True if a batch is due. */
    get isDue(): boolean {
        return this.#due;
    }

    /** True if nothing is pending and everything sent is confirmed. */
    get isEmpty(): boolean {
        return this.#pending.size + this.#sent.size === 0;
    }

    /** Adds a notification that the application has handled. */
    add(sequence: string, id: string): void {
        this.#pending.set(sequence, id);
        if (this.#pending.size >= this.#size) this.flush();
        else this.#startTimer(this.#delay);
    }

    /** Makes all pending acknowledgements due now. */
    flush(): void {
        if (this.#pending.size === 0 || this.#due) return;
        this.stop();
        this.#due = true;
        this.#onDue();
    }

    /** Returns the sequences of the next frame, at most {@link MAX_SEQUENCES}, and marks them as sent. */
    takeBatch(): string[] {
        const sequences = [...this.#pending.keys()].slice(0, MAX_SEQUENCES);
        for (const sequence of sequences) {
            this.#sent.set(sequence, this.#pending.get(sequence) ?? "");
            this.#pending.delete(sequence);
        }
        this.#due = this.#pending.size >= this.#size;
        if (!this.#due && this.#pending.size > 0) this.#startTimer(this.#delay);
        return sequences;
    }

    /** Confirms everything sent. @returns the ids of the notifications */
    confirm(): string[] {
        const ids = [...this.#sent.values()];
        this.#sent.clear();
        return ids;
    }

    /** Puts everything sent back to the front, because it may not have arrived. It is due after `delay` milliseconds. */
    requeue(delay: number): void {
        this.#pending = new Map([...this.#sent, ...this.#pending]);
        this.#sent = new Map();
        this.#due = false;
        this.stop();
        if (this.#pending.size > 0) this.#startTimer(delay);
    }

    /** Cancels the timer. */
    stop(): void {
        if (this.#timer !== undefined) this.#clock.cancel(this.#timer);
        this.#timer = undefined;
    }

    #startTimer(delay: number): void {
        this.#timer ??= this.#clock.after(delay, () => {
            this.#timer = undefined;
            this.flush();
        });
    }
}
