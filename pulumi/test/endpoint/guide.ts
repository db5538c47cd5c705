import { dirname, join } from "node:path";

import { command, outputsAndName } from "./command.js";
import { readOutputs } from "./stack.js";
import { login } from "./users.js";

const USAGE = `\
guide OUTPUTS NAME

Creates a user of the stack, and prints the stack's addresses and commands to try. OUTPUTS is the file with the output
of apply.`;

command(USAGE, async () => {
    const { file, name } = outputsAndName();
    const outputs = readOutputs(file);
    // Without a user pool, tokens come from the configured issuer.
    const { userId } = outputs.userPoolId === undefined ? { userId: name } : await login(outputs, name);
    const jwt = outputs.userPoolId === undefined ? `the issuer's token of ${name}` : `$(scripts/local-aws login ${name})`;
    const tidings = join(dirname(dirname(file)), "debug/tidings");
    const body = JSON.stringify({ userId, id: "hello-1", payload: { hello: name } });
    process.stdout.write(`
Tidings is running.

  WebSocket API for clients   ${outputs.webSocketUrl}
  token API for users         ${outputs.tokenUrl}
  producer API                ${outputs.producerUrl}
  notifications queue         ${outputs.queueUrl}
  AWS_ENDPOINT_URL            ${new URL(outputs.tokenUrl).origin}
  outputs of the stack        ${file}

In a second terminal, connect as ${name}:

  JWT="${jwt}"
  ${tidings} --stack ${file} listen --jwt "$JWT"

In a third terminal, send a notification. The emulator requires an id; the same id is delivered once in five minutes:

  curl --aws-sigv4 aws:amz:${outputs.region}:execute-api --user test:test -H 'content-type: application/json' \\
       -d '${body}' '${outputs.producerUrl}'

Press Ctrl-C to stop Tidings and delete its data.
`);
});
