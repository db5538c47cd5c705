import { describe, expect, test } from "vitest";

import { fakeAws } from "./engine/provider.js";
import { runProgram } from "./engine/runner.js";
import { stackConfiguration, STACK_NAMES } from "./engine/stacks.js";
import { adapt, adaptations } from "./endpoint/adaptations.js";
import type { Endpoint } from "./endpoint/endpoint.js";
import { NO_OMISSIONS, withOmissions } from "./endpoint/omissions.js";
import { endpointProvider, handlers } from "./endpoint/provider.js";
import { exactly, list, number, optional, text } from "./endpoint/read.js";
import { programGraph } from "./engine/in-process.js";
import { readStack } from "./endpoint/stack.js";
import { statements } from "./graph.js";

/** An endpoint without a server. A refused input never reaches it. */
const UNREACHABLE: Endpoint = {
    client: { endpoint: "http://127.0.0.1:9", region: "us-east-1", credentials: { accessKeyId: "a", secretAccessKey: "s" } },
    account: "000000000000",
    url: "http://127.0.0.1:9",
    functionsUrl: "http://127.0.0.1:10",
};
const provider = endpointProvider(UNREACHABLE, NO_OMISSIONS, () => undefined);

describe("the provider of an endpoint", () => {
    test("refuses an unknown resource type", async () => {
        await expect(provider("aws:s3/bucket:Bucket", "files", {})).rejects.toThrow(
            "aws:s3/bucket:Bucket files has an unknown type",
        );
    });

    test("has exactly the types that the program registers", async () => {
        const registered = new Set<string>();
        for (const stack of STACK_NAMES) {
            (await programGraph(stack)).resources.filter(({ custom }) => custom).forEach(({ type }) => registered.add(type));
        }
        expect(Object.keys(handlers(UNREACHABLE)).sort()).toEqual([...registered].sort());
    });

    test.each(STACK_NAMES)("refuses an unknown input of every resource of %s", async (stack) => {
        const { resources } = await programGraph(stack);
        for (const { type, name, inputs } of resources.filter(({ custom }) => custom)) {
            const refused = expect(provider(type, name, { ...inputs, colour: "blue" }), `${type} ${name}`).rejects;
            await refused.toThrow(`${type} ${name} has unknown members colour; known are `);
        }
    });

    test.each(STACK_NAMES)("reads every input of every resource of %s", async (stack) => {
        const { resources } = await programGraph(stack);
        const attempts = resources.filter(({ custom }) => custom).map(async ({ type, name, inputs }) => {
            // Creating the resource fails, because the endpoint has no server. Reading its inputs must not.
            const refused: unknown = await provider(type, name, inputs).catch((error: unknown) => error);
            expect(String(refused), `${type} ${name}`).not.toMatch(/; (expected|known are) /u);
        });
        await Promise.all(attempts);
    });

    test("refuses nested unknown inputs and wrong types", async () => {
        const queue = { name: "queue", messageRetentionSeconds: 60, sqsManagedSseEnabled: true };
        const make = (more: object): Promise<unknown> => provider("aws:sqs/queue:Queue", "queue", { ...queue, ...more });
        await expect(make({ fifoQueue: "yes" })).rejects.toThrow('aws:sqs/queue:Queue queue.fifoQueue is "yes"; expected true or false');
        await expect(make({ deduplicationScope: "queue" })).rejects.toThrow("deduplicationScope is \"queue\"; expected messageGroup");
        await expect(make({ name: undefined })).rejects.toThrow("queue.name is undefined; expected a string");
        const nested = exactly({ rules: list(exactly({ name: text, after: optional(number) })) });
        expect(nested({ rules: [{ name: "a" }] }, "it")).toEqual({ rules: [{ name: "a", after: undefined }] });
        expect(() => nested({ rules: [{ name: "a", before: 1 }] }, "it")).toThrow("it.rules[0] has unknown members before; known are name, after");
    });

    test("ends the program when a resource can't be created", async () => {
        const refusing: typeof fakeAws = (type, name, inputs) =>
            type.startsWith("aws:kms/") ? provider(type, name, { ...inputs, colour: "blue" }) : fakeAws(type, name, inputs);
        const done = await runProgram("dev", stackConfiguration("dev"), refusing);
        expect(done.status).not.toBe(0);
        expect(done.log).toContain("aws:kms/key:Key tokens has unknown members colour; known are description, ");
    });
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

    test("keep the policy of a queue if the endpoint has TLS", async () => {
        const [policy] = (await programGraph("dev")).allOf("sqs/queuePolicy");
        const withTls = adaptations({ ...UNREACHABLE, url: "https://aws.example" });
        expect(adapt(withTls, policy?.type ?? "", policy?.inputs ?? {})).toEqual(policy?.inputs);
    });
});

describe("the outputs of a stack", () => {
    const every = { "tidings:history": true, "tidings:handshakeMethods": ["token", "hmac"] };

    test.each(STACK_NAMES)("are read, whatever the configuration of %s adds", async (stack) => {
        const { status, log, graph } = await runProgram(stack, stackConfiguration(stack, every), fakeAws);
        expect(status, log).toBe(0);
        const { historyUrl, hmacSecretArn } = graph.outputs;
        expect([typeof historyUrl, typeof hmacSecretArn]).toEqual(["string", "string"]);
        expect(readStack(graph.outputs, "outputs").tokenUrl).toBe(graph.outputs["tokenUrl"]);
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
