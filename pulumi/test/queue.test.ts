import { beforeAll, describe, expect, test } from "vitest";

import { contract, named } from "../src/contract.js";
import { graph } from "./engine/in-process.js";
import { STACK_NAMES } from "./engine/stacks.js";
import { json, statements, type Graph } from "./graph.js";

const FOURTEEN_DAYS = 14 * 24 * 3600;

describe.each(STACK_NAMES)("queues of %s", (stack) => {
    let made: Graph;
    beforeAll(async () => {
        made = await graph(stack);
    });

    test("notifications and dead letters are FIFO with high throughput, and are named so", () => {
        for (const name of ["notifications", "dead-letters"]) {
            const { inputs } = made.one("sqs/queue", name);
            expect(inputs["name"]).toMatch(/^[\w-]{1,75}\.fifo$/);
            expect(inputs["fifoQueue"]).toBe(true);
            expect(inputs["deduplicationScope"]).toBe("messageGroup");
            expect(inputs["fifoThroughputLimit"]).toBe("perMessageGroupId");
            // Equal notifications are two: an id says whether they are one.
            expect(inputs["contentBasedDeduplication"]).toBeUndefined();
        }
    });

    test("visibility is at least six times the dispatcher's timeout", () => {
        const timeout = made.one("lambda/function", "dispatcher").inputs["timeout"];
        const visibility = made.one("sqs/queue", "notifications").inputs["visibilityTimeoutSeconds"];
        expect(visibility).toBeGreaterThanOrEqual(6 * Number(timeout));
        expect(timeout).toBe(named(contract.functions, "dispatcher").timeoutSeconds);
    });

    test("what can't be delivered goes to the dead-letter queue, which takes from no other", () => {
        const notifications = made.one("sqs/queue", "notifications");
        const deadLetters = made.one("sqs/queue", "dead-letters");
        expect(json(notifications.inputs["redrivePolicy"])).toEqual({
            deadLetterTargetArn: deadLetters.outputs["arn"],
            maxReceiveCount: contract.queueSource.maxReceiveCount,
        });
        const { inputs } = made.one("sqs/redriveAllowPolicy", "dead-letters");
        expect(inputs["queueUrl"]).toBe(deadLetters.outputs["url"]);
        expect(json(inputs["redriveAllowPolicy"])).toEqual({
            redrivePermission: "byQueue",
            sourceQueueArns: [notifications.outputs["arn"]],
        });
    });

    test("queues are encrypted, keep messages for 14 days, and refuse whoever comes without TLS", () => {
        for (const queue of made.of("sqs/queue")) {
            expect(queue.inputs["sqsManagedSseEnabled"], queue.name).toBe(true);
            expect(queue.inputs["messageRetentionSeconds"], queue.name).toBe(FOURTEEN_DAYS);
            const policy = made.one("sqs/queuePolicy", queue.name);
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

    test("the queue invokes the dispatcher as the contract says, with partial batch responses", () => {
        const { inputs } = made.one("lambda/eventSourceMapping", "queue");
        expect(inputs).toMatchObject({
            eventSourceArn: made.one("sqs/queue", "notifications").outputs["arn"],
            functionName: made.one("lambda/function", "dispatcher").outputs["arn"],
            batchSize: contract.queueSource.batchSize,
            functionResponseTypes: ["ReportBatchItemFailures"],
        });
        expect(inputs["maximumBatchingWindowInSeconds"], "a FIFO queue has none").toBeUndefined();
    });

    test("the stream invokes the replayer as the contract says, and what fails for good is put aside", () => {
        const { inputs } = made.one("lambda/eventSourceMapping", "stream");
        const { batchSize, parallelizationFactor, maximumRetryAttempts, eventName } = contract.streamSource;
        const failures = made.one("sqs/queue", "replay-failures");
        expect(failures.inputs["fifoQueue"]).toBeUndefined();
        expect(inputs).toMatchObject({
            eventSourceArn: made.one("dynamodb/table", "connections").outputs["streamArn"],
            functionName: made.one("lambda/function", "replayer").outputs["arn"],
            startingPosition: "TRIM_HORIZON",
            batchSize,
            parallelizationFactor,
            maximumRetryAttempts,
            bisectBatchOnFunctionError: true,
            functionResponseTypes: ["ReportBatchItemFailures"],
            destinationConfig: { onFailure: { destinationArn: failures.outputs["arn"] } },
        });
        const { filters } = inputs["filterCriteria"] as { readonly filters: readonly { readonly pattern: string }[] };
        expect(filters.map((one) => json(one.pattern))).toEqual([{ eventName: [eventName] }]);
    });

    test("event sources wait for the rights that they are tried with", () => {
        for (const [source, name] of [["queue", "dispatcher"], ["stream", "replayer"]] as const) {
            const mapping = made.one("lambda/eventSourceMapping", source);
            expect(made.waits(mapping, made.one("iam/rolePolicy", name)), source).toBe(true);
        }
    });
});
