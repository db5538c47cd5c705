import { spawn, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";

import type { ProgramInfo, RunRequest } from "@pulumi/pulumi/proto/language_pb";

/** Exit status of Pulumi's program runner when it has already told the user what is wrong. */
const TOLD_THE_USER = 32;

/** Result of a program: an error, or `bail` if the user knows it already. */
interface Result {
    readonly error: string;
    readonly bail: boolean;
}

/** The options of `runtime` in Pulumi.yaml that this host knows. */
interface Options {
    readonly typescript: boolean;
    readonly tsconfig: string | undefined;
    readonly nodeargs: readonly string[];
}

function parseOptions(info: ProgramInfo): Options {
    const { typescript = true, tsconfig, nodeargs = "" } = info.getOptions()?.toJavaScript() ?? {};
    if (typeof typescript !== "boolean") {
        throw new Error("typescript option must be a boolean");
    }
    if (tsconfig !== undefined && typeof tsconfig !== "string") {
        throw new Error("tsconfig option must be a string");
    }
    if (typeof nodeargs !== "string" || /["'\\]/.test(nodeargs)) {
        throw new Error("nodeargs option must be a string without quotes");
    }
    return { typescript, tsconfig, nodeargs: nodeargs.split(/\s+/).filter((argument) => argument !== "") };
}

/** Returns the configuration in the form in which the SDK reads it, with keys like `tidings:config:production`. */
function configuration(request: RunRequest): Record<string, string> {
    const entries = request.getConfigMap().toObject(false);
    return Object.fromEntries(entries.map(([key, value]): [string, string] => [key.replace(":", ":config:"), value]));
}

function programArguments(request: RunRequest, info: ProgramInfo, engine: string): readonly string[] {
    const flags = {
        monitor: request.getMonitorAddress(),
        engine,
        organization: request.getOrganization(),
        project: request.getProject(),
        "root-directory": info.getRootDirectory(),
        stack: request.getStack(),
        pwd: info.getProgramDirectory(),
        parallel: String(request.getParallel()),
    };
    const given = Object.entries(flags).filter(([, value]) => value !== "");
    return [
        ...given.flatMap(([name, value]) => [`--${name}`, value]),
        ...(request.getDryrun() ? ["--dry-run"] : []),
        info.getEntryPoint(),
        ...request.getArgsList(),
    ];
}

/** A Pulumi program that runs in a process of its own. */
export class Program {
    readonly result: Promise<Result>;
    private readonly process: ChildProcess;

    constructor(request: RunRequest, engine: string) {
        const info = request.getInfo();
        if (info === undefined) {
            throw new Error("the engine names no program");
        }
        const { typescript, tsconfig, nodeargs } = parseOptions(info);
        const directory = info.getProgramDirectory();
        // Pulumi's own runner, as the program has it installed.
        const runner = createRequire(join(directory, "package.json")).resolve("@pulumi/pulumi/cmd/run");
        this.process = spawn(process.execPath, [...nodeargs, runner, ...programArguments(request, info, engine)], {
            cwd: directory,
            env: {
                ...process.env,
                PULUMI_CONFIG: JSON.stringify(configuration(request)),
                PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
                ...(typescript ? { PULUMI_NODEJS_TYPESCRIPT: "true" } : {}),
                ...(tsconfig === undefined ? {} : { PULUMI_NODEJS_TSCONFIG_PATH: tsconfig }),
            },
            stdio: ["ignore", "inherit", "inherit"],
        });
        this.result = new Promise((resolve, reject) => {
            this.process.on("error", reject).on("close", (status, signal) => {
                resolve(result(status, signal));
            });
        });
    }

    /** Asks the program to end. */
    interrupt(): void {
        this.process.kill("SIGINT");
    }
}

function result(status: number | null, signal: NodeJS.Signals | null): Result {
    if (status === 0) {
        return { error: "", bail: false };
    }
    if (status === TOLD_THE_USER) {
        return { error: "", bail: true };
    }
    return { error: status === null ? `Program was ended by ${String(signal)}` : `Program exited with non-zero exit code: ${status}`, bail: false };
}
