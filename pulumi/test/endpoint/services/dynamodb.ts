import * as sdk from "@aws-sdk/client-dynamodb";

import { makeClient, required, type Endpoint } from "../endpoint.js";
import { handler, same, tagList, tags, type Handlers } from "../handler.js";
import { exactly, flag, list, oneOf, optional, text } from "../read.js";

const TIMEOUT_SECONDS = 60;

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
type Table = ReturnType<typeof table>;

/** Returns a key of a table. */
function keyOf({ KeySchema: keys = [] }: sdk.TableDescription, kind: sdk.KeyType): string | undefined {
    return keys.find(({ KeyType }) => KeyType === kind)?.AttributeName;
}

/** Returns the handlers of DynamoDB. */
export function dynamodb({ client }: Endpoint): Handlers {
    const tables = makeClient(sdk.DynamoDBClient, client);
    const waited = { client: tables, maxWaitTime: TIMEOUT_SECONDS, minDelay: 1 };
    const setTtl = (name: string, { ttl }: Table): Promise<unknown> =>
        tables.send(
            new sdk.UpdateTimeToLiveCommand({
                TableName: name,
                TimeToLiveSpecification: { AttributeName: ttl.attributeName, Enabled: ttl.enabled },
            }),
        );
    const setRecovery = (name: string, { pointInTimeRecovery }: Table): Promise<unknown> =>
        tables.send(
            new sdk.UpdateContinuousBackupsCommand({
                TableName: name,
                PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: pointInTimeRecovery.enabled },
            }),
        );
    return {
        "aws:dynamodb/table:Table": handler(table, {
            create: async (inputs) => {
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
                await sdk.waitUntilTableExists(waited, { TableName: name });
                await setTtl(name, inputs);
                await setRecovery(name, inputs);
                const { Table: created } = await tables.send(new sdk.DescribeTableCommand({ TableName: name }));
                const stream = inputs.streamEnabled === true ? { streamArn: required(created?.LatestStreamArn, "stream") } : {};
                return { id: name, outputs: { arn: required(created?.TableArn, "table"), ...stream } };
            },
            read: async (name, inputs) => {
                const { Table: described } = await tables.send(new sdk.DescribeTableCommand({ TableName: name }));
                const found = required(described, "table");
                const { TimeToLiveDescription: ttl } = await tables.send(new sdk.DescribeTimeToLiveCommand({ TableName: name }));
                const backups = await tables.send(new sdk.DescribeContinuousBackupsCommand({ TableName: name }));
                const recovery = backups.ContinuousBackupsDescription?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus;
                const types = new Map((found.AttributeDefinitions ?? []).map(({ AttributeName, AttributeType }) => [AttributeName, AttributeType]));
                const { StreamEnabled: hasStream = false, StreamViewType: view } = found.StreamSpecification ?? {};
                return {
                    inputs: {
                        name: found.TableName,
                        billingMode: found.BillingModeSummary?.BillingMode,
                        // In the order of the inputs, because the endpoint's order means nothing.
                        attributes: inputs.attributes.map((one) => ({ name: one.name, type: types.get(one.name) })),
                        hashKey: keyOf(found, "HASH"),
                        rangeKey: keyOf(found, "RANGE"),
                        ttl: { attributeName: ttl?.AttributeName, enabled: ttl?.TimeToLiveStatus === "ENABLED" },
                        streamEnabled: hasStream ? true : undefined,
                        streamViewType: hasStream ? view : undefined,
                        serverSideEncryption: { enabled: found.SSEDescription?.Status === "ENABLED" },
                        pointInTimeRecovery: { enabled: recovery === "ENABLED" },
                        deletionProtectionEnabled: found.DeletionProtectionEnabled ?? false,
                    },
                };
            },
            update: async (name, inputs, before) => {
                if (inputs.deletionProtectionEnabled !== before.deletionProtectionEnabled) {
                    await tables.send(new sdk.UpdateTableCommand({ TableName: name, DeletionProtectionEnabled: inputs.deletionProtectionEnabled }));
                }
                if (!same(inputs.serverSideEncryption, before.serverSideEncryption)) {
                    await tables.send(new sdk.UpdateTableCommand({ TableName: name, SSESpecification: { Enabled: inputs.serverSideEncryption.enabled } }));
                }
                if (!same(inputs.ttl, before.ttl)) {
                    await setTtl(name, inputs);
                }
                if (!same(inputs.pointInTimeRecovery, before.pointInTimeRecovery)) {
                    await setRecovery(name, inputs);
                }
            },
            remove: async (name) => {
                await tables.send(new sdk.DeleteTableCommand({ TableName: name }));
                await sdk.waitUntilTableNotExists(waited, { TableName: name });
            },
        }),
    };
}
