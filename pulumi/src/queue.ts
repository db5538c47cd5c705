import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import { contract } from "./contract.js";
import { tlsOnly, type ResourceRef } from "./policies.js";

// The longest retention of SQS
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
const RETENTION_SECONDS = 14 * 24 * 3600;

// Required at the end of a FIFO queue's name
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html).
const FIFO_SUFFIX = ".fifo";

// High throughput: the limit is per message group, which is a user
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/enable-high-throughput-fifo.html).
const FIFO = { fifoQueue: true, deduplicationScope: "messageGroup", fifoThroughputLimit: "perMessageGroupId" };

// Encryption with a key of SQS, which costs nothing per message
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-sqs-sse-queue.html).
const COMMON = { messageRetentionSeconds: RETENTION_SECONDS, sqsManagedSseEnabled: true };

/** The notifications queue, its dead-letter queue, and the queue of stream records that the replayer gave up on. */
export class Queue extends pulumi.ComponentResource {
    readonly notifications: aws.sqs.Queue;
    readonly deadLetters: aws.sqs.Queue;
    readonly replayFailures: aws.sqs.Queue;

    constructor(name: string, { prefix, settings }: Deployment, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Queue", name, {}, opts);
        const kept = { parent: this, protect: settings.production };
        this.deadLetters = new aws.sqs.Queue(
            "dead-letters",
            { name: `${prefix}-dead-letters${FIFO_SUFFIX}`, ...FIFO, ...COMMON },
            kept,
        );
        const { visibilityTimeoutSeconds, maxReceiveCount } = contract.queueSource;
        this.notifications = new aws.sqs.Queue(
            "notifications",
            {
                name: `${prefix}-notifications${FIFO_SUFFIX}`,
                ...FIFO,
                ...COMMON,
                visibilityTimeoutSeconds,
                redrivePolicy: pulumi.jsonStringify({ deadLetterTargetArn: this.deadLetters.arn, maxReceiveCount }),
            },
            kept,
        );
        // Not FIFO: the event source of a stream sends failures to standard queues only
        // (https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html).
        this.replayFailures = new aws.sqs.Queue(
            "replay-failures",
            { name: `${prefix}-replay-failures`, ...COMMON },
            { parent: this },
        );
        new aws.sqs.RedriveAllowPolicy(
            "dead-letters",
            {
                queueUrl: this.deadLetters.url,
                redriveAllowPolicy: pulumi.jsonStringify({
                    redrivePermission: "byQueue",
                    sourceQueueArns: [this.notifications.arn],
                }),
            },
            { parent: this },
        );
        const queues = { notifications: this.notifications, "dead-letters": this.deadLetters, "replay-failures": this.replayFailures };
        for (const [of, queue] of Object.entries(queues)) {
            new aws.sqs.QueuePolicy(of, { queueUrl: queue.url, policy: tlsOnly(queue.arn) }, { parent: this });
        }
        this.registerOutputs({ url: this.notifications.url });
    }
}

/** Returns a queue as a resource of a function. */
export function queueRef(queue: aws.sqs.Queue): ResourceRef {
    return { value: queue.url, arn: queue.arn };
}
