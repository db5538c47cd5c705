/**
 * A language host: a process that Pulumi's engine starts to run a program in Node.js. It sets what the host in Pulumi's
 * own distribution sets
 * (https://github.com/pulumi/pulumi/blob/v3.274.1/sdk/nodejs/cmd/pulumi-language-nodejs/main.go), and can't do the rest:
 * install packages, generate code, run plugins and policies, debug, and serve the SDK's synchronous calls.
 */
import * as grpc from "@grpc/grpc-js";
import { LanguageRuntimeService, type ILanguageRuntimeServer } from "@pulumi/pulumi/proto/language_grpc_pb";
import * as language from "@pulumi/pulumi/proto/language_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";

import { requiredPackages } from "./packages.js";
import { Program } from "./program.js";

/** Version that the engine displays. */
const VERSION = "0.0.0";

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
                    callback({ code: grpc.status.UNKNOWN, details: error instanceof Error ? error.message : String(error) });
                },
            );
    };
}

/** Returns the services of the host. The engine's address comes as an argument or with the handshake. */
function services(engineArgument: string | undefined): Partial<ILanguageRuntimeServer> {
    let engine = engineArgument ?? "";
    let running: Program | undefined;
    return {
        handshake: unary((request: language.LanguageHandshakeRequest) => {
            engine = request.getEngineAddress();
            return new language.LanguageHandshakeResponse();
        }),
        getPluginInfo: unary(() => new PluginInfo().setVersion(VERSION)),
        getRequiredPackages: unary((request: language.GetRequiredPackagesRequest) =>
            new language.GetRequiredPackagesResponse().setPackagesList(requiredPackages(request.getInfo()?.getProgramDirectory() ?? ".")),
        ),
        run: unary(async (request: language.RunRequest) => {
            running = new Program(request, engine);
            const { error, bail } = await running.result;
            return new language.RunResponse().setError(error).setBail(bail);
        }),
        cancel: unary(() => {
            running?.interrupt();
            return new Empty();
        }),
    };
}

const server = new grpc.Server();
const [engineAddress] = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
server.addService(LanguageRuntimeService, services(engineAddress) as grpc.UntypedServiceImplementation);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) {
        throw error;
    }
    // The engine reads the port from the first line.
    process.stdout.write(`${port}\n`);
});
