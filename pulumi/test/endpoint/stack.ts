import { readFileSync } from "node:fs";

import { atLeast, optional, text } from "./read.js";

/**
 * Reads the outputs that the commands use. A stack has more of them, depending on its configuration: those of the history,
 * and the ARNs of secrets.
 */
export const readStack = atLeast({
    region: text,
    webSocketUrl: text,
    tokenUrl: text,
    producerUrl: text,
    queueUrl: text,
    /** Absent, like the client, if the users are those of another issuer. */
    userPoolId: optional(text),
    userPoolClientId: optional(text),
});

/** Outputs of a stack. */
export type Outputs = ReturnType<typeof readStack>;

/** Reads a file with the output of `apply`. */
export function readOutputs(file: string): Outputs {
    return readStack(JSON.parse(readFileSync(file, "utf8")), file);
}
