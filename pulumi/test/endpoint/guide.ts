import { dirname, join } from "node:path";

import { command, UsageError } from "./command.js";
import { readOutputs } from "./stack.js";
import { login } from "./users.js";

const USAGE = `\
guide OUTPUTS NAME

Makes a user of the stack, and prints where everything is and what can be done. OUTPUTS is what apply printed.`;

command(USAGE, async () => {
    const [file, name, ...more] = process.argv.slice(2);
    if (file === undefined || name === undefined || more.length > 0) {
        throw new UsageError("a file and a name are needed");
    }
    const outputs = readOutputs(file);
    const { userId } = await login(outputs, name);
    const tidings = join(dirname(dirname(file)), "debug/tidings");
    const body = JSON.stringify({ userId, id: "hello-1", payload: { hello: name } });
    process.stdout.write(`
Tidings is up.

  clients connect to      ${outputs.webSocketUrl}
  users get tokens from   ${outputs.tokenUrl}
  producers post to       ${outputs.producerUrl}
  or send to the queue    ${outputs.queueUrl}
  AWS_ENDPOINT_URL        ${new URL(outputs.tokenUrl).origin}
  outputs of the stack    ${file}

In a second terminal, be ${name}:

  JWT=$(scripts/local-aws login ${name})
  ${tidings} --stack ${file} listen --jwt "$JWT"

In a third, send something; a notification needs an id here, and one id arrives once in five minutes:

  curl --aws-sigv4 aws:amz:${outputs.region}:execute-api --user test:test -H 'content-type: application/json' \\
       -d '${body}' '${outputs.producerUrl}'

Ctrl-C ends it, and nothing is kept.
`);
});
