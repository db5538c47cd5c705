import { readFileSync } from "node:fs";

import { exactly, map, text } from "./read.js";

const outputs = exactly({
    region: text,
    webSocketUrl: text,
    tokenUrl: text,
    producerUrl: text,
    producerInvokeArn: text,
    queueUrl: text,
    queueArn: text,
    deadLetterUrl: text,
    replayFailureUrl: text,
    tables: map(text),
    dashboardUrl: text,
    userPoolId: text,
    userPoolClientId: text,
});

/** Outputs of a stack with a user pool. */
export type Outputs = ReturnType<typeof outputs>;

/** Reads a file with the output of `apply`. */
export function readOutputs(file: string): Outputs {
    return outputs(JSON.parse(readFileSync(file, "utf8")), file);
}
