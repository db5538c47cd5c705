// The issuer in Node: returns a token for an authenticated caller.
import { createHash, randomUUID } from "node:crypto";
import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { EncryptCommand, KMSClient } from "@aws-sdk/client-kms";

const dynamodb = new DynamoDBClient({});
const kms = new KMSClient({});

const response = (statusCode, body) => ({
    statusCode,
    headers: { "cache-control": "no-store", "content-type": "application/json" },
    body: JSON.stringify(body),
});

export const handler = async (event) => {
    const { authorizer } = event.requestContext;
    const found = authorizer?.jwt?.claims ?? authorizer?.claims;
    if (!found?.sub) {
        return response(401, { detail: "unauthenticated" });
    }
    const iat = Date.now();
    const exp = iat + 30_000;
    const [iss, aud] = ["tidings", "tidings"];
    const claims = { version: 1, iss, aud, sub: found.sub, username: found.username ?? "", iat, exp, jti: randomUUID() };
    const { CiphertextBlob } = await kms.send(
        new EncryptCommand({
            KeyId: process.env.TIDINGS_TOKEN_KEY,
            Plaintext: Buffer.from(JSON.stringify(claims)),
            EncryptionContext: { issuer: iss, audience: aud },
        }),
    );
    const token = Buffer.from(CiphertextBlob).toString("base64url");
    await dynamodb.send(
        new PutItemCommand({
            TableName: process.env.TIDINGS_TOKENS_TABLE,
            Item: {
                version: { N: "1" },
                tokenHash: { S: createHash("sha256").update(token).digest("hex") },
                ttl: { N: String(Math.ceil(exp / 1000)) },
            },
        }),
    );
    return response(200, { token, expiresAt: exp });
};
