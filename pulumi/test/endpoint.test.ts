import { describe, expect, test } from "vitest";

import { fakeAws } from "./engine/provider.js";
import { run } from "./engine/runner.js";
import { stackConfiguration, STACK_NAMES } from "./engine/stacks.js";
import { adapted, adaptations } from "./endpoint/adaptations.js";
import type { Endpoint } from "./endpoint/endpoint.js";
import { NOTHING, remaining } from "./endpoint/omissions.js";
import { endpointProvider, handlers } from "./endpoint/provider.js";
import { exactly, list, number, optional, text } from "./endpoint/read.js";
import { graph } from "./engine/in-process.js";
import { statements } from "./graph.js";

/** An endpoint where nobody listens: what is refused here never comes to it. */
const NOWHERE: Endpoint = {
    client: { endpoint: "http://127.0.0.1:9", region: "us-east-1", credentials: { accessKeyId: "a", secretAccessKey: "s" } },
    account: "000000000000",
    url: "http://127.0.0.1:9",
    through: "http://127.0.0.1:10",
};
const provider = endpointProvider(NOWHERE, NOTHING, () => undefined);

describe("the provider of an endpoint", () => {
    test("throws on a type that it does not know", async () => {
        await expect(provider("aws:s3/bucket:Bucket", "files", {})).rejects.toThrow(
            "aws:s3/bucket:Bucket files is of a type that is not known here",
        );
    });

    test("knows each type that the program registers, and nothing else", async () => {
        const registered = new Set<string>();
        for (const stack of STACK_NAMES) {
            (await graph(stack)).resources.filter(({ custom }) => custom).forEach(({ type }) => registered.add(type));
        }
        expect(Object.keys(handlers(NOWHERE)).sort()).toEqual([...registered].sort());
    });

    test.each(STACK_NAMES)("throws on an input more, on every resource of %s", async (stack) => {
        const { resources } = await graph(stack);
        for (const { type, name, inputs } of resources.filter(({ custom }) => custom)) {
            const refused = expect(provider(type, name, { ...inputs, colour: "blue" }), `${type} ${name}`).rejects;
            await refused.toThrow(`${type} ${name} has colour; known here are `);
        }
    });

    test.each(STACK_NAMES)("reads every input of every resource of %s", async (stack) => {
        const { resources } = await graph(stack);
        const made = resources.filter(({ custom }) => custom).map(async ({ type, name, inputs }) => {
            // Nobody is there to make it; what matters is that it was understood.
            const refused: unknown = await provider(type, name, inputs).catch((error: unknown) => error);
            expect(String(refused), `${type} ${name}`).not.toMatch(/; (allowed is|known here are) /u);
        });
        await Promise.all(made);
    });

    test("throws on what it does not know within an input, and on another kind of value", async () => {
        const queue = { name: "queue", messageRetentionSeconds: 60, sqsManagedSseEnabled: true };
        const make = (more: object): Promise<unknown> => provider("aws:sqs/queue:Queue", "queue", { ...queue, ...more });
        await expect(make({ fifoQueue: "yes" })).rejects.toThrow('aws:sqs/queue:Queue queue.fifoQueue is "yes"; allowed is true or false');
        await expect(make({ deduplicationScope: "queue" })).rejects.toThrow("deduplicationScope is \"queue\"; allowed is messageGroup");
        await expect(make({ name: undefined })).rejects.toThrow("queue.name is undefined; allowed is a text");
        const nested = exactly({ rules: list(exactly({ name: text, after: optional(number) })) });
        expect(nested({ rules: [{ name: "a" }] }, "it")).toEqual({ rules: [{ name: "a", after: undefined }] });
        expect(() => nested({ rules: [{ name: "a", before: 1 }] }, "it")).toThrow("it.rules[0] has before; known here are name, after");
    });

    test("ends the program when a resource can't be made", async () => {
        const refusing: typeof fakeAws = (type, name, inputs) =>
            type.startsWith("aws:kms/") ? provider(type, name, { ...inputs, colour: "blue" }) : fakeAws(type, name, inputs);
        const done = await run("dev", stackConfiguration("dev"), refusing);
        expect(done.status).not.toBe(0);
        expect(done.log).toContain("aws:kms/key:Key tokens has colour; known here are description, ");
    });
});

describe("what is changed for an endpoint", () => {
    const changes = adaptations(NOWHERE);

    test("is three types' and leaves the rest of them alone", async () => {
        const { resources } = await graph("dev");
        const changed = new Set<string>();
        for (const { type, inputs, custom } of resources) {
            const told = adapted(changes, type, inputs);
            if (custom && JSON.stringify(told) !== JSON.stringify(inputs)) {
                changed.add(type);
                const differs = Object.keys(told).filter((name) => JSON.stringify(told[name]) !== JSON.stringify(inputs[name]));
                expect(["policy", "environment", "architectures"]).toEqual(expect.arrayContaining(differs));
                expect(Object.keys(told).sort()).toEqual(Object.keys(inputs).sort());
            }
        }
        expect([...changed].sort()).toEqual([
            "aws:iam/rolePolicy:RolePolicy",
            "aws:lambda/function:Function",
            "aws:sqs/queuePolicy:QueuePolicy",
        ]);
    });

    test("keeps the variables of functions, and tells them where the endpoint is", async () => {
        const { inputs } = (await graph("dev")).one("lambda/function", "dispatcher");
        const { variables } = inputs["environment"] as { readonly variables: object };
        const told = adapted(changes, "aws:lambda/function:Function", inputs);
        expect(told["environment"]).toEqual({ variables: { ...variables, AWS_ENDPOINT_URL: NOWHERE.through } });
    });

    test("keeps a queue's policy at an endpoint with TLS", async () => {
        const [policy] = (await graph("dev")).of("sqs/queuePolicy");
        const withTls = adaptations({ ...NOWHERE, url: "https://aws.example" });
        expect(adapted(withTls, policy?.type ?? "", policy?.inputs ?? {})).toEqual(policy?.inputs);
    });
});

describe("what a test leaves out", () => {
    const policy = "aws:iam/rolePolicy:RolePolicy";

    test("is an action of one function's role", async () => {
        const made = await graph("dev");
        const omit = { actions: ["replayer:dynamodb:Query"], eventSources: false };
        const allowed = (name: string): unknown => {
            const left = remaining(omit, policy, name, made.one("iam/rolePolicy", name).inputs);
            return statements(left?.["policy"]).flatMap(({ Action }) => Action);
        };
        expect(allowed("replayer")).not.toContain("dynamodb:Query");
        expect(allowed("replayer")).toContain("sqs:SendMessage");
        expect(allowed("dispatcher")).toContain("dynamodb:Query");
    });

    test("are all event sources, when they are not wanted", () => {
        const source = "aws:lambda/eventSourceMapping:EventSourceMapping";
        expect(remaining({ ...NOTHING, eventSources: true }, source, "queue", {})).toBeUndefined();
        expect(remaining(NOTHING, source, "queue", {})).toEqual({});
    });
});
