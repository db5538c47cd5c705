import * as sdk from "@aws-sdk/client-sqs";

import { required, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handlers } from "../handler.js";
import { exactly, flag, number, oneOf, optional, text } from "../read.js";

const queue = exactly({
    name: text,
    fifoQueue: optional(flag),
    deduplicationScope: optional(oneOf("messageGroup")),
    fifoThroughputLimit: optional(oneOf("perMessageGroupId")),
    messageRetentionSeconds: number,
    visibilityTimeoutSeconds: optional(number),
    sqsManagedSseEnabled: flag,
    redrivePolicy: optional(text),
    tags,
});
const queuePolicy = exactly({ queueUrl: text, policy: text });
const redriveAllowPolicy = exactly({ queueUrl: text, redriveAllowPolicy: text });

/** Converts the attributes of a queue to strings, and leaves out those that are undefined. */
function attributes(all: Readonly<Record<string, string | number | boolean | undefined>>): Record<string, string> {
    return Object.fromEntries(Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));
}

/** Returns the handlers of SQS. */
export function sqs({ client }: Endpoint): Handlers {
    const queues = new sdk.SQSClient(client);
    const set = async (url: string, name: string, value: string): Promise<{ id: string }> => {
        await queues.send(new sdk.SetQueueAttributesCommand({ QueueUrl: url, Attributes: { [name]: value } }));
        return { id: url };
    };
    return {
        "aws:sqs/queue:Queue": handler(queue, async (inputs) => {
            const created = await queues.send(
                new sdk.CreateQueueCommand({
                    QueueName: inputs.name,
                    Attributes: attributes({
                        FifoQueue: inputs.fifoQueue,
                        DeduplicationScope: inputs.deduplicationScope,
                        FifoThroughputLimit: inputs.fifoThroughputLimit,
                        MessageRetentionPeriod: inputs.messageRetentionSeconds,
                        VisibilityTimeout: inputs.visibilityTimeoutSeconds,
                        SqsManagedSseEnabled: inputs.sqsManagedSseEnabled,
                        RedrivePolicy: inputs.redrivePolicy,
                    }),
                    tags: inputs.tags,
                }),
            );
            const url = required(created.QueueUrl, "URL of the queue");
            const getArn = new sdk.GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["QueueArn"] });
            const { Attributes: answer } = await queues.send(getArn);
            return { id: url, outputs: { url, arn: required(answer?.QueueArn, "ARN of the queue") } };
        }),
        "aws:sqs/queuePolicy:QueuePolicy": handler(queuePolicy, ({ queueUrl, policy }) => set(queueUrl, "Policy", policy)),
        "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": handler(redriveAllowPolicy, (inputs) =>
            set(inputs.queueUrl, "RedriveAllowPolicy", inputs.redriveAllowPolicy),
        ),
    };
}
