import { command, outputsAndName, printStatus } from "./command.js";
import { readOutputs } from "./stack.js";
import { login } from "./users.js";

const USAGE = `\
login OUTPUTS NAME

Logs a user in, creating the user if necessary, and prints the user's ID token. OUTPUTS is the file with the output of
apply.`;

command(USAGE, async () => {
    const { file, name } = outputsAndName();
    const { userId, jwt } = await login(readOutputs(file), name);
    printStatus(`${name} has the user id ${userId}`);
    process.stdout.write(`${jwt}\n`);
});
