/** Bounds of the delays between connection attempts, in milliseconds. */
export interface Backoff {
    /** Upper bound of the first delay. */
    readonly initial: number;
    /** Upper bound of every delay. */
    readonly max: number;
}

/**
 * Returns the delay before the next attempt: a random time below a bound that doubles with every failure ("full
 * jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 *
 * @param failures number of attempts that failed in a row
 * @param random returns a number in [0, 1)
 * @returns milliseconds
 */
export function fullJitter(backoff: Backoff, failures: number, random: () => number): number {
    return Math.floor(random() * Math.min(backoff.max, backoff.initial * 2 ** failures));
}
