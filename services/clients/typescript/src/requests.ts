import type { Clock, Timer } from "./clock.ts";
import { TidingsError } from "./errors.ts";
import type { ClientFrame, ServerFrame } from "./frames.ts";
import type { OutgoingFrame } from "./socket.ts";

/** An answer of the given type. */
export type Answer<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;

interface Request {
    readonly outgoing: OutgoingFrame;
    readonly timer: Timer;
    inFlight: boolean;
    reject(error: TidingsError): void;
}

/**
 * Queue of the application's unanswered requests. A request that was in flight when a connection ended is sent again
 * over the next one. Requests that send messages carry an id, by which the gateway recognises the repetition.
 */
export class Requests {
    readonly #clock: Clock;
    readonly #timeout: number;
    readonly #onLateAnswer: () => void;
    #queue: Request[] = [];

    /**
     * @param timeout time limit of a request, including the wait for a connection, in milliseconds
     * @param onLateAnswer called when a request in flight times out. Its answer may still arrive and would be taken for
     * that of another request, so the connection must not be used any more.
     */
    constructor(clock: Clock, timeout: number, onLateAnswer: () => void) {
        this.#clock = clock;
        this.#timeout = timeout;
        this.#onLateAnswer = onLateAnswer;
    }

    /** Adds a request that a frame of type `type` answers. */
    add<T extends ServerFrame["type"]>(frame: ClientFrame & Record<string, unknown>, type: T): Promise<Answer<T>> {
        return new Promise((resolve, reject) => {
            const remove = (): void => {
                this.#clock.cancel(request.timer);
                this.#queue = this.#queue.filter((other) => other !== request);
            };
            const request: Request = {
                inFlight: false,
                reject: (error) => {
                    remove();
                    reject(error);
                },
                timer: this.#clock.after(this.#timeout, () => {
                    const { inFlight } = request;
                    request.reject(new TidingsError("timeout", "no answer in time"));
                    if (inFlight) this.#onLateAnswer();
                }),
                outgoing: {
                    frame,
                    onAnswer: (answer) => {
                        if (answer.type !== type) return false;
                        remove();
                        resolve(answer as Answer<T>);
                        return true;
                    },
                    onRefusal: (error) => {
                        request.reject(error);
                    },
                    onLoss: () => {
                        request.inFlight = false;
                    },
                },
            };
            this.#queue.push(request);
        });
    }

    /** Returns the oldest request, now in flight, or `undefined` if there is none. */
    next(): OutgoingFrame | undefined {
        const [first] = this.#queue;
        if (first === undefined) return undefined;
        first.inFlight = true;
        return first.outgoing;
    }

    /** Rejects all requests. */
    rejectAll(error: TidingsError): void {
        for (const request of [...this.#queue]) request.reject(error);
    }
}
