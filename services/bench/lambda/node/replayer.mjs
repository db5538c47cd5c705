// The replayer in Node: requeues the held notifications of a user who has connected.
import { randomUUID } from "node:crypto";
import { DynamoDBClient, paginateQuery } from "@aws-sdk/client-dynamodb";
import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";

const dynamodb = new DynamoDBClient({});
const sqs = new SQSClient({});

const send = async (user, sequences) => {
    const { Failed } = await sqs.send(
        new SendMessageBatchCommand({
            QueueUrl: process.env.TIDINGS_NOTIFICATIONS_QUEUE,
            Entries: sequences.map((sequence, at) => ({
                Id: String(at),
                MessageBody: JSON.stringify({ version: 1, type: "replay", userId: user, sequence }),
                MessageGroupId: user,
                MessageDeduplicationId: randomUUID(),
            })),
        }),
    );
    if (Failed?.length) {
        throw new Error(`${Failed.length} replays were not taken: ${Failed[0].Code}`);
    }
};

const replay = async (user) => {
    const pages = paginateQuery(
        { client: dynamodb, pageSize: 1000 },
        {
            TableName: process.env.TIDINGS_MAILBOX_TABLE,
            ConsistentRead: true,
            KeyConditionExpression: "#user = :user",
            ProjectionExpression: "#sequence",
            ExpressionAttributeNames: { "#user": "userId", "#sequence": "sequence" },
            ExpressionAttributeValues: { ":user": { S: user } },
        },
    );
    for await (const { Items } of pages) {
        const sequences = Items.map((item) => item.sequence.S);
        for (let at = 0; at < sequences.length; at += 10) {
            await send(user, sequences.slice(at, at + 10));
        }
    }
};

export const handler = async ({ Records }) => {
    const inserted = Records.filter(({ eventName, dynamodb: { Keys } }) => eventName === "INSERT" && Keys.userId);
    const replays = inserted.map(async ({ dynamodb: { Keys, SequenceNumber } }) => {
        try {
            await replay(Keys.userId.S);
            return [];
        } catch (error) {
            console.error(error);
            return [{ itemIdentifier: SequenceNumber }];
        }
    });
    return { batchItemFailures: (await Promise.all(replays)).flat() };
};
