import { beforeAll, describe, expect, test } from "vitest";

import { contract, findByName } from "../src/contract.js";
import { programGraph } from "./mocks/in-process.js";
import { STACK_NAMES } from "./mocks/stacks.js";
import { parseJson, statements, type Graph } from "./graph.js";

const FOURTEEN_DAYS = 14 * 24 * 3600;

describe.each(STACK_NAMES)("queues of %s", (stack) => {
    let graph: Graph;
    beforeAll(async () => {
        graph = await programGraph(stack);
    });

    test("notifications and dead letters have FIFO queues", () => {
        for (const name of ["notifications", "dead-letters"]) {
            const { inputs } = graph.resource("sqs/queue", name);
            expect(inputs["name"]).toMatch(/^[\w-]{1,75}\.fifo$/);
            expect(inputs["fifoQueue"]).toBe(true);
            expect(inputs["deduplicationScope"]).toBe("messageGroup");
            expect(inputs["fifoThroughputLimit"]).toBe("perMessageGroupId");
            // Only the id makes two notifications duplicates, not equal content.
            expect(inputs["contentBasedDeduplication"]).toBeUndefined();
        }
    });

    test("a dead letter has room for any entry and the reason", () => {
        const largest = (name: string) => Number(graph.resource("sqs/queue", name).inputs["maxMessageSize"]);
        // A notification has 128 KiB; the reason has 1,000 characters of up to four bytes.
        expect(largest("notifications")).toBeGreaterThanOrEqual(256 * 1024);
        expect(largest("dead-letters")).toBeGreaterThanOrEqual(largest("notifications") + 8 * 1024);
    });

    test("visibility is at least six times the dispatcher's timeout", () => {
        const timeout = graph.resource("lambda/function", "dispatcher").inputs["timeout"];
        const visibility = graph.resource("sqs/queue", "notifications").inputs["visibilityTimeoutSeconds"];
        expect(visibility).toBeGreaterThanOrEqual(6 * Number(timeout));
        expect(timeout).toBe(findByName(contract.functions, "dispatcher").timeoutSeconds);
    });

    test("only the notifications queue has the dead-letter queue", () => {
        const notifications = graph.resource("sqs/queue", "notifications");
        const deadLetters = graph.resource("sqs/queue", "dead-letters");
        expect(parseJson(notifications.inputs["redrivePolicy"])).toEqual({
            deadLetterTargetArn: deadLetters.outputs["arn"],
            maxReceiveCount: contract.queueSource.maxReceiveCount,
        });
        const { inputs } = graph.resource("sqs/redriveAllowPolicy", "dead-letters");
        expect(inputs["queueUrl"]).toBe(deadLetters.outputs["url"]);
        expect(parseJson(inputs["redriveAllowPolicy"])).toEqual({
            redrivePermission: "byQueue",
            sourceQueueArns: [notifications.outputs["arn"]],
        });
    });

    test("queues are encrypted, keep 14 days and require TLS", () => {
        for (const queue of graph.allOf("sqs/queue")) {
            expect(queue.inputs["sqsManagedSseEnabled"], queue.name).toBe(true);
            expect(queue.inputs["messageRetentionSeconds"], queue.name).toBe(FOURTEEN_DAYS);
            const policy = graph.resource("sqs/queuePolicy", queue.name);
            expect(policy.inputs["queueUrl"]).toBe(queue.outputs["url"]);
            expect(statements(policy.inputs["policy"])).toEqual([
                {
                    Effect: "Deny",
                    Principal: "*",
                    Action: "sqs:*",
                    Resource: queue.outputs["arn"],
                    Condition: { Bool: { "aws:SecureTransport": "false" } },
                },
            ]);
        }
    });

    test("the queue invokes the dispatcher with the contract's batches", () => {
        const { inputs } = graph.resource("lambda/eventSourceMapping", "queue");
        expect(inputs).toMatchObject({
            eventSourceArn: graph.resource("sqs/queue", "notifications").outputs["arn"],
            functionName: graph.resource("lambda/function", "dispatcher").outputs["arn"],
            batchSize: contract.queueSource.batchSize,
            functionResponseTypes: ["ReportBatchItemFailures"],
        });
        expect(inputs["maximumBatchingWindowInSeconds"], "a FIFO queue has none").toBeUndefined();
    });

    test("the stream invokes the replayer and has a failure queue", () => {
        const { inputs } = graph.resource("lambda/eventSourceMapping", "stream");
        const { batchSize, parallelizationFactor, maximumRetryAttempts, eventName } = contract.streamSource;
        const failures = graph.resource("sqs/queue", "replay-failures");
        expect(failures.inputs["fifoQueue"]).toBeUndefined();
        expect(inputs).toMatchObject({
            eventSourceArn: graph.resource("dynamodb/table", "connections").outputs["streamArn"],
            functionName: graph.resource("lambda/function", "replayer").outputs["arn"],
            startingPosition: "TRIM_HORIZON",
            batchSize,
            parallelizationFactor,
            maximumRetryAttempts,
            bisectBatchOnFunctionError: true,
            functionResponseTypes: ["ReportBatchItemFailures"],
            destinationConfig: { onFailure: { destinationArn: failures.outputs["arn"] } },
        });
        const { filters } = inputs["filterCriteria"] as { readonly filters: readonly { readonly pattern: string }[] };
        expect(filters.map((one) => parseJson(one.pattern))).toEqual([{ eventName: [eventName] }]);
    });

    test("the schedule invokes the replayer", () => {
        const rule = graph.resource("cloudwatch/eventRule", "sweep");
        expect(rule.inputs["scheduleExpression"]).toBe(contract.sweepSchedule);
        const replayer = graph.resource("lambda/function", "replayer");
        const target = graph.resource("cloudwatch/eventTarget", "sweep");
        expect(target.inputs).toMatchObject({ rule: rule.outputs["name"], arn: replayer.outputs["arn"] });
        const permission = graph.resource("lambda/permission", "sweep");
        expect(permission.inputs).toMatchObject({ principal: "events.amazonaws.com", sourceArn: rule.outputs["arn"] });
        expect(graph.waitsFor(target, permission)).toBe(true);
    });

    test("event sources wait for the role's permissions", () => {
        for (const [source, name] of [["queue", "dispatcher"], ["stream", "replayer"]] as const) {
            const mapping = graph.resource("lambda/eventSourceMapping", source);
            expect(graph.waitsFor(mapping, graph.resource("iam/rolePolicy", name)), source).toBe(true);
        }
    });
});
