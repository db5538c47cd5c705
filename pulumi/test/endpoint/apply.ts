import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { parse } from "yaml";

import { configuration, stackValues, STACK_NAMES } from "../mocks/stacks.js";
import { adaptations, IGNORED_SETTINGS } from "./adaptations.js";
import { command, printStatus, UsageError } from "./command.js";
import { connect, type Endpoint } from "./endpoint.js";
import { forget, Project, type StateResource } from "./project.js";
import type { Settings } from "./settings.js";

const USAGE = `\
apply --archives FOLDER [--stack NAME] [--configuration ${STACK_NAMES.join("|")}] [--config KEY=VALUE]...
      [--state FOLDER] [--environments FILE] [--through URL] [--without FUNCTION:ACTION]... [--without-sources]

Runs \`pulumi up\` with the Pulumi program on the endpoint in AWS_ENDPOINT_URL, and prints the stack's outputs in the
format of \`pulumi stack output --json\`. Paths are absolute, or relative to the folder of Pulumi.yaml.
  --archives         folder of the functions' archives, built for this machine
  --stack            name of the stack, a part of all names on the endpoint (default: dev)
  --configuration    stack whose configuration is used (default: dev)
  --config           overrides a configuration key; the value is in YAML
  --state            keeps the state, so that the next run with it changes what differs; without, a second run fails
                     because the resources exist already
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
                state: { type: "string" },
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
function environments(resources: readonly StateResource[]): Record<string, unknown> {
    const functions = resources.filter(({ type }) => type === "aws:lambda/function:Function");
    return Object.fromEntries(
        functions.map(({ urn, inputs }): [string, unknown] => {
            const { variables } = inputs?.["environment"] as { readonly variables: unknown };
            return [urn.split("::").at(-1) ?? "", variables];
        }),
    );
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

/** Writes a file that sets the environment of the project for a shell. */
function writeEnvironment(root: string, project: Project): void {
    const quoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
    const lines = Object.entries(project.environment).map(([name, value]) => `export ${name}=${quoted(value)}`);
    writeFileSync(join(root, "environment"), `${lines.join("\n")}\n`);
}

async function main(): Promise<void> {
    const values = parseOptions();
    const url = requireValue(process.env["AWS_ENDPOINT_URL"], "AWS_ENDPOINT_URL").replace(/\/$/, "");
    const changes = { ...parseChanges(values.config), "tidings:archives": requireValue(values.archives, "--archives") };
    const file = STACK_NAMES.find((name) => name === values.configuration);
    if (file === undefined) {
        throw new UsageError(`--configuration has ${values.configuration}; expected ${STACK_NAMES.join(", ")}`);
    }
    const set = stackValues(file, changes);
    const region = requireValue(configuration(set)["aws:region"], "aws:region");
    const omit = { actions: values.without, eventSources: values["without-sources"] };
    const settings: Settings = { url, region, functionsUrl: values.through ?? url, omit };
    const endpoint = await connect(url, region, settings.functionsUrl);
    const root = values.state ?? mkdtempSync(join(tmpdir(), "tidings-stack-"));
    try {
        const project = new Project(root, settings);
        writeEnvironment(root, project);
        const stack = await project.stack(values.stack, set);
        await stack.up((text) => process.stderr.write(text));
        printDifferences(endpoint);
        if (values.environments !== undefined) {
            writeFileSync(values.environments, `${JSON.stringify(environments(await stack.resources()), null, 2)}\n`);
        }
        process.stdout.write(`${JSON.stringify(await stack.outputs(), null, 2)}\n`);
    } finally {
        if (values.state === undefined) {
            forget(root);
        }
    }
}

command(USAGE, main);
