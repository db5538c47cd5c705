// The dispatcher in Node: pushes the notifications of a batch, or holds them for disconnected users.
import { ApiGatewayManagementApiClient, PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { BatchWriteItemCommand, DeleteItemCommand, DynamoDBClient, PutItemCommand, QueryCommand } from "@aws-sdk/client-dynamodb";
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
    return Items.map((item) => ({ id: item.connectionId.S, batches: item.format.S === "batch" }));
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
    return Items.map((row) => ({ id: row.id.S, sequence: row.sequence.S, sentAt: Number(row.sentAt.N), payload: JSON.parse(row.payload.S), replayed: true }));
};

const framesOf = ({ batches }, items) =>
    batches && items.length > 1
        ? [{ type: "notifications", items }]
        : items.map((item) => ({ type: "notification", ...item }));

const push = async (connection, items) => {
    for (const frame of framesOf(connection, items)) {
        await management.send(new PostToConnectionCommand({ ConnectionId: connection.id, Data: Buffer.from(JSON.stringify(frame)) }));
    }
};

const pushToAll = (connections, items) => Promise.all(connections.map((connection) => push(connection, items)));

// Writes one row alone and several in a batch. Rows that the table did not write are an error.
const write = async (rows, one, inBatch) => {
    if (rows.length === 1) {
        await dynamodb.send(one(rows[0]));
        return;
    }
    const { UnprocessedItems } = await dynamodb.send(new BatchWriteItemCommand({ RequestItems: { [mailboxTable]: rows.map(inBatch) } }));
    if (Object.keys(UnprocessedItems ?? {}).length > 0) {
        throw new Error("rows were not written");
    }
};

const hold = (user, notifications) => {
    const rows = notifications.map(({ id, sequence, payload, sentAt }) => ({
        version: { N: "1" },
        userId: { S: user },
        sequence: { S: sequence },
        id: { S: id },
        payload: { S: JSON.stringify(payload) },
        sentAt: { N: String(sentAt) },
        whenOffline: { S: "hold" },
    }));
    return write(rows, (Item) => new PutItemCommand({ TableName: mailboxTable, Item }), (Item) => ({ PutRequest: { Item } }));
};

const deleteRows = (user, notifications) => {
    const keys = notifications.map(({ sequence }) => ({ userId: { S: user }, sequence: { S: sequence } }));
    return write(keys, (Key) => new DeleteItemCommand({ TableName: mailboxTable, Key }), (Key) => ({ DeleteRequest: { Key } }));
};

const deadLetter = (record, reason) =>
    sqs.send(
        new SendMessageCommand({
            QueueUrl: process.env.TIDINGS_DEAD_LETTER_QUEUE,
            MessageBody: record.body,
            MessageGroupId: record.attributes.MessageGroupId,
            MessageDeduplicationId: record.messageId,
            MessageAttributes: { reason: { DataType: "String", StringValue: reason } },
        }),
    );

// Returns the new notifications in the records of a user, and the sequence up to which held ones must be pushed.
const read = async (records) => {
    const fresh = [];
    let upTo = "";
    for (const record of records) {
        let entry;
        try {
            entry = JSON.parse(record.body);
        } catch (error) {
            await deadLetter(record, error.message);
            continue;
        }
        const { attributes } = record;
        const replay = entry.type === "replay";
        const sequence = replay ? entry.sequence : attributes.SequenceNumber.padStart(39, "0");
        upTo = sequence > upTo ? sequence : upTo;
        if (!replay) {
            const id = entry.id ?? attributes.MessageDeduplicationId;
            fresh.push({ id, sequence, sentAt: Number(attributes.SentTimestamp), payload: entry.payload, replayed: false });
        }
    }
    return { fresh, upTo };
};

const dispatch = async (user, records) => {
    let { fresh, upTo } = await read(records);
    let connections = await connectionsOf(user);
    if (connections.length === 0 && fresh.length > 0) {
        await hold(user, fresh);
        fresh = [];
        connections = await connectionsOf(user);
    }
    if (connections.length === 0) {
        return;
    }
    const held = await heldFor(user, upTo);
    if (held.length > 0) {
        await pushToAll(connections, held);
        await deleteRows(user, held);
    }
    await pushToAll(connections, fresh);
};

export const handler = async ({ Records }) => {
    const byUser = new Map();
    for (const record of Records) {
        const user = record.attributes.MessageGroupId;
        byUser.set(user, [...(byUser.get(user) ?? []), record]);
    }
    const runs = [...byUser].map(async ([user, records]) => {
        try {
            await dispatch(user, records);
            return [];
        } catch (error) {
            console.error(error);
            return records.map(({ messageId }) => ({ itemIdentifier: messageId }));
        }
    });
    return { batchItemFailures: (await Promise.all(runs)).flat() };
};
