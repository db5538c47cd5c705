import * as pulumi from "@pulumi/pulumi";
import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb";

import { deploy } from "../../src/gateway.js";
import { Graph } from "../graph.js";
import { fakeAws } from "./provider.js";
import { Recorder, type Provider, type RegisteredResource } from "./recorder.js";
import { PROJECT, stackConfiguration, type Stack } from "./stacks.js";

type Callback = (error: unknown, response: unknown) => void;

/** The part of the SDK's resource monitor that registers resources. */
interface Monitor {
    registerResource(request: RegisterResourceRequest, callback: Callback): unknown;
}

/**
 * Makes the SDK's mock monitor record resources. Mocks don't get `dependsOn`, `protect` and `parent`, which only the
 * request has: so the recorder reads the request first, and the mock then answers with the recorded resource.
 */
function record(recorder: Recorder): void {
    const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
    const inner = monitor.registerResource.bind(monitor);
    monitor.registerResource = (request, callback) => {
        recorder.register(request).then(
            (resource) => {
                recorded.set(key(resource.type, resource.name), resource);
                inner(request, callback);
            },
            (error: unknown) => {
                callback(error, undefined);
            },
        );
    };
}

const recorded = new Map<string, RegisteredResource>();

function key(type: string, name: string): string {
    return `${type}::${name}`;
}

/** An AWS account as the program sees it. */
export interface FakeAccount {
    readonly concurrency?: number;
    /** Key of each existing secret, as the secret names it: an ARN, an id or an alias. */
    readonly keys?: Readonly<Record<string, string>>;
    /** Tags of the stack's first notifications queue; absent if the stack does not exist. */
    readonly queueTags?: Readonly<Record<string, string>>;
    /** Tags of its dead-letter queue, by default the same. */
    readonly deadLetterTags?: Readonly<Record<string, string>>;
    /** Name of the stack, if it is not that of the configuration. */
    readonly stackName?: string;
    /** Makes the resources; by default they have made-up ids and outputs. */
    readonly provider?: Provider;
}

/** Answers a call of the program that looks something up. */
function lookUp({ concurrency = 1000, keys = {}, queueTags, deadLetterTags = queueTags }: FakeAccount, token: string, inputs: Readonly<Record<string, unknown>>): Record<string, unknown> {
    switch (token) {
        case "aws:servicequotas/getServiceQuota:getServiceQuota":
            return { ...inputs, value: concurrency };
        case "aws:secretsmanager/getSecret:getSecret":
            return { ...inputs, kmsKeyId: keys[String(inputs["arn"])] ?? "" };
        case "aws:sqs/getQueues:getQueues": {
            const others = [`https://sqs.eu-central-1.amazonaws.com/123456789012/${String(inputs["queueNamePrefix"])}-of-another-stack.fifo`];
            const own = `https://sqs.eu-central-1.amazonaws.com/123456789012/${String(inputs["queueNamePrefix"])}.fifo`;
            return { ...inputs, queueUrls: queueTags === undefined ? others : [...others, own] };
        }
        case "aws:sqs/getQueue:getQueue":
            if (queueTags === undefined) {
                throw new Error(`there is no queue ${String(inputs["name"])}`);
            }
            return { ...inputs, tags: String(inputs["name"]).includes("-dead-letters") ? deadLetterTags : queueTags };
        case "aws:kms/getKey:getKey":
            return { ...inputs, arn: `arn:aws:kms:eu-central-1:123456789012:key/${String(inputs["keyId"]).split("/").at(-1) ?? ""}` };
        default:
            throw new Error(`the program calls ${token}, which the mocks do not support`);
    }
}

/**
 * Runs the program in this process with a stack's configuration and `changes` to it, and returns the resources that it
 * registers. Throws what the program throws.
 */
export async function programGraph(stack: Stack, changes: Readonly<Record<string, unknown>> = {}, account: FakeAccount = {}): Promise<Graph> {
    recorded.clear();
    const name = account.stackName ?? stack;
    const recorder = new Recorder(name, PROJECT.name, account.provider ?? fakeAws);
    await pulumi.runtime.setMocks(
        {
            call: ({ token, inputs }) => lookUp(account, token, inputs as Readonly<Record<string, unknown>>),
            newResource: ({ type, name: resourceName }) => {
                const resource = recorded.get(key(type, resourceName));
                if (resource === undefined) {
                    throw new Error(`${resourceName} of the type ${type} was not recorded`);
                }
                return { id: resource.id, state: resource.outputs };
            },
        },
        PROJECT.name,
        name,
        false,
    );
    pulumi.runtime.setAllConfig(stackConfiguration(stack, changes));
    record(recorder);
    let refusal: { readonly error: unknown } | undefined;
    // The SDK rejects several promises of a program that fails, of which a caller has one.
    const outputs = await pulumi.runtime.runInPulumiStack(async () => {
        try {
            return await deploy();
        } catch (error) {
            refusal = { error };
            return {};
        }
    });
    // Waits for resources that depend on others. Without it they would be missing from the graph.
    await pulumi.runtime.disconnect();
    if (refusal !== undefined) {
        throw refusal.error;
    }
    return new Graph(recorder.resources, await resolved(outputs));
}

function resolved(value: unknown): Promise<Readonly<Record<string, unknown>>> {
    return new Promise((resolve) => {
        pulumi.output(value as Record<string, unknown>).apply(resolve);
    });
}
