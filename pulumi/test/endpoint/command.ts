/** Wrong usage of a command. The message says which argument is wrong. */
export class UsageError extends Error {}

// EX_USAGE of sysexits.h.
const EX_USAGE = 64;

/** Writes a line for people to standard error. Standard output is for results that programs read. */
export function printStatus(line: string): void {
    process.stderr.write(`${line}\n`);
}

/** Runs a command. The exit status is 64 for wrong usage, and 1 for any other failure. */
export function command(usage: string, main: () => Promise<void>): void {
    main().catch((error: unknown) => {
        const isUsageError = error instanceof UsageError;
        printStatus(`${error instanceof Error ? error.message : String(error)}${isUsageError ? `\n\n${usage}` : ""}`);
        process.exitCode = isUsageError ? EX_USAGE : 1;
    });
}

/** Returns the arguments of a command that takes the file of a stack's outputs and a user's name. */
export function outputsAndName(): { readonly file: string; readonly name: string } {
    const [file, name, ...more] = process.argv.slice(2);
    if (file === undefined || name === undefined || more.length > 0) {
        throw new UsageError("expected two arguments: the file with the stack's outputs, and a user's name");
    }
    return { file, name };
}
