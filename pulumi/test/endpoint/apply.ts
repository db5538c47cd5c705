import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { parse } from "yaml";

import type { Recorded } from "../engine/recorder.js";
import { run } from "../engine/runner.js";
import { stackConfiguration, STACK_NAMES } from "../engine/stacks.js";
import { adaptations, WITHOUT_EFFECT } from "./adaptations.js";
import { command, say, UsageError } from "./command.js";
import { connect, type Endpoint } from "./endpoint.js";
import { endpointProvider } from "./provider.js";

const USAGE = `\
apply --archives FOLDER [--stack NAME] [--configuration ${STACK_NAMES.join("|")}] [--config KEY=VALUE]...
      [--environments FILE] [--through URL] [--without FUNCTION:ACTION]... [--without-sources]

Makes what the Pulumi program registers on the endpoint in AWS_ENDPOINT_URL, and prints the stack's outputs as
\`pulumi stack output --json\` does. There is no state: what is there already is an error, and so is a second run.
Paths are absolute, or relative to the folder of Pulumi.yaml.
  --archives         the folder of the functions' archives, for this machine
  --stack            what the stack is called (dev), which all names on the endpoint begin with
  --configuration    whose configuration it has (dev)
  --config           a key of it with another value, in YAML
  --environments     writes the environment of each function to a file, for scripts/invoke
For tests:
  --through          functions reach the endpoint by this address
  --without          the function's role lacks an action
  --without-sources  no event sources`;

function told() {
    try {
        const { values } = parseArgs({
            options: {
                archives: { type: "string" },
                stack: { type: "string", default: "dev" },
                configuration: { type: "string", default: "dev" },
                config: { type: "string", multiple: true, default: [] },
                environments: { type: "string" },
                through: { type: "string" },
                without: { type: "string", multiple: true, default: [] },
                "without-sources": { type: "boolean", default: false },
            },
        });
        return values;
    } catch (error) {
        throw new UsageError(error instanceof Error ? error.message : String(error));
    }
}

function needed(value: string | undefined, what: string): string {
    if (value === undefined || value === "") {
        throw new UsageError(`${what} is needed`);
    }
    return value;
}

function changes(texts: readonly string[]): Record<string, unknown> {
    return Object.fromEntries(
        texts.map((text): [string, unknown] => {
            const at = text.indexOf("=");
            if (at < 1) {
                throw new UsageError(`--config has ${text}; allowed is KEY=VALUE`);
            }
            return [text.slice(0, at), parse(text.slice(at + 1))];
        }),
    );
}

/** The environment of each function, by its name in the contract. */
function environments(functions: readonly Recorded[]): Record<string, unknown> {
    const variables = ({ outputs }: Recorded): unknown => (outputs["environment"] as { readonly variables: unknown }).variables;
    return Object.fromEntries(functions.map((one) => [one.name, variables(one)]));
}

/** What is not as on AWS, so that nobody takes it for that. */
function differences(endpoint: Endpoint): void {
    say("changed for the endpoint:");
    adaptations(endpoint).forEach(({ type, what, why }) => {
        say(`  ${type}: ${what}; ${why}`);
    });
    say("made, and without effect on the emulator:");
    WITHOUT_EFFECT.forEach(({ what, why }) => {
        say(`  ${what}: ${why}`);
    });
}

async function main(): Promise<void> {
    const values = told();
    const url = needed(process.env["AWS_ENDPOINT_URL"], "AWS_ENDPOINT_URL").replace(/\/$/, "");
    const own = { ...changes(values.config), "tidings:archives": needed(values.archives, "--archives") };
    const stack = STACK_NAMES.find((one) => one === values.configuration);
    if (stack === undefined) {
        throw new UsageError(`--configuration has ${values.configuration}; allowed is ${STACK_NAMES.join(", ")}`);
    }
    const configuration = stackConfiguration(stack, own);
    const region = needed(configuration["aws:region"], "aws:region");
    const endpoint = await connect(url, region, values.through ?? url);
    const omit = { actions: values.without, eventSources: values["without-sources"] };
    let count = 0;
    const provider = endpointProvider(endpoint, omit, (made) => {
        count += 1;
        say(`${String(count).padStart(4)}  ${made}`);
    });
    const { status, log, graph } = await run(values.stack, configuration, provider);
    if (log !== "") {
        say(log);
    }
    if (status !== 0) {
        throw new Error(`the stack is not whole${status === null ? "" : `: the program ended with ${status}`}; what was made is still there`);
    }
    differences(endpoint);
    if (values.environments !== undefined) {
        writeFileSync(values.environments, `${JSON.stringify(environments(graph.of("lambda/function")), null, 2)}\n`);
    }
    process.stdout.write(`${JSON.stringify(graph.outputs, null, 2)}\n`);
}

command(USAGE, main);
