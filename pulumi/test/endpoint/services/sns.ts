import * as sdk from "@aws-sdk/client-sns";

import { required, type Endpoint } from "../endpoint.js";
import { handler, tagList, tags, type Handlers } from "../handler.js";
import { exactly, oneOf, optional, text } from "../read.js";

const topic = exactly({ name: text, kmsMasterKeyId: optional(text), tags });
const subscription = exactly({ topic: text, protocol: oneOf("email"), endpoint: text });

function attributes(key: string | undefined): Record<string, string> {
    return key === undefined ? {} : { KmsMasterKeyId: key };
}

/** Returns the handlers of SNS. */
export function sns({ client }: Endpoint): Handlers {
    const topics = new sdk.SNSClient(client);
    return {
        "aws:sns/topic:Topic": handler(topic, async (inputs) => {
            const created = await topics.send(new sdk.CreateTopicCommand({ Name: inputs.name, Attributes: attributes(inputs.kmsMasterKeyId), Tags: tagList(inputs.tags) }));
            const arn = required(created.TopicArn, "topic");
            return { id: arn, outputs: { arn } };
        }),
        "aws:sns/topicSubscription:TopicSubscription": handler(subscription, async (inputs) => {
            const { topic: to, protocol, endpoint } = inputs;
            const subscribe = new sdk.SubscribeCommand({ TopicArn: to, Protocol: protocol, Endpoint: endpoint, ReturnSubscriptionArn: true });
            return { id: required((await topics.send(subscribe)).SubscriptionArn, "subscription") };
        }),
    };
}
