/** How delays between attempts grow, in milliseconds. */
export interface Backoff {
    /** The longest first delay. */
    readonly initial: number;
    /** The longest delay there is. */
    readonly max: number;
}

/**
 * The delay before the next attempt: anything up to a bound that doubles with every failure ("full jitter",
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 *
 * @param failures how many attempts in a row have failed
 * @param random a number from 0 up to but not 1
 * @returns milliseconds
 */
export function fullJitter(backoff: Backoff, failures: number, random: () => number): number {
    return Math.floor(random() * Math.min(backoff.max, backoff.initial * 2 ** failures));
}
