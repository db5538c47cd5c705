import { ApiGatewayManagementApiClient, PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { DeleteItemCommand, DynamoDBClient, PutItemCommand, QueryCommand } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const dynamodb = new DynamoDBClient({});
const sqs = new SQSClient({});
const management = new ApiGatewayManagementApiClient({ endpoint: process.env.TIDINGS_MANAGEMENT_ENDPOINT });

const connectionsTable = process.env.TIDINGS_CONNECTIONS_TABLE;
const mailboxTable = process.env.TIDINGS_MAILBOX_TABLE;

const connectionsOf = async (user) => {
    const { Items } = await dynamodb.send(
        new QueryCommand({
            TableName: connectionsTable,
            ConsistentRead: true,
            KeyConditionExpression: "#user = :user",
            ExpressionAttributeNames: { "#user": "userId" },
            ExpressionAttributeValues: { ":user": { S: user } },
        }),
    );
    return Items.map((item) => item.connectionId.S);
};

const heldFor = async (user, upTo) => {
    const { Items } = await dynamodb.send(
        new QueryCommand({
            TableName: mailboxTable,
            ConsistentRead: true,
            KeyConditionExpression: "#user = :user AND #sequence <= :last",
            ExpressionAttributeNames: { "#user": "userId", "#sequence": "sequence" },
            ExpressionAttributeValues: { ":user": { S: user }, ":last": { S: upTo } },
            Limit: 101,
        }),
    );
    return Items;
};

const push = (connection, notification) =>
    management.send(
        new PostToConnectionCommand({
            ConnectionId: connection,
            Data: Buffer.from(JSON.stringify({ type: "notification", ...notification })),
        }),
    );

const hold = (user, sequence, { id, payload, sentAt }) =>
    dynamodb.send(
        new PutItemCommand({
            TableName: mailboxTable,
            Item: {
                version: { N: "1" },
                userId: { S: user },
                sequence: { S: sequence },
                id: { S: id },
                payload: { S: JSON.stringify(payload) },
                sentAt: { N: String(sentAt) },
                whenOffline: { S: "hold" },
            },
        }),
    );

const bury = (record, reason) =>
    sqs.send(
        new SendMessageCommand({
            QueueUrl: process.env.TIDINGS_DEAD_LETTER_QUEUE,
            MessageBody: record.body,
            MessageGroupId: record.attributes.MessageGroupId,
            MessageDeduplicationId: record.messageId,
            MessageAttributes: { reason: { DataType: "String", StringValue: reason } },
        }),
    );

const dispatch = async (record) => {
    let entry;
    try {
        entry = JSON.parse(record.body);
    } catch (error) {
        await bury(record, error.message);
        return;
    }
    const user = record.attributes.MessageGroupId;
    const replay = entry.type === "replay";
    const sequence = replay ? entry.sequence : record.attributes.SequenceNumber.padStart(39, "0");
    const notification = {
        id: entry.id ?? record.attributes.MessageDeduplicationId,
        payload: entry.payload,
        sentAt: Number(record.attributes.SentTimestamp),
    };
    const connections = await connectionsOf(user);
    if (connections.length === 0) {
        if (!replay) {
            await hold(user, sequence, notification);
        }
        return;
    }
    for (const row of await heldFor(user, sequence)) {
        const held = { id: row.id.S, sequence: row.sequence.S, sentAt: Number(row.sentAt.N), payload: JSON.parse(row.payload.S), replayed: true };
        await Promise.all(connections.map((connection) => push(connection, held)));
        await dynamodb.send(new DeleteItemCommand({ TableName: mailboxTable, Key: { userId: row.userId, sequence: row.sequence } }));
    }
    if (!replay) {
        await Promise.all(connections.map((connection) => push(connection, { ...notification, sequence, replayed: false })));
    }
};

const dispatchInOrder = async (records) => {
    for (const [at, record] of records.entries()) {
        try {
            await dispatch(record);
        } catch (error) {
            console.error(error);
            return records.slice(at).map(({ messageId }) => ({ itemIdentifier: messageId }));
        }
    }
    return [];
};

export const handler = async ({ Records }) => {
    const byUser = new Map();
    for (const record of Records) {
        const user = record.attributes.MessageGroupId;
        byUser.set(user, [...(byUser.get(user) ?? []), record]);
    }
    const failed = await Promise.all([...byUser.values()].map(dispatchInOrder));
    return { batchItemFailures: failed.flat() };
};
