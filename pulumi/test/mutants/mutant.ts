/** A plausible mistake in the program, and the test that must find it. */
export interface Mutant {
    readonly mistake: string;
    /** Path of the changed file, relative to pulumi/. */
    readonly file: string;
    /** Text to replace; it must occur exactly once. */
    readonly from: string;
    readonly to: string;
    /** Test file, below test/ and without its ending, and full name of the test. */
    readonly check: readonly [file: string, test: string];
}
