import * as sdk from "@aws-sdk/client-sqs";

import { makeClient, required, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handler, type Handlers } from "../handler.js";
import { exactly, flag, number, oneOf, optional, text } from "../read.js";

const queue = exactly({
    name: text,
    fifoQueue: optional(flag),
    deduplicationScope: optional(oneOf("messageGroup")),
    fifoThroughputLimit: optional(oneOf("perMessageGroupId")),
    maxMessageSize: optional(number),
    messageRetentionSeconds: number,
    visibilityTimeoutSeconds: optional(number),
    sqsManagedSseEnabled: flag,
    redrivePolicy: optional(text),
    tags,
});
type Queue = ReturnType<typeof queue>;
const queuePolicy = exactly({ queueUrl: text, policy: text });
const redriveAllowPolicy = exactly({ queueUrl: text, redriveAllowPolicy: text });

/**
 * Largest message of a queue that sets none, in bytes. The provider's default
 * (https://www.pulumi.com/registry/packages/aws/api-docs/sqs/queue/), not that of SQS.
 */
const DEFAULT_MESSAGE_SIZE = 256 * 1024;

/** Visibility timeout of a queue that sets none, in seconds. */
const DEFAULT_VISIBILITY = 30;

/** Returns the attributes of a queue that can be changed. */
function attributes(inputs: Queue): Record<string, string> {
    const all = {
        DeduplicationScope: inputs.deduplicationScope,
        FifoThroughputLimit: inputs.fifoThroughputLimit,
        MaximumMessageSize: inputs.maxMessageSize ?? DEFAULT_MESSAGE_SIZE,
        MessageRetentionPeriod: inputs.messageRetentionSeconds,
        VisibilityTimeout: inputs.visibilityTimeoutSeconds ?? DEFAULT_VISIBILITY,
        SqsManagedSseEnabled: inputs.sqsManagedSseEnabled,
        RedrivePolicy: inputs.redrivePolicy,
    };
    return Object.fromEntries(Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));
}

function numberOf(value: string | undefined): number | undefined {
    return value === undefined ? undefined : Number(value);
}

/** Returns the handlers of SQS. */
export function sqs({ client }: Endpoint): Handlers {
    const queues = makeClient(sdk.SQSClient, client);
    const set = (url: string, changed: Record<string, string>): Promise<unknown> =>
        queues.send(new sdk.SetQueueAttributesCommand({ QueueUrl: url, Attributes: changed }));
    const get = async (url: string): Promise<Partial<Record<string, string>>> => {
        const { Attributes: found = {} } = await queues.send(new sdk.GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] }));
        return found;
    };
    /** Returns the handler of an attribute of a queue that is a resource of its own. */
    const attribute = <Inputs extends { readonly queueUrl: string }>(read: (value: unknown, where: string) => Inputs, name: string, input: keyof Inputs & string): Handler =>
        handler(read, {
            create: async (inputs) => {
                await set(inputs.queueUrl, { [name]: String(inputs[input]) });
                return { id: inputs.queueUrl };
            },
            read: async (url, inputs) => {
                const found = (await get(url))[name] ?? "";
                return found === "" && inputs[input] !== "" ? undefined : { inputs: { queueUrl: url, [input]: found } };
            },
            update: (url, inputs) => set(url, { [name]: String(inputs[input]) }),
            remove: (url) => set(url, { [name]: "" }),
        });
    return {
        "aws:sqs/queue:Queue": handler(queue, {
            create: async (inputs) => {
                const Attributes = { ...attributes(inputs), ...(inputs.fifoQueue === true ? { FifoQueue: "true" } : {}) };
                const created = await queues.send(new sdk.CreateQueueCommand({ QueueName: inputs.name, Attributes, tags: inputs.tags }));
                const url = required(created.QueueUrl, "URL of the queue");
                return { id: url, outputs: { url, arn: required((await get(url))["QueueArn"], "ARN of the queue") } };
            },
            read: async (url, inputs) => {
                const found = await get(url);
                return {
                    inputs: {
                        name: url.split("/").at(-1),
                        fifoQueue: found["FifoQueue"] === "true" ? true : undefined,
                        deduplicationScope: found["DeduplicationScope"],
                        fifoThroughputLimit: found["FifoThroughputLimit"],
                        maxMessageSize: inputs.maxMessageSize === undefined ? undefined : numberOf(found["MaximumMessageSize"]),
                        messageRetentionSeconds: numberOf(found["MessageRetentionPeriod"]),
                        visibilityTimeoutSeconds: numberOf(found["VisibilityTimeout"]),
                        // An endpoint that does not know the attribute keeps nothing to compare.
                        sqsManagedSseEnabled: found["SqsManagedSseEnabled"] === undefined ? inputs.sqsManagedSseEnabled : found["SqsManagedSseEnabled"] === "true",
                        redrivePolicy: found["RedrivePolicy"],
                    },
                };
            },
            update: async (url, inputs, before) => {
                await set(url, { RedrivePolicy: "", ...attributes(inputs) });
                const gone = Object.keys(before.tags ?? {}).filter((name) => !(name in (inputs.tags ?? {})));
                if (gone.length > 0) {
                    await queues.send(new sdk.UntagQueueCommand({ QueueUrl: url, TagKeys: gone }));
                }
                await queues.send(new sdk.TagQueueCommand({ QueueUrl: url, Tags: { ...inputs.tags } }));
            },
            remove: (url) => queues.send(new sdk.DeleteQueueCommand({ QueueUrl: url })),
        }),
        "aws:sqs/queuePolicy:QueuePolicy": attribute(queuePolicy, "Policy", "policy"),
        "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": attribute(redriveAllowPolicy, "RedriveAllowPolicy", "redriveAllowPolicy"),
    };
}
