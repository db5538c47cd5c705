import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment, Settings } from "./configuration.js";
import { contract } from "./contract.js";
import { tlsOnly, type ResourceRef } from "./policies.js";

// The longest retention of SQS
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
const RETENTION_SECONDS = 14 * 24 * 3600;

// Required at the end of a FIFO queue's name
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html).
const FIFO_SUFFIX = ".fifo";

const NOTIFICATIONS = "-notifications";
const DEAD_LETTERS = "-dead-letters";

// High throughput: the limit is per message group, which is a user
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/enable-high-throughput-fifo.html).
const FIFO = { fifoQueue: true, deduplicationScope: "messageGroup", fifoThroughputLimit: "perMessageGroupId" };

// Encryption with a key of SQS, which costs nothing per message
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-sqs-sse-queue.html).
const COMMON = { messageRetentionSeconds: RETENTION_SECONDS, sqsManagedSseEnabled: true };

// A notification and its envelope have at most 128 KiB, so this is room enough for an entry, in bytes. A dead letter has the
// attributes that say why besides, which count, so its queue takes the most that SQS does
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
const LARGEST_ENTRY = 256 * 1024;
const LARGEST_LETTER = 1024 * 1024;

/** A notifications queue and its dead-letter queue. */
export interface QueuePair {
    /** Ending of the names of what belongs to the queue: none for the first one. */
    readonly suffix: string;
    readonly notifications: aws.sqs.Queue;
    readonly deadLetters: aws.sqs.Queue;
}

/** The notifications queues, their dead-letter queues, and the queue of stream records that the replayer gave up on. */
export class Queue extends pulumi.ComponentResource {
    /** The notifications queues in order, at least one. */
    readonly pairs: readonly QueuePair[];
    /** The first notifications queue, and usually the only one. */
    readonly notifications: aws.sqs.Queue;
    readonly deadLetters: aws.sqs.Queue;
    readonly replayFailures: aws.sqs.Queue;

    constructor(name: string, { prefix, settings }: Deployment, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:Queue", name, {}, opts);
        const first = this.pair(prefix, settings, "", queueTags(settings));
        this.pairs = [first, ...Array.from({ length: settings.queues - 1 }, (_, index) => this.pair(prefix, settings, `-${index + 1}`))];
        this.notifications = first.notifications;
        this.deadLetters = first.deadLetters;
        // Not FIFO: the event source of a stream sends failures to standard queues only
        // (https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html).
        this.replayFailures = new aws.sqs.Queue(
            "replay-failures",
            { name: `${prefix}-replay-failures`, ...COMMON },
            { parent: this },
        );
        this.requireTls("replay-failures", this.replayFailures);
        this.registerOutputs({ url: this.notifications.url });
    }

    /** Creates a notifications queue and its dead-letter queue. */
    private pair(prefix: string, { production }: Settings, suffix: string, tags: Tags = {}): QueuePair {
        const kept = { parent: this, protect: production };
        const deadLetters = new aws.sqs.Queue(
            `dead-letters${suffix}`,
            {
                name: `${prefix}${DEAD_LETTERS}${suffix}${FIFO_SUFFIX}`,
                ...FIFO,
                ...COMMON,
                ...tags,
                maxMessageSize: LARGEST_LETTER,
            },
            kept,
        );
        const { visibilityTimeoutSeconds, maxReceiveCount } = contract.queueSource;
        const notifications = new aws.sqs.Queue(
            `notifications${suffix}`,
            {
                name: `${prefix}${NOTIFICATIONS}${suffix}${FIFO_SUFFIX}`,
                ...FIFO,
                ...COMMON,
                ...tags,
                maxMessageSize: LARGEST_ENTRY,
                visibilityTimeoutSeconds,
                redrivePolicy: pulumi.jsonStringify({ deadLetterTargetArn: deadLetters.arn, maxReceiveCount }),
            },
            kept,
        );
        new aws.sqs.RedriveAllowPolicy(
            `dead-letters${suffix}`,
            {
                queueUrl: deadLetters.url,
                redriveAllowPolicy: pulumi.jsonStringify({
                    redrivePermission: "byQueue",
                    sourceQueueArns: [notifications.arn],
                }),
            },
            { parent: this },
        );
        this.requireTls(`notifications${suffix}`, notifications);
        this.requireTls(`dead-letters${suffix}`, deadLetters);
        return { suffix, notifications, deadLetters };
    }

    private requireTls(of: string, queue: aws.sqs.Queue): void {
        new aws.sqs.QueuePolicy(of, { queueUrl: queue.url, policy: tlsOnly(queue.arn) }, { parent: this });
    }
}

/** Returns a queue as a resource of a function. */
export function queueRef(queue: aws.sqs.Queue): ResourceRef {
    return { value: queue.url, arn: queue.arn };
}

/** Returns queues in their order as one resource of a function, named by their URLs. */
export function queueRefs(queues: readonly aws.sqs.Queue[]): ResourceRef {
    const [only, second] = queues;
    if (only !== undefined && second === undefined) {
        return queueRef(only);
    }
    return { value: pulumi.all(queues.map(({ url }) => url)).apply((urls) => urls.join(",")), arn: pulumi.all(queues.map(({ arn }) => arn)) };
}

interface Tags {
    readonly tags?: Readonly<Record<string, string>>;
}

// Tags of the first queue and its dead-letter queue, so that a later deployment knows what the queues were made for.
const QUEUES_TAG = "tidings:queues";
const EPOCH_TAG = "tidings:queue-epoch";

/** Returns the tags of the first queue pair. A stack that never had several queues has none. */
function queueTags({ queues, queueEpoch }: Settings): Tags {
    return queues === 1 && queueEpoch === 0 ? {} : { tags: { [QUEUES_TAG]: String(queues), [EPOCH_TAG]: String(queueEpoch) } };
}

/** Number and epoch of the queues that a stack is deployed with. */
interface DeployedQueues {
    readonly queues: number;
    readonly epoch: number;
}

/**
 * Reads the tags of the first queue pair. Returns `undefined` if the stack does not exist. If the tags of one queue are
 * lost, those of the other count, and a warning says how to restore them.
 */
async function deployedQueues(prefix: string): Promise<DeployedQueues | undefined> {
    const names = [`${prefix}${NOTIFICATIONS}${FIFO_SUFFIX}`, `${prefix}${DEAD_LETTERS}${FIFO_SUFFIX}`];
    const existing = await Promise.all(
        names.map(async (name) => {
            // The look-up of one queue fails if there is none.
            const { queueUrls } = await aws.sqs.getQueues({ queueNamePrefix: name.slice(0, -FIFO_SUFFIX.length) });
            return queueUrls.some((url) => url.endsWith(`/${name}`)) ? (await aws.sqs.getQueue({ name })).tags : undefined;
        }),
    );
    if (existing[0] === undefined) {
        return undefined;
    }
    const found = existing.filter((tags) => tags !== undefined);
    const tagged = found.filter((tags) => QUEUES_TAG in tags && EPOCH_TAG in tags);
    if (tagged.length > 0 && tagged.length < found.length) {
        void pulumi.log.warn(`tags of the stack's queues are lost; run pulumi refresh and pulumi up to restore ${QUEUES_TAG} and ${EPOCH_TAG}`);
    }
    const all = tagged.map((tags): DeployedQueues => ({ queues: Number(tags[QUEUES_TAG]), epoch: Number(tags[EPOCH_TAG]) }));
    return all.reduce((latest, other) => (other.epoch > latest.epoch ? other : latest), all[0] ?? { queues: 1, epoch: 0 });
}

/**
 * Throws if the stack exists and the number of queues changes without a later epoch: the sequences of the users who move
 * to another queue would not be in order. Throws also if there are fewer queues and nobody has said that those that go
 * are empty: they are deleted with their notifications and dead letters.
 */
export async function checkQueues(prefix: string, { queues, queueEpoch, emptiedForEpoch }: Settings): Promise<void> {
    const deployed = await deployedQueues(prefix);
    if (deployed === undefined) {
        return;
    }
    if (queueEpoch < deployed.epoch) {
        throw new pulumi.RunError(`tidings:queueEpoch has ${queueEpoch}; expected at least ${deployed.epoch}, with which the stack is deployed`);
    }
    if (queues !== deployed.queues && queueEpoch === deployed.epoch) {
        throw new pulumi.RunError(
            `tidings:queues has ${queues}, and the stack is deployed with ${deployed.queues}; to change it, drain the queues and raise tidings:queueEpoch ` +
                `above ${deployed.epoch} as docs/how-to/deploy.md describes, or users get notifications in the wrong order`,
        );
    }
    if (queues < deployed.queues && emptiedForEpoch !== queueEpoch) {
        throw new pulumi.RunError(
            `tidings:queues has ${queues}, and the stack is deployed with ${deployed.queues}: the queues that go are deleted with their notifications and ` +
                `dead letters; empty them as docs/how-to/deploy.md describes, then set tidings:emptiedForEpoch to ${queueEpoch}`,
        );
    }
}
