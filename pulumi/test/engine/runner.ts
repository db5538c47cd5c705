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

/** Answers calls, with errors as gRPC has them. */
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

/** What a monitor tells of a program. */
interface Told {
    readonly outputs: (outputs: Properties) => void;
    /** A resource could not be made, for this reason. */
    readonly failed: (why: string) => void;
}

/** The monitor that a program registers its resources with. */
function monitor(recorder: Recorder, told: Told): grpc.UntypedServiceImplementation {
    return {
        // Of the protocol's later parts the program needs none, and inputs come as plain values without them.
        supportsFeature: unary(() => new resource.SupportsFeatureResponse().setHassupport(false)),
        registerResource: unary(async (request: resource.RegisterResourceRequest) => {
            const made = await recorder.register(request).catch((error: unknown) => {
                told.failed(reason(error));
                throw error;
            });
            return new resource.RegisterResourceResponse().setUrn(made.urn).setId(made.id).setObject(struct(made.outputs));
        }),
        registerResourceOutputs: unary((request: resource.RegisterResourceOutputsRequest) => {
            if (request.getUrn().includes("pulumi:pulumi:Stack::")) {
                told.outputs((request.getOutputs()?.toJavaScript() ?? {}));
            }
            return new Empty();
        }),
        signalAndWaitForShutdown: unary(() => new Empty()),
    };
}

/** The engine, which is told what the program logs; of it, what people are shown as wrong is kept. */
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

/** What a run of the program came to. */
export interface Run {
    readonly graph: Graph;
    /** The exit status of Pulumi's runner; null when it was ended because a resource could not be made. */
    readonly status: number | null;
    /** All that it said. */
    readonly log: string;
}

/**
 * Runs the program as `pulumi up` does: its entry point, by Pulumi's own runner for Node.js, in a process of its
 * own and with the arguments of Pulumi.yaml, told the configuration, against a monitor here.
 */
export async function run(stack: string, config: Readonly<Record<string, string>>, provider: Provider): Promise<Run> {
    const recorder = new Recorder(stack, PROJECT.name, provider);
    const log: string[] = [];
    let outputs: Properties = {};
    const failing = new AbortController();
    const server = new grpc.Server();
    server.addService(
        ResourceMonitorService,
        monitor(recorder, {
            outputs: (given) => {
                outputs = given;
            },
            // As the engine does: the program would wait for what depends on it.
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
    const told = ["--project", PROJECT.name, "--stack", stack, "--parallel", "16", "--monitor", address, "--engine", address, "--pwd", PROGRAM];
    const child = spawn(process.execPath, [...PROJECT.runtime.options.nodeargs.split(" "), runner, ...told, PROJECT.main], {
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
