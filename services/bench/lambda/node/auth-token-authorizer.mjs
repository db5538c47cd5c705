// The authorizer in Node: allows a handshake whose token is valid and not used before.
import { createHash } from "node:crypto";
import { DeleteItemCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DecryptCommand, KMSClient } from "@aws-sdk/client-kms";

const dynamodb = new DynamoDBClient({});
const kms = new KMSClient({});

const policy = (Effect, Resource, principalId, context) => ({
    principalId,
    policyDocument: { Version: "2012-10-17", Statement: [{ Action: "execute-api:Invoke", Effect, Resource }] },
    context,
});

export const handler = async (event) => {
    const token = event.multiValueQueryStringParameters?.token?.[0];
    if (!token) {
        throw new Error("Unauthorized");
    }
    const { Attributes } = await dynamodb.send(
        new DeleteItemCommand({
            TableName: process.env.TIDINGS_TOKENS_TABLE,
            Key: { tokenHash: { S: createHash("sha256").update(token).digest("hex") } },
            ReturnValues: "ALL_OLD",
        }),
    );
    if (!Attributes) {
        return policy("Deny", event.methodArn, "nobody");
    }
    const [iss, aud] = ["tidings", "tidings"];
    const { Plaintext } = await kms.send(
        new DecryptCommand({
            KeyId: process.env.TIDINGS_TOKEN_KEY,
            CiphertextBlob: Buffer.from(token, "base64url"),
            EncryptionContext: { issuer: iss, audience: aud },
        }),
    );
    const claims = JSON.parse(Buffer.from(Plaintext).toString());
    if (claims.iss !== iss || claims.aud !== aud || claims.exp <= Date.now()) {
        return policy("Deny", event.methodArn, "nobody");
    }
    const principal = { version: 1, userId: claims.sub, username: claims.username, method: "token" };
    return policy("Allow", event.methodArn, claims.sub, { principal: JSON.stringify(principal) });
};
