/**
 * Stack traces that every Node.js can format.
 *
 * Some releases of Node.js, 20.20 and 26.3 among them, format an error with colours without end if a frame names a file
 * directly in node_modules or in a scope (https://github.com/nodejs/node/issues/64011). The source maps of Pulumi's SDK
 * name such files (`node_modules/@pulumi/output.ts`), and Pulumi's runner formats errors with colours: it would never
 * report an error, and the deployment would neither fail nor end.
 */

/** End of a frame that names a file without a package folder, after the folder of packages or the scope. */
const BARE_FILE = /^( +at .*([\\/])node_modules\2(?:@[^\\/\n]+\2)?)(?=[^\\/\n]+$)/gm;

/** Adds the folder `.` to each frame of a stack trace that names a file without a package folder. */
export function withPackageFolders(stack: string): string {
    return stack.replaceAll(BARE_FILE, "$1.$2");
}

/** Makes the stack traces of all errors from now on such that every Node.js can format them. */
export function mendStackTraces(): void {
    const prepare = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace")?.value as typeof Error.prepareStackTrace | undefined;
    // The runner has set it, to apply source maps. Without it, Node.js makes the traces itself.
    if (prepare === undefined) {
        return;
    }
    Error.prepareStackTrace = (error, frames): unknown => {
        const stack: unknown = prepare.call(Error, error, frames);
        return typeof stack === "string" ? withPackageFolders(stack) : stack;
    };
}
