// The WebSocket edge in Node: records new connections.
import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";

const dynamodb = new DynamoDBClient({});

const connect = async (event) => {
    const { connectionId, authorizer } = event.requestContext;
    const { userId } = JSON.parse(authorizer.principal);
    const query = event.queryStringParameters ?? {};
    const now = Date.now();
    await dynamodb.send(
        new PutItemCommand({
            TableName: process.env.TIDINGS_CONNECTIONS_TABLE,
            Item: {
                version: { N: "1" },
                userId: { S: userId },
                connectionId: { S: connectionId },
                connectedAt: { N: String(now) },
                acknowledges: { BOOL: query.acknowledge === "true" },
                format: { S: query.format ?? "single" },
                ttl: { N: String(Math.ceil(now / 1000) + 7800) },
            },
        }),
    );
    const offered = event.headers["Sec-WebSocket-Protocol"]?.split(",").map((offer) => offer.trim()) ?? [];
    return offered.includes("tidings.v1")
        ? { statusCode: 200, headers: { "Sec-WebSocket-Protocol": "tidings.v1" } }
        : { statusCode: 200 };
};

export const handler = async (event) =>
    event.requestContext.eventType === "CONNECT" ? connect(event) : { statusCode: 200 };
