/** A timer that was started; only its clock knows what it is. */
export type Timer = unknown;

/** Time, as the client sees it. Tests give it another one than the system's. */
export interface Clock {
    /** Milliseconds since the Unix epoch. Only times that are shown, and when a credential ends, depend on it. */
    now(): number;
    /** Calls back after so many milliseconds. */
    after(milliseconds: number, callback: () => void): Timer;
    /** Makes a timer not call back; one that has called back already is ignored. */
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
