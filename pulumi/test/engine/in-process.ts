import * as pulumi from "@pulumi/pulumi";
import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb";

import { deploy } from "../../src/gateway.js";
import { Graph } from "../graph.js";
import { fakeAws } from "./provider.js";
import { Recorder, type Recorded } from "./recorder.js";
import { PROJECT, stackConfiguration, type Stack } from "./stacks.js";

type Callback = (error: unknown, response: unknown) => void;

/** The part of the SDK's monitor that resources are registered with. */
interface Monitor {
    registerResource(request: RegisterResourceRequest, callback: Callback): unknown;
}

/**
 * The SDK's own mocks are not told of dependsOn, protect and parent, which stand in the request: so the
 * monitor that they make is wrapped, and the mocks answer with what the recorder made.
 */
function record(recorder: Recorder): void {
    const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
    const inner = monitor.registerResource.bind(monitor);
    monitor.registerResource = (request, callback) => {
        recorder.register(request).then(
            (made) => {
                answers.set(key(made.type, made.name), made);
                inner(request, callback);
            },
            (error: unknown) => {
                callback(error, undefined);
            },
        );
    };
}

const answers = new Map<string, Recorded>();

function key(type: string, name: string): string {
    return `${type}::${name}`;
}

/** Runs the program in this process for a stack, with changes to its configuration, and gives what it registers. */
export async function graph(stack: Stack, changes: Readonly<Record<string, unknown>> = {}): Promise<Graph> {
    answers.clear();
    const recorder = new Recorder(stack, PROJECT.name, fakeAws);
    await pulumi.runtime.setMocks(
        {
            call: ({ token }) => {
                throw new Error(`the program asks for ${token}, which is not known here`);
            },
            newResource: ({ type, name }) => {
                const made = answers.get(key(type, name));
                if (made === undefined) {
                    throw new Error(`${name} of the type ${type} was not recorded`);
                }
                return { id: made.id, state: made.outputs };
            },
        },
        PROJECT.name,
        stack,
        false,
    );
    pulumi.runtime.setAllConfig(stackConfiguration(stack, changes));
    record(recorder);
    const outputs = await pulumi.runtime.runInPulumiStack(() => Promise.resolve(deploy()));
    // Without it resources that wait for others would be missing, and rules would hold of nothing.
    await pulumi.runtime.disconnect();
    return new Graph(recorder.resources, await resolved(outputs));
}

function resolved(value: unknown): Promise<Readonly<Record<string, unknown>>> {
    return new Promise((resolve) => {
        pulumi.output(value as Record<string, unknown>).apply(resolve);
    });
}
