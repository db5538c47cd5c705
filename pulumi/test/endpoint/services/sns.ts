import * as sdk from "@aws-sdk/client-sns";

import { makeClient, required, type Endpoint } from "../endpoint.js";
import { handler, tagList, tags, type Handlers } from "../handler.js";
import { exactly, oneOf, optional, text } from "../read.js";

const topic = exactly({ name: text, kmsMasterKeyId: optional(text), tags });
const subscription = exactly({ topic: text, protocol: oneOf("email"), endpoint: text });

function attributes(key: string | undefined): Record<string, string> {
    return key === undefined ? {} : { KmsMasterKeyId: key };
}

/** Returns the handlers of SNS. */
export function sns({ client }: Endpoint): Handlers {
    const topics = makeClient(sdk.SNSClient, client);
    return {
        "aws:sns/topic:Topic": handler(topic, {
            create: async ({ name, kmsMasterKeyId, tags: own }) => {
                const created = await topics.send(new sdk.CreateTopicCommand({ Name: name, Attributes: attributes(kmsMasterKeyId), Tags: tagList(own) }));
                const arn = required(created.TopicArn, "topic");
                return { id: arn, outputs: { arn } };
            },
            read: async (TopicArn) => {
                const { Attributes: found = {} } = await topics.send(new sdk.GetTopicAttributesCommand({ TopicArn }));
                return { inputs: { name: TopicArn.split(":").at(-1), kmsMasterKeyId: found["KmsMasterKeyId"] } };
            },
            update: (TopicArn, { kmsMasterKeyId }) =>
                topics.send(new sdk.SetTopicAttributesCommand({ TopicArn, AttributeName: "KmsMasterKeyId", AttributeValue: kmsMasterKeyId ?? "" })),
            remove: (TopicArn) => topics.send(new sdk.DeleteTopicCommand({ TopicArn })),
        }),
        "aws:sns/topicSubscription:TopicSubscription": handler(subscription, {
            create: async ({ topic: to, protocol, endpoint }) => {
                const subscribe = new sdk.SubscribeCommand({ TopicArn: to, Protocol: protocol, Endpoint: endpoint, ReturnSubscriptionArn: true });
                return { id: required((await topics.send(subscribe)).SubscriptionArn, "subscription") };
            },
            read: async (SubscriptionArn) => {
                const { Attributes: found = {} } = await topics.send(new sdk.GetSubscriptionAttributesCommand({ SubscriptionArn }));
                return { inputs: { topic: found["TopicArn"], protocol: found["Protocol"], endpoint: found["Endpoint"] } };
            },
            remove: (SubscriptionArn) => topics.send(new sdk.UnsubscribeCommand({ SubscriptionArn })),
        }),
    };
}
