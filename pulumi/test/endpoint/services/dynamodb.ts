import * as sdk from "@aws-sdk/client-dynamodb";

import { required, type Endpoint } from "../endpoint.js";
import { handler, tagList, tags, type Handlers } from "../handler.js";
import { exactly, flag, list, oneOf, optional, text } from "../read.js";

const CREATION_TIMEOUT_SECONDS = 60;

const attribute = exactly({ name: text, type: oneOf("S", "N", "B") });
const table = exactly({
    name: text,
    billingMode: oneOf("PAY_PER_REQUEST"),
    attributes: list(attribute),
    hashKey: text,
    rangeKey: optional(text),
    ttl: exactly({ attributeName: text, enabled: flag }),
    streamEnabled: optional(flag),
    streamViewType: optional(oneOf("KEYS_ONLY")),
    serverSideEncryption: exactly({ enabled: flag }),
    pointInTimeRecovery: exactly({ enabled: flag }),
    deletionProtectionEnabled: flag,
    tags,
});

/** Returns the handlers of DynamoDB. */
export function dynamodb({ client }: Endpoint): Handlers {
    const tables = new sdk.DynamoDBClient(client);
    return {
        "aws:dynamodb/table:Table": handler(table, async (inputs) => {
            const { name, hashKey, rangeKey } = inputs;
            const range: sdk.KeySchemaElement[] = rangeKey === undefined ? [] : [{ AttributeName: rangeKey, KeyType: "RANGE" }];
            await tables.send(
                new sdk.CreateTableCommand({
                    TableName: name,
                    BillingMode: inputs.billingMode,
                    AttributeDefinitions: inputs.attributes.map(({ name: AttributeName, type: AttributeType }) => ({ AttributeName, AttributeType })),
                    KeySchema: [{ AttributeName: hashKey, KeyType: "HASH" }, ...range],
                    ...(inputs.streamEnabled === true
                        ? { StreamSpecification: { StreamEnabled: true, StreamViewType: inputs.streamViewType } }
                        : {}),
                    SSESpecification: { Enabled: inputs.serverSideEncryption.enabled },
                    DeletionProtectionEnabled: inputs.deletionProtectionEnabled,
                    Tags: tagList(inputs.tags),
                }),
            );
            await sdk.waitUntilTableExists({ client: tables, maxWaitTime: CREATION_TIMEOUT_SECONDS, minDelay: 1 }, { TableName: name });
            const { attributeName, enabled } = inputs.ttl;
            await tables.send(
                new sdk.UpdateTimeToLiveCommand({
                    TableName: name,
                    TimeToLiveSpecification: { AttributeName: attributeName, Enabled: enabled },
                }),
            );
            await tables.send(
                new sdk.UpdateContinuousBackupsCommand({
                    TableName: name,
                    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: inputs.pointInTimeRecovery.enabled },
                }),
            );
            const { Table: created } = await tables.send(new sdk.DescribeTableCommand({ TableName: name }));
            const stream = inputs.streamEnabled === true ? { streamArn: required(created?.LatestStreamArn, "stream") } : {};
            return { id: name, outputs: { arn: required(created?.TableArn, "table"), ...stream } };
        }),
    };
}
