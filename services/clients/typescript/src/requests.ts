import type { Clock, Timer } from "./clock.ts";
import { TidingsError } from "./errors.ts";
import type { ClientFrame, ServerFrame } from "./frames.ts";
import type { Job } from "./socket.ts";

/** An answer of a type. */
export type Answer<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;

interface Request {
    readonly job: Job;
    readonly timer: Timer;
    underWay: boolean;
    reject(error: TidingsError): void;
}

/**
 * What the application asked for and has no answer to, in order. A request that was under way when a connection
 * ended is sent again over the next: those that send something have an id, by which the gateway knows them.
 */
export class Requests {
    readonly #clock: Clock;
    readonly #timeout: number;
    readonly #onLate: () => void;
    #waiting: Request[] = [];

    /**
     * @param timeout how many milliseconds a request may take, waiting for a connection included
     * @param onLate is called when a request that is under way is given up: its answer may come yet, and would be
     * taken for that of another one, so the connection must not be used any more
     */
    constructor(clock: Clock, timeout: number, onLate: () => void) {
        this.#clock = clock;
        this.#timeout = timeout;
        this.#onLate = onLate;
    }

    /** Adds a request, which is answered by a frame of this type: one request at a time is under way. */
    add<T extends ServerFrame["type"]>(frame: ClientFrame & Record<string, unknown>, type: T): Promise<Answer<T>> {
        return new Promise((resolve, reject) => {
            const done = (): void => {
                this.#clock.cancel(request.timer);
                this.#waiting = this.#waiting.filter((other) => other !== request);
            };
            const request: Request = {
                underWay: false,
                reject: (error) => {
                    done();
                    reject(error);
                },
                timer: this.#clock.after(this.#timeout, () => {
                    const { underWay } = request;
                    request.reject(new TidingsError("timeout", "there was no answer in time"));
                    if (underWay) this.#onLate();
                }),
                job: {
                    frame,
                    answered: (answer) => {
                        if (answer.type !== type) return false;
                        done();
                        resolve(answer as Answer<T>);
                        return true;
                    },
                    refused: (error) => {
                        request.reject(error);
                    },
                    lost: () => {
                        request.underWay = false;
                    },
                },
            };
            this.#waiting.push(request);
        });
    }

    /** The next one to send. */
    take(): Job | undefined {
        const [first] = this.#waiting;
        if (first === undefined) return undefined;
        first.underWay = true;
        return first.job;
    }

    /** Rejects all there are. */
    rejectAll(error: TidingsError): void {
        for (const request of [...this.#waiting]) request.reject(error);
    }
}
