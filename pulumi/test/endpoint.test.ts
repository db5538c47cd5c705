import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SQSClient } from "@aws-sdk/client-sqs";
import { afterEach, describe, expect, test, vi } from "vitest";

import { adapt, adaptations } from "./endpoint/adaptations.js";
import { makeClient, type Endpoint } from "./endpoint/endpoint.js";
import { NO_OMISSIONS, withOmissions } from "./endpoint/omissions.js";
import { EndpointProvider, handlers } from "./endpoint/provider.js";
import { exactly, list, number, optional, text } from "./endpoint/read.js";
import { inputsOf, replacedBy } from "./endpoint/schema/replacement.js";
import { readSettings, toEnvironment } from "./endpoint/settings.js";
import { readStack } from "./endpoint/stack.js";
import { statements } from "./graph.js";
import { programGraph } from "./mocks/in-process.js";
import type { RegisteredResource } from "./mocks/recorder.js";
import { STACK_NAMES } from "./mocks/stacks.js";

/** An endpoint without a server. A refused input never reaches it. */
const UNREACHABLE: Endpoint = {
    client: { endpoint: "http://127.0.0.1:9", region: "us-east-1", credentials: { accessKeyId: "a", secretAccessKey: "s" } },
    account: "000000000000",
    url: "http://127.0.0.1:9",
    functionsUrl: "http://127.0.0.1:10",
};
afterEach(() => {
    vi.unstubAllEnvs();
});

const provider = new EndpointProvider(UNREACHABLE, NO_OMISSIONS);
const byType = handlers(UNREACHABLE);

function urn(type: string, name: string): string {
    return `urn:pulumi:dev::tidings::tidings:index:Gateway$${type}::${name}`;
}

/** Returns the resources on AWS of all stacks. */
async function resources(): Promise<readonly RegisteredResource[]> {
    const graphs = [];
    for (const stack of STACK_NAMES) {
        graphs.push(await programGraph(stack));
    }
    return graphs.flatMap((graph) => graph.resources.filter(({ custom }) => custom));
}

/** Returns the first reason for which the provider refuses inputs, or undefined. */
async function refusal(type: string, name: string, inputs: object): Promise<string | undefined> {
    const { failures = [] } = await provider.check(urn(type, name), {}, inputs as Record<string, unknown>);
    return failures[0]?.reason;
}

describe("the provider of an endpoint", () => {
    test("refuses an unknown resource type", async () => {
        await expect(provider.create(urn("aws:s3/bucket:Bucket", "files"), {})).rejects.toThrow("aws:s3/bucket:Bucket files: has an unknown type");
    });

    test("has exactly the types that the program registers", async () => {
        const registered = new Set((await resources()).map(({ type }) => type));
        expect(Object.keys(byType).sort()).toEqual([...registered].sort());
    });

    test("knows the inputs of every resource, and no others", async () => {
        for (const { type, name, inputs } of await resources()) {
            expect(await refusal(type, name, inputs), `${type} ${name}`).toBeUndefined();
            expect(await refusal(type, name, { ...inputs, colour: "blue" })).toContain(`${type} ${name} has unknown members colour; known are `);
        }
    });

    test("refuses nested unknown inputs and wrong types", async () => {
        const queue = { name: "queue", messageRetentionSeconds: 60, sqsManagedSseEnabled: true };
        const reason = (more: object): Promise<unknown> => refusal("aws:sqs/queue:Queue", "queue", { ...queue, ...more });
        expect(await reason({ fifoQueue: "yes" })).toBe('aws:sqs/queue:Queue queue.fifoQueue is "yes"; expected true or false');
        expect(await reason({ deduplicationScope: "queue" })).toContain('deduplicationScope is "queue"; expected messageGroup');
        expect(await reason({ name: undefined })).toContain("queue.name is undefined; expected a string");
        const nested = exactly({ rules: list(exactly({ name: text, after: optional(number) })) });
        expect(nested({ rules: [{ name: "a" }] }, "it")).toEqual({ rules: [{ name: "a", after: undefined }] });
        expect(() => nested({ rules: [{ name: "a", before: 1 }] }, "it")).toThrow("it.rules[0] has unknown members before; known are name, after");
    });

    test("calls an error by the resource, without a stack trace", async () => {
        const error: unknown = await provider.create(urn("aws:kms/key:Key", "tokens"), { colour: "blue" }).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ message: expect.stringMatching(/^aws:kms\/key:Key tokens has unknown members colour/) as unknown, stack: "" });
    });
});

describe("the schema of the AWS package", () => {
    test("knows every input that the program sets", async () => {
        for (const { type, name, inputs } of await resources()) {
            expect(inputsOf(type), `${type} ${name}`).toEqual(expect.arrayContaining(Object.keys(inputs)));
        }
    });

    test("decides which types can be updated", async () => {
        const changeable = new Set<string>();
        for (const { type, inputs } of await resources()) {
            if (Object.keys(inputs).some((input) => !replacedBy(type).includes(input))) {
                changeable.add(type);
            }
        }
        expect(Object.keys(byType).filter((type) => byType[type]?.canUpdate).sort()).toEqual([...changeable].sort());
    });
});

describe("a difference", () => {
    const queue = { name: "queue.fifo", fifoQueue: true, messageRetentionSeconds: 60, redrivePolicy: '{"maxReceiveCount": 3}' };
    const diff = (type: string, before: object, after: object): Promise<unknown> =>
        provider.diff("id", urn(type, "one"), { ...before, url: "https://…", __inputs: before }, after as Record<string, unknown>);

    test("of an input updates the resource, or replaces it as the schema says", async () => {
        expect(await diff("aws:sqs/queue:Queue", queue, { ...queue, messageRetentionSeconds: 61 })).toMatchObject({ changes: true, replaces: [] });
        expect(await diff("aws:sqs/queue:Queue", queue, { ...queue, fifoQueue: undefined })).toMatchObject({ changes: true, replaces: ["fifoQueue"] });
    });

    test("of the form alone is none", async () => {
        expect(await diff("aws:sqs/queue:Queue", queue, { ...queue, redrivePolicy: '{"maxReceiveCount":3}' })).toMatchObject({ changes: false });
        const archive = (path: string, hash: string): object => ({ code: { "4dabf18193072939515e22adb298388d": "0def7320c3a5731c473e5ecbe6d01bc7", path, hash } });
        expect(await diff("aws:lambda/function:Function", archive("a.zip", "1"), archive("b.zip", "1"))).toMatchObject({ changes: false });
        expect(await diff("aws:lambda/function:Function", archive("a.zip", "1"), archive("a.zip", "2"))).toMatchObject({ changes: true });
    });

    test("that replaces a named resource deletes it first", async () => {
        const replaced = async (after: object): Promise<unknown> => {
            const { deleteBeforeReplace } = (await diff("aws:sqs/queue:Queue", queue, after)) as { readonly deleteBeforeReplace: boolean };
            return deleteBeforeReplace;
        };
        expect(await replaced({ ...queue, fifoQueue: undefined })).toBe(true);
        expect(await replaced({ ...queue, name: "other.fifo" })).toBe(false);
        const integration = { restApi: "a", credentials: "role" };
        expect(await diff("aws:apigateway/integration:Integration", integration, { ...integration, credentials: "other" })).toMatchObject({ deleteBeforeReplace: true });
        const deployment = { restApi: "a", triggers: { all: "1" } };
        expect(await diff("aws:apigateway/deployment:Deployment", deployment, { ...deployment, triggers: { all: "2" } })).toMatchObject({ replaces: ["triggers"], deleteBeforeReplace: false });
    });
});

test("the plugin reads its settings from the environment", () => {
    const settings = { url: "http://127.0.0.1:1", region: "us-east-1", functionsUrl: "http://127.0.0.1:2", omit: { actions: ["a:b:C"], eventSources: true } };
    expect(readSettings(toEnvironment(settings))).toEqual(settings);
    expect(readSettings({ AWS_ENDPOINT_URL: "http://127.0.0.1:1/", AWS_REGION: "us-east-1" })).toEqual({ ...settings, functionsUrl: settings.url, omit: NO_OMISSIONS });
    expect(() => readSettings({ AWS_REGION: "us-east-1" })).toThrow("AWS_ENDPOINT_URL is missing");
});

describe("adaptations", () => {
    const changes = adaptations(UNREACHABLE);

    test("change one or two inputs of three resource types", async () => {
        const { resources } = await programGraph("dev");
        const changed = new Set<string>();
        for (const { type, inputs, custom } of resources) {
            const adapted = adapt(changes, type, inputs);
            if (custom && JSON.stringify(adapted) !== JSON.stringify(inputs)) {
                changed.add(type);
                const differs = Object.keys(adapted).filter((name) => JSON.stringify(adapted[name]) !== JSON.stringify(inputs[name]));
                expect(["policy", "environment", "architectures"]).toEqual(expect.arrayContaining(differs));
                expect(Object.keys(adapted).sort()).toEqual(Object.keys(inputs).sort());
            }
        }
        expect([...changed].sort()).toEqual([
            "aws:iam/rolePolicy:RolePolicy",
            "aws:lambda/function:Function",
            "aws:sqs/queuePolicy:QueuePolicy",
        ]);
    });

    test("add the endpoint to the variables of functions", async () => {
        const graph = await programGraph("dev");
        const { inputs } = graph.resource("lambda/function", "dispatcher");
        const variables = graph.environment("dispatcher");
        const adapted = adapt(changes, "aws:lambda/function:Function", inputs);
        expect(adapted["environment"]).toEqual({ variables: { ...variables, AWS_ENDPOINT_URL: UNREACHABLE.functionsUrl } });
    });

    test("add the endpoints of single services to the variables of functions", async () => {
        vi.stubEnv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:11");
        const { inputs } = (await programGraph("dev")).resource("lambda/function", "dispatcher");
        const { variables } = adapt(changes, "aws:lambda/function:Function", inputs)["environment"] as { readonly variables: object };
        expect(variables).toMatchObject({ AWS_ENDPOINT_URL: UNREACHABLE.functionsUrl, AWS_ENDPOINT_URL_SQS: "http://127.0.0.1:11" });
    });

    test("keep the policy of a queue if the endpoint has TLS", async () => {
        const [policy] = (await programGraph("dev")).allOf("sqs/queuePolicy");
        const withTls = adaptations({ ...UNREACHABLE, url: "https://aws.example" });
        expect(adapt(withTls, policy?.type ?? "", policy?.inputs ?? {})).toEqual(policy?.inputs);
    });
});

describe("clients of an endpoint", () => {
    test("prefer the endpoint of their service", async () => {
        vi.stubEnv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:11");
        vi.stubEnv("AWS_ENDPOINT_URL_SQS", "");
        const port = async ({ config }: SecretsManagerClient | SQSClient): Promise<number | undefined> => (await config.endpoint?.())?.port;
        const made = [makeClient(SecretsManagerClient, UNREACHABLE.client), makeClient(SQSClient, UNREACHABLE.client)];
        expect(await Promise.all(made.map(port))).toEqual([11, 9]);
    });
});

describe("the outputs of a stack", () => {
    const every = { "tidings:history": true, "tidings:handshakeMethods": ["token", "hmac"] };

    test.each(STACK_NAMES)("are read, whatever the configuration of %s adds", async (stack) => {
        const { outputs } = await programGraph(stack, every);
        expect([typeof outputs["historyUrl"], typeof outputs["hmacSecretArn"]]).toEqual(["string", "string"]);
        expect(readStack(outputs, "outputs").tokenUrl).toBe(outputs["tokenUrl"]);
    });
});

describe("omissions", () => {
    const policy = "aws:iam/rolePolicy:RolePolicy";

    test("remove an action from the role of one function", async () => {
        const graph = await programGraph("dev");
        const omit = { actions: ["replayer:dynamodb:Query"], eventSources: false };
        const allowed = (name: string): unknown => {
            const kept = withOmissions(omit, policy, name, graph.resource("iam/rolePolicy", name).inputs);
            return statements(kept?.["policy"]).flatMap(({ Action }) => Action);
        };
        expect(allowed("replayer")).not.toContain("dynamodb:Query");
        expect(allowed("replayer")).toContain("sqs:SendMessage");
        expect(allowed("dispatcher")).toContain("dynamodb:Query");
    });

    test("remove all event sources if asked to", () => {
        const source = "aws:lambda/eventSourceMapping:EventSourceMapping";
        expect(withOmissions({ ...NO_OMISSIONS, eventSources: true }, source, "queue", {})).toBeUndefined();
        expect(withOmissions(NO_OMISSIONS, source, "queue", {})).toEqual({});
    });
});
