/** Wrong usage: what was wrong. */
export class UsageError extends Error {}

// As sysexits.h has it.
const EX_USAGE = 64;

/** Says something to people; what is for programs goes to standard output. */
export function say(line: string): void {
    process.stderr.write(`${line}\n`);
}

/** Runs a program: exit status 64 for wrong usage, 1 when it fails. */
export function command(usage: string, main: () => Promise<void>): void {
    main().catch((error: unknown) => {
        const wrong = error instanceof UsageError;
        say(`${error instanceof Error ? error.message : String(error)}${wrong ? `\n\n${usage}` : ""}`);
        process.exitCode = wrong ? EX_USAGE : 1;
    });
}
