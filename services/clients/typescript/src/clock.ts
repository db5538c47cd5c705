/** A running timer, opaque to everything but the clock that started it. */
export type Timer = unknown;

/** The time as the client sees it. Tests replace the system's clock. */
export interface Clock {
    /**
     * Returns milliseconds since the Unix epoch. Only displayed times and the expiry of credentials depend on it.
     */
    now(): number;
    /** Calls `callback` once, after the given number of milliseconds. */
    after(milliseconds: number, callback: () => void): Timer;
    /** Cancels a timer. Does nothing if it has fired already. */
    cancel(timer: Timer): void;
}

/** The system's clock. */
export const systemClock: Clock = {
    now: () => Date.now(),
    after: (milliseconds, callback) => setTimeout(callback, milliseconds),
    cancel: (timer) => {
        clearTimeout(timer as ReturnType<typeof setTimeout>);
    },
};
