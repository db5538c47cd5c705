import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { LocalWorkspace, type EngineEvent, type Stack } from "@pulumi/pulumi/automation";
import { parse, stringify } from "yaml";

import { PROGRAM, type Configuration } from "../mocks/stacks.js";
import { toEnvironment, type Settings } from "./settings.js";

/** Folder of the provider plugin. */
const PLUGIN = join(__dirname, "plugin");

/** Returns the path of a stack's configuration in a folder with Pulumi.yaml. */
function configurationFile(folder: string, stack: string): string {
    return join(folder, `Pulumi.${stack}.yaml`);
}

/**
 * A project for Pulumi's command line, in a folder of its own: links to all files of the program, its own stacks with
 * their configuration and state, and the provider plugin of an endpoint. `pulumi` and a language host must be on PATH.
 */
export class Project {
    /** Environment variables with which `pulumi` uses the project's state and the plugin. */
    readonly environment: Readonly<Record<string, string>>;
    /** Folder with Pulumi.yaml, in which `pulumi` must run. */
    readonly folder: string;

    /** Creates the project of a program in `root`, or opens the one that is there. */
    constructor(root: string, settings: Settings, program = PROGRAM) {
        this.folder = join(root, "project");
        for (const folder of [this.folder, join(root, "state"), join(root, "home")]) {
            mkdirSync(folder, { recursive: true });
        }
        this.use(program);
        this.environment = {
            PATH: `${PLUGIN}:${process.env["PATH"] ?? ""}`,
            PULUMI_BACKEND_URL: `file://${join(root, "state")}`,
            PULUMI_HOME: join(root, "home"),
            // The state has no secrets: it is that of an emulator.
            PULUMI_CONFIG_PASSPHRASE: "",
            PULUMI_SKIP_UPDATE_CHECK: "true",
            PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
            ...toEnvironment(settings),
        };
    }

    /** Links the files of a program, in place of those that are linked. */
    use(program: string): void {
        const isStack = (name: string): boolean => /^Pulumi\..+\.yaml$/.test(name);
        for (const name of readdirSync(this.folder).filter((file) => !isStack(file))) {
            rmSync(join(this.folder, name));
        }
        for (const name of readdirSync(program).filter((file) => !isStack(file))) {
            symlinkSync(join(program, name), join(this.folder, name));
        }
    }

    /** Returns the stack of this name with this configuration, created if necessary. */
    async stack(name: string, configuration: Configuration): Promise<EngineStack> {
        writeFileSync(configurationFile(this.folder, name), stringify({ config: configuration }));
        const stack = await LocalWorkspace.createOrSelectStack({ stackName: name, workDir: this.folder }, { envVars: { ...this.environment } });
        return new EngineStack(stack, this.folder, this.environment);
    }
}

/** What an update did: the operations on each resource by its URN, as the engine calls them, and the engine's messages. */
export interface Done {
    readonly operations: ReadonlyMap<string, readonly string[]>;
    readonly messages: readonly string[];
}

/** A failed update. */
export class UpdateError extends Error {
    constructor(readonly done: Done) {
        super(done.messages.join("\n"));
    }
}

/** A resource in the state of a stack. */
export interface StateResource {
    readonly urn: string;
    readonly type: string;
    readonly id?: string;
    readonly custom: boolean;
    readonly inputs?: Readonly<Record<string, unknown>>;
    readonly outputs?: Readonly<Record<string, unknown>>;
}

/** A stack of a {@link Project}, on which the engine works. */
export class EngineStack {
    constructor(
        private readonly stack: Stack,
        private readonly folder: string,
        private readonly environment: Readonly<Record<string, string>>,
    ) {}

    /** Replaces the configuration. It takes effect with the next update. */
    configure(configuration: Configuration): void {
        const file = configurationFile(this.folder, this.stack.name);
        // Pulumi keeps the salt of its encryption in the file.
        const settings = parse(readFileSync(file, "utf8")) as Readonly<Record<string, unknown>>;
        writeFileSync(file, stringify({ ...settings, config: configuration }));
    }

    up(onOutput?: (text: string) => void): Promise<Done> {
        return run((onEvent) => this.stack.up({ onEvent, ...output(onOutput) }));
    }

    /** Returns what an update would do. */
    preview(): Promise<Done> {
        return run((onEvent) => this.stack.preview({ onEvent }));
    }

    /** Reads all resources from the endpoint and changes the state accordingly. */
    refresh(): Promise<Done> {
        return run((onEvent) => this.stack.refresh({ onEvent }));
    }

    destroy(): Promise<Done> {
        return run((onEvent) => this.stack.destroy({ onEvent }));
    }

    /** Lifts Pulumi's protection of all resources, as `pulumi state unprotect --all` does. */
    unprotect(): void {
        execFileSync("pulumi", ["state", "unprotect", "--all", "--yes", "--stack", this.stack.name], {
            cwd: this.folder,
            env: { ...process.env, ...this.environment },
            stdio: "pipe",
        });
    }

    async outputs(): Promise<Readonly<Record<string, unknown>>> {
        const outputs = await this.stack.outputs();
        return Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value as unknown]));
    }

    /** Returns all resources in the state. */
    async resources(): Promise<readonly StateResource[]> {
        const exported = await this.stack.exportStack();
        return (exported.deployment as { readonly resources?: readonly StateResource[] }).resources ?? [];
    }
}

function output(onOutput: ((text: string) => void) | undefined): { onOutput?: (text: string) => void } {
    return onOutput === undefined ? {} : { onOutput };
}

/** Runs an update. Throws {@link UpdateError} if it fails. */
async function run(update: (onEvent: (event: EngineEvent) => void) => Promise<unknown>): Promise<Done> {
    const operations = new Map<string, string[]>();
    const messages: string[] = [];
    const onEvent = ({ resourcePreEvent: step, diagnosticEvent: diagnostic }: EngineEvent): void => {
        if (step !== undefined) {
            const { urn, op } = step.metadata;
            operations.set(urn, [...(operations.get(urn) ?? []), op]);
        }
        if (diagnostic !== undefined && ["warning", "error", "info#err"].includes(diagnostic.severity)) {
            // Without the markers of colours.
            const message = diagnostic.message.replaceAll(/<\{%[^%]*%\}>/g, "").trim();
            // That plugins on PATH are used is intended.
            if (!message.startsWith("using pulumi-")) {
                messages.push(message);
            }
        }
    };
    const done = { operations, messages };
    try {
        await update(onEvent);
    } catch (error) {
        if (messages.length === 0) {
            throw error;
        }
        throw new UpdateError(done);
    }
    return done;
}

/** Deletes a project with the state of all its stacks. What they created stays. */
export function forget(root: string): void {
    // An engine that is ending may still write its log.
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
}
