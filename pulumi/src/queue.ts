import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import { contract } from "./contract.js";
import { tlsOnly, type Target } from "./policies.js";

// The longest that SQS keeps a message
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
const RETENTION_SECONDS = 14 * 24 * 3600;

// The name of a FIFO queue ends with it
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html).
const FIFO_SUFFIX = ".fifo";

// High throughput: messages of different users don't wait for each other
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/enable-high-throughput-fifo.html).
const FIFO = { fifoQueue: true, deduplicationScope: "messageGroup", fifoThroughputLimit: "perMessageGroupId" };

// Encrypted with a key of SQS, which costs nothing for each message
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-sqs-sse-queue.html).
const COMMON = { messageRetentionSeconds: RETENTION_SECONDS, sqsManagedSseEnabled: true };

/** The notifications queue, its dead letters, and the records of failed replays. */
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
        // Not FIFO: a stream's event source sends to standard queues alone
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

/** A queue as functions know it. */
export function queueTarget(queue: aws.sqs.Queue): Target {
    return { value: queue.url, arn: queue.arn };
}
