import { spawn } from "node:child_process";
import { createRequire } from "node:module";

import * as grpc from "@grpc/grpc-js";
import { EngineService, type IEngineServer } from "@pulumi/pulumi/proto/engine_grpc_pb";
import * as engine from "@pulumi/pulumi/proto/engine_pb";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb";
import * as resource from "@pulumi/pulumi/proto/resource_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct, type JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb";

import { Graph } from "../graph.js";
import { Recorder, type Properties, type Provider } from "./recorder.js";
import { PROGRAM, PROJECT } from "./stacks.js";

function reason(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}

/** Wraps a function as a gRPC handler, whose errors become gRPC errors. */
function unary<Request, Response>(answer: (request: Request) => Promise<Response> | Response): grpc.handleUnaryCall<Request, Response> {
    return (call, callback) => {
        Promise.resolve(call.request)
            .then(answer)
            .then(
                (response) => {
                    callback(null, response);
                },
                (error: unknown) => {
                    callback({ code: grpc.status.UNKNOWN, details: reason(error) });
                },
            );
    };
}

function struct(properties: Properties): Struct {
    return Struct.fromJavaScript(properties as Record<string, JavaScriptValue>);
}

/** Callbacks of a resource monitor. */
interface MonitorEvents {
    /** Called with the stack's outputs. */
    readonly outputs: (outputs: Properties) => void;
    /** Called with the reason when a resource can't be created. */
    readonly failed: (why: string) => void;
}

/** Returns the resource monitor with which a program registers its resources. */
function monitor(recorder: Recorder, events: MonitorEvents): grpc.UntypedServiceImplementation {
    return {
        // The program needs no later feature of the protocol, and without them inputs arrive as plain values.
        supportsFeature: unary(() => new resource.SupportsFeatureResponse().setHassupport(false)),
        registerResource: unary(async (request: resource.RegisterResourceRequest) => {
            const { urn, id, outputs } = await recorder.register(request).catch((error: unknown) => {
                events.failed(reason(error));
                throw error;
            });
            return new resource.RegisterResourceResponse().setUrn(urn).setId(id).setObject(struct(outputs));
        }),
        registerResourceOutputs: unary((request: resource.RegisterResourceOutputsRequest) => {
            if (request.getUrn().includes("pulumi:pulumi:Stack::")) {
                events.outputs((request.getOutputs()?.toJavaScript() ?? {}));
            }
            return new Empty();
        }),
        signalAndWaitForShutdown: unary(() => new Empty()),
    };
}

/** Returns the engine service, which keeps the program's warnings and errors. */
function host(log: (line: string) => void): Partial<IEngineServer> {
    let root = "";
    return {
        log: unary((request: engine.LogRequest) => {
            if (request.getSeverity() >= engine.LogSeverity.WARNING) {
                log(request.getMessage());
            }
            return new Empty();
        }),
        getRootResource: unary(() => new engine.GetRootResourceResponse().setUrn(root)),
        setRootResource: unary((request: engine.SetRootResourceRequest) => {
            root = request.getUrn();
            return new engine.SetRootResourceResponse();
        }),
    };
}

/** Result of a run of the program. */
export interface Run {
    readonly graph: Graph;
    /** Exit status of Pulumi's program runner; null if it was killed because a resource could not be created. */
    readonly status: number | null;
    /** Output, warnings and errors of the program. */
    readonly log: string;
}

/**
 * Runs the program as `pulumi up` does: Pulumi's own program runner for Node.js executes the entry point in a separate
 * process, with the arguments of Pulumi.yaml and the given configuration, and registers resources with a monitor in
 * this process.
 */
export async function runProgram(stack: string, config: Readonly<Record<string, string>>, provider: Provider): Promise<Run> {
    const recorder = new Recorder(stack, PROJECT.name, provider);
    const log: string[] = [];
    let outputs: Properties = {};
    const failing = new AbortController();
    const server = new grpc.Server();
    server.addService(
        ResourceMonitorService,
        monitor(recorder, {
            outputs: (stackOutputs) => {
                outputs = stackOutputs;
            },
            // The engine, too, ends a program then, which would otherwise wait for the resource.
            failed: (why) => {
                log.push(why);
                failing.abort();
            },
        }),
    );
    server.addService(EngineService, host((line) => log.push(line)) as grpc.UntypedServiceImplementation);
    const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => {
            if (error === null) {
                resolve(bound);
            } else {
                reject(error);
            }
        });
    });
    const address = `127.0.0.1:${port}`;
    const runner = createRequire(__filename).resolve("@pulumi/pulumi/cmd/run");
    const runnerArguments = ["--project", PROJECT.name, "--stack", stack, "--parallel", "16", "--monitor", address, "--engine", address, "--pwd", PROGRAM];
    const child = spawn(process.execPath, [...PROJECT.runtime.options.nodeargs.split(" "), runner, ...runnerArguments, PROJECT.main], {
        cwd: PROGRAM,
        env: { PATH: process.env["PATH"], PULUMI_CONFIG: JSON.stringify(config), PULUMI_CONFIG_SECRET_KEYS: "[]" },
        stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => log.push(text));
    }
    failing.signal.addEventListener("abort", () => child.kill());
    const status = await new Promise<number | null>((resolve, reject) => {
        child.on("error", reject).on("close", resolve);
    });
    server.forceShutdown();
    return { graph: new Graph(recorder.resources, outputs), status, log: log.join("\n") };
}
