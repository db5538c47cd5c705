import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { parse } from "yaml";

import type { RegisteredResource } from "../engine/recorder.js";
import { runProgram } from "../engine/runner.js";
import { stackConfiguration, STACK_NAMES } from "../engine/stacks.js";
import { adaptations, IGNORED_SETTINGS } from "./adaptations.js";
import { command, printStatus, UsageError } from "./command.js";
import { connect, type Endpoint } from "./endpoint.js";
import { endpointProvider } from "./provider.js";

const USAGE = `\
apply --archives FOLDER [--stack NAME] [--configuration ${STACK_NAMES.join("|")}] [--config KEY=VALUE]...
      [--environments FILE] [--through URL] [--without FUNCTION:ACTION]... [--without-sources]

Creates the resources of the Pulumi program on the endpoint in AWS_ENDPOINT_URL, and prints the stack's outputs in the
format of \`pulumi stack output --json\`. It keeps no state: a resource that exists already is an error, so a second run
fails. Paths are absolute, or relative to the folder of Pulumi.yaml.
  --archives         folder of the functions' archives, built for this machine
  --stack            name of the stack, a part of all names on the endpoint (default: dev)
  --configuration    stack whose configuration is used (default: dev)
  --config           overrides a configuration key; the value is in YAML
  --environments     writes the environment of each function to a file, for scripts/invoke
For tests:
  --through          address by which functions reach the endpoint
  --without          removes an action from the role of a function
  --without-sources  creates no event sources`;

function parseOptions() {
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

function requireValue(value: string | undefined, name: string): string {
    if (value === undefined || value === "") {
        throw new UsageError(`${name} is missing`);
    }
    return value;
}

/** Parses the values of --config. */
function parseChanges(pairs: readonly string[]): Record<string, unknown> {
    return Object.fromEntries(
        pairs.map((pair): [string, unknown] => {
            const at = pair.indexOf("=");
            if (at < 1) {
                throw new UsageError(`--config has ${pair}; expected KEY=VALUE`);
            }
            return [pair.slice(0, at), parse(pair.slice(at + 1))];
        }),
    );
}

/** Returns the environment of each function, by the function's name in the contract. */
function environments(functions: readonly RegisteredResource[]): Record<string, unknown> {
    const variables = ({ outputs }: RegisteredResource): unknown => (outputs["environment"] as { readonly variables: unknown }).variables;
    return Object.fromEntries(functions.map((resource) => [resource.name, variables(resource)]));
}

/** Prints the differences between this deployment and one on AWS. */
function printDifferences(endpoint: Endpoint): void {
    printStatus("changed for the endpoint:");
    adaptations(endpoint).forEach(({ type, change, reason }) => {
        printStatus(`  ${type}: ${change}; ${reason}`);
    });
    printStatus("created, but ignored by the emulator:");
    IGNORED_SETTINGS.forEach(({ setting, reason }) => {
        printStatus(`  ${setting}: ${reason}`);
    });
}

async function main(): Promise<void> {
    const values = parseOptions();
    const url = requireValue(process.env["AWS_ENDPOINT_URL"], "AWS_ENDPOINT_URL").replace(/\/$/, "");
    const changes = { ...parseChanges(values.config), "tidings:archives": requireValue(values.archives, "--archives") };
    const stack = STACK_NAMES.find((name) => name === values.configuration);
    if (stack === undefined) {
        throw new UsageError(`--configuration has ${values.configuration}; expected ${STACK_NAMES.join(", ")}`);
    }
    const configuration = stackConfiguration(stack, changes);
    const region = requireValue(configuration["aws:region"], "aws:region");
    const endpoint = await connect(url, region, values.through ?? url);
    const omit = { actions: values.without, eventSources: values["without-sources"] };
    let count = 0;
    const provider = endpointProvider(endpoint, omit, (resource) => {
        count += 1;
        printStatus(`${String(count).padStart(4)}  ${resource}`);
    });
    const { status, log, graph } = await runProgram(values.stack, configuration, provider);
    if (log !== "") {
        printStatus(log);
    }
    if (status !== 0) {
        const exit = status === null ? "" : `: the program exited with status ${status}`;
        throw new Error(`the stack is incomplete${exit}; the resources created so far still exist`);
    }
    printDifferences(endpoint);
    if (values.environments !== undefined) {
        writeFileSync(values.environments, `${JSON.stringify(environments(graph.allOf("lambda/function")), null, 2)}\n`);
    }
    process.stdout.write(`${JSON.stringify(graph.outputs, null, 2)}\n`);
}

command(USAGE, main);
