import { command, say, UsageError } from "./command.js";
import { readOutputs } from "./stack.js";
import { login } from "./users.js";

const USAGE = `\
login OUTPUTS NAME

Logs a user of the stack in, who is made if need be, and prints the ID token. OUTPUTS is what apply printed.`;

command(USAGE, async () => {
    const [file, name, ...more] = process.argv.slice(2);
    if (file === undefined || name === undefined || more.length > 0) {
        throw new UsageError("a file and a name are needed");
    }
    const { userId, jwt } = await login(readOutputs(file), name);
    say(`${name} has the user id ${userId}`);
    process.stdout.write(`${jwt}\n`);
});
