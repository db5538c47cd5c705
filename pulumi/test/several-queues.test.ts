import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";

import { contract } from "../src/contract.js";
import { asList, parseJson, statements, type Graph } from "./graph.js";
import { programGraph, type FakeAccount } from "./mocks/in-process.js";
import { STACK_NAMES } from "./mocks/stacks.js";

const THREE = { "tidings:queues": 3, "tidings:queueEpoch": 1 };
const SUFFIXES = ["", "-1", "-2"];

function variables(graph: Graph, name: string): Readonly<Record<string, string>> {
    const { variables: found } = graph.resource("lambda/function", name).inputs["environment"] as { readonly variables: Readonly<Record<string, string>> };
    return found;
}

async function refusal(changes: Readonly<Record<string, unknown>>, account: FakeAccount = {}): Promise<string> {
    const refused: unknown = await programGraph("dev", changes, account).catch((error: unknown) => error);
    expect(pulumi.RunError.isInstance(refused), String(refused)).toBe(true);
    return String(refused);
}

describe.each(STACK_NAMES)("three queues of %s", (stack) => {
    test("each has a dead-letter queue, policies and alarms of its own", async () => {
        const graph = await programGraph(stack, THREE);
        for (const suffix of SUFFIXES) {
            const queue = graph.resource("sqs/queue", `notifications${suffix}`);
            const letters = graph.resource("sqs/queue", `dead-letters${suffix}`);
            expect(String(queue.inputs["name"]).endsWith(`-notifications${suffix}.fifo`)).toBe(true);
            for (const one of [queue, letters]) {
                expect(one.inputs).toMatchObject({ fifoQueue: true, deduplicationScope: "messageGroup", fifoThroughputLimit: "perMessageGroupId" });
                const policy = graph.resource("sqs/queuePolicy", one.name);
                expect(statements(policy.inputs["policy"])[0]).toMatchObject({ Effect: "Deny", Resource: one.outputs["arn"] });
                expect(one.protect).toBe(stack !== "dev");
            }
            expect(parseJson(queue.inputs["redrivePolicy"])).toMatchObject({ deadLetterTargetArn: letters.outputs["arn"] });
            const allow = graph.resource("sqs/redriveAllowPolicy", `dead-letters${suffix}`).inputs;
            expect(allow["queueUrl"]).toBe(letters.outputs["url"]);
            expect(parseJson(allow["redriveAllowPolicy"])).toMatchObject({ sourceQueueArns: [queue.outputs["arn"]] });
            const watched = (alarm: string): unknown => graph.resource("cloudwatch/metricAlarm", `${alarm}${suffix}`).inputs["dimensions"];
            expect(watched("oldest-message")).toEqual({ QueueName: queue.inputs["name"] });
            expect(watched("backlog")).toEqual({ QueueName: queue.inputs["name"] });
            expect(watched("dead-letters")).toEqual({ QueueName: letters.inputs["name"] });
        }
    });

    test("each invokes the dispatcher, with a share of its concurrency", async () => {
        const graph = await programGraph(stack, { ...THREE, "tidings:dispatcherMaximumConcurrency": 50 });
        for (const suffix of SUFFIXES) {
            const mapping = graph.resource("lambda/eventSourceMapping", `queue${suffix}`);
            expect(mapping.inputs).toMatchObject({
                eventSourceArn: graph.resource("sqs/queue", `notifications${suffix}`).outputs["arn"],
                functionName: graph.resource("lambda/function", "dispatcher").outputs["arn"],
                batchSize: contract.queueSource.batchSize,
                functionResponseTypes: ["ReportBatchItemFailures"],
                scalingConfig: { maximumConcurrency: 16 },
            });
            expect(graph.waitsFor(mapping, graph.resource("iam/rolePolicy", "dispatcher"))).toBe(true);
        }
    });

    test("functions know all of them in order, and may use all of them", async () => {
        const graph = await programGraph(stack, THREE);
        const of = (kind: string, output: string): unknown[] => SUFFIXES.map((suffix) => graph.resource("sqs/queue", `${kind}${suffix}`).outputs[output]);
        for (const name of ["dispatcher", "replayer", "ws-edge"]) {
            expect(variables(graph, name)["TIDINGS_NOTIFICATIONS_QUEUE"], name).toBe(of("notifications", "url").join(","));
            const allowed = graph.roleStatements(graph.resource("iam/role", name).id).filter(({ Action }) => asList(Action).includes("sqs:SendMessage"));
            expect(allowed.flatMap(({ Resource }) => Resource), name).toEqual(expect.arrayContaining(of("notifications", "arn")));
        }
        expect(variables(graph, "dispatcher")["TIDINGS_DEAD_LETTER_QUEUE"]).toBe(of("dead-letters", "url").join(","));
        expect(variables(graph, "dispatcher")["TIDINGS_QUEUE_EPOCH"]).toBe("1");
    });

    test("producers find theirs from the outputs", async () => {
        const graph = await programGraph(stack, THREE);
        const of = (kind: string, output: string): unknown[] => SUFFIXES.map((suffix) => graph.resource("sqs/queue", `${kind}${suffix}`).outputs[output]);
        expect(graph.outputs).toMatchObject({
            queueUrl: of("notifications", "url")[0],
            queueUrls: of("notifications", "url"),
            queueArns: of("notifications", "arn"),
            deadLetterUrls: of("dead-letters", "url"),
        });
    });
});

describe("the producer API with three queues", () => {
    test("has a method for each, which is checked and answered like the first", async () => {
        const graph = await programGraph("dev", THREE);
        const first = graph.resource("apigateway/integration", "send");
        for (const [index, suffix] of SUFFIXES.entries()) {
            const leaf = graph.resource("apigateway/resource", `queue-${index}-notifications`);
            const middle = graph.resource("apigateway/resource", `queue-${index}`);
            const root = graph.resource("apigateway/resource", "queues");
            expect([root, middle, leaf].map(({ inputs }) => String(inputs["pathPart"])).join("/")).toBe(`queues/${index}/notifications`);
            expect([leaf.inputs["parentId"], middle.inputs["parentId"]]).toEqual([middle.id, root.id]);
            const { restApi, authorization, requestModels, requestValidatorId, httpMethod } = graph.resource("apigateway/method", "send").inputs;
            const method = graph.resource("apigateway/method", `send-queue-${index}`);
            expect(method.inputs).toMatchObject({ restApi, authorization, requestModels, requestValidatorId, httpMethod, resourceId: leaf.id });
            const integration = graph.resource("apigateway/integration", `send-queue-${index}`);
            const name = String(graph.resource("sqs/queue", `notifications${suffix}`).inputs["name"]);
            expect(integration.inputs).toEqual({ ...first.inputs, resourceId: leaf.id, uri: `arn:aws:apigateway:eu-central-1:sqs:path/123456789012/${name}` });
            for (const status of ["202", "400", "503"]) {
                const { responseTemplates, selectionPattern } = graph.resource("apigateway/integrationResponse", `send-${status}`).inputs;
                const answer = graph.resource("apigateway/integrationResponse", `send-queue-${index}-${status}`);
                expect(answer.inputs).toMatchObject({ responseTemplates, resourceId: leaf.id });
                expect(answer.inputs["selectionPattern"]).toBe(selectionPattern);
                expect(graph.waitsFor(graph.resource("apigateway/deployment", "producers"), answer)).toBe(true);
            }
        }
        expect(first.inputs["uri"]).toContain("-notifications.fifo");
    });

    test("may send to these queues and to nothing else", async () => {
        const graph = await programGraph("dev", THREE);
        const Resource = SUFFIXES.map((suffix) => graph.resource("sqs/queue", `notifications${suffix}`).outputs["arn"]);
        expect(graph.roleStatements(graph.resource("iam/role", "producers").id)).toEqual([{ Effect: "Allow", Action: "sqs:SendMessage", Resource }]);
    });

    test("is found from the outputs", async () => {
        const { outputs } = await programGraph("dev", THREE);
        expect(outputs["producerQueuesUrl"]).toBe(String(outputs["producerUrl"]).replace("/notifications", "/queues"));
        expect(outputs["producerQueuesInvokeArn"]).toBe(String(outputs["producerInvokeArn"]).replace("/notifications", "/queues/*/notifications"));
        expect((await programGraph("dev")).outputs).not.toHaveProperty("producerQueuesUrl");
    });
});

describe("the number of queues", () => {
    test("is one unless it is set, and leaves no trace then", async () => {
        const graph = await programGraph("dev");
        expect(graph.allOf("sqs/queue").map(({ name }) => name).sort()).toEqual(["dead-letters", "notifications", "replay-failures"]);
        expect(graph.outputs).not.toHaveProperty("queueUrls");
        expect(variables(graph, "dispatcher")).not.toHaveProperty("TIDINGS_QUEUE_EPOCH");
        expect(Object.keys(graph.resource("sqs/queue", "notifications").inputs["tags"] as object).sort()).toEqual(["project", "stack"]);
    });

    test.each([
        ["tidings:queues", 0, "expected 1 to 16"],
        ["tidings:queues", 17, "expected 1 to 16"],
        ["tidings:queueEpoch", -1, "expected 0 to 99"],
        ["tidings:queueEpoch", 100, "expected 0 to 99"],
    ])("%s can't be %d", async (key, value, message) => {
        expect(await refusal({ [key]: value })).toContain(message);
    });

    test("fits the concurrency of the account", async () => {
        expect(await refusal({ "tidings:queues": 3 }, { concurrency: 10 })).toContain("the dispatcher can have 5 invocations at the same time; each queue needs at least 2");
        await expect(programGraph("dev", { "tidings:queues": 2 }, { concurrency: 10 })).resolves.toBeDefined();
    });
});

describe("the number of an existing stack's queues", () => {
    const deployed = async (): Promise<FakeAccount> => ({
        queueTags: (await programGraph("dev", THREE)).resource("sqs/queue", "notifications").inputs["tags"] as Readonly<Record<string, string>>,
    });

    test("does not change within an epoch", async () => {
        expect(await refusal({ "tidings:queues": 2 }, { queueTags: {} })).toContain(
            "tidings:queues has 2, and the stack is deployed with 1; to change it, drain the queues and raise tidings:queueEpoch above 0",
        );
        const account = await deployed();
        expect(await refusal({ ...THREE, "tidings:queues": 1 }, account)).toContain("raise tidings:queueEpoch above 1");
    });

    test("changes with the next epoch, and stays as it is with the same", async () => {
        const account = await deployed();
        for (const changes of [THREE, { "tidings:queues": 4, "tidings:queueEpoch": 2 }]) {
            await expect(programGraph("dev", changes, account), JSON.stringify(changes)).resolves.toBeDefined();
        }
        await expect(programGraph("dev", {}, { queueTags: {} })).resolves.toBeDefined();
    });

    test("becomes lower only when the queues that go are empty", async () => {
        const account = await deployed();
        const fewer = { "tidings:queues": 1, "tidings:queueEpoch": 2 };
        expect(await refusal(fewer, account)).toContain("empty them as docs/how-to/deploy.md describes, then set tidings:emptiedForEpoch to 2");
        expect(await refusal({ ...fewer, "tidings:emptiedForEpoch": 1 }, account), "said for an earlier change").toContain("set tidings:emptiedForEpoch to 2");
        await expect(programGraph("dev", { ...fewer, "tidings:emptiedForEpoch": 2 }, account)).resolves.toBeDefined();
    });

    test("is remembered when one queue has lost its tags", async () => {
        const { queueTags = {} } = await deployed();
        expect((await programGraph("dev", THREE)).resource("sqs/queue", "dead-letters").inputs["tags"]).toEqual(queueTags);
        for (const account of [{ queueTags, deadLetterTags: {} }, { queueTags: {}, deadLetterTags: queueTags }]) {
            expect(await refusal({ "tidings:queues": 2, "tidings:queueEpoch": 1 }, account)).toContain("raise tidings:queueEpoch above 1");
            expect(await refusal({ "tidings:queues": 3 }, account)).toContain("tidings:queueEpoch has 0; expected at least 1");
        }
    });

    test("never goes back to an earlier epoch", async () => {
        expect(await refusal({ "tidings:queues": 3 }, await deployed())).toContain("tidings:queueEpoch has 0; expected at least 1");
    });
});
