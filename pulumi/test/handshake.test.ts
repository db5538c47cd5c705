import { expect, test } from "vitest";

import { programGraph } from "./mocks/in-process.js";
import { parseJson, asList, statements, type Graph } from "./graph.js";

const AUTHORIZER = "auth-token-authorizer";
const ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mine-AbCdEf";

/** Returns the ARNs of the secrets that the authorizer may read. */
function readable(graph: Graph): readonly unknown[] {
    const reads = graph.roleStatements(graph.resource("iam/role", AUTHORIZER).id).filter(({ Action }) => asList(Action).includes("secretsmanager:GetSecretValue"));
    return reads.map(({ Resource }) => Resource);
}

function secrets(graph: Graph): readonly string[] {
    return graph.anyOf("secretsmanager/secret").map(({ name }) => name).sort();
}

test("by default only connect tokens are accepted", async () => {
    const graph = await programGraph("dev");
    expect(graph.environment(AUTHORIZER)).toMatchObject({ TIDINGS_AUTH_METHODS: "token", TIDINGS_JWT_ISSUERS: "[]" });
    expect(graph.environment(AUTHORIZER)).not.toHaveProperty("TIDINGS_HMAC_SECRET");
    expect(graph.environment(AUTHORIZER)).not.toHaveProperty("TIDINGS_JWT_SECRET");
    expect(secrets(graph)).toEqual([]);
    expect(readable(graph)).toEqual([]);
});

test("jwt accepts tokens of the user pool", async () => {
    const graph = await programGraph("dev", { "tidings:handshakeMethods": ["token", "jwt"] });
    const pool = graph.resource("cognito/userPool", "users");
    const client = graph.resource("cognito/userPoolClient", "users");
    expect(parseJson(graph.environment(AUTHORIZER)["TIDINGS_JWT_ISSUERS"])).toEqual([
        { issuer: `https://${String(pool.outputs["endpoint"])}`, algorithm: "RS256", audiences: [client.id] },
    ]);
    expect(secrets(graph)).toEqual([]);
});

test("jwt accepts tokens of the external issuer", async () => {
    const graph = await programGraph("issuer", { "tidings:handshakeIssuers": "" });
    expect(parseJson(graph.environment(AUTHORIZER)["TIDINGS_JWT_ISSUERS"])).toEqual([
        { issuer: "https://login.example.com/realms/main", algorithm: "RS256", audiences: ["tidings"] },
    ]);
});

test("connect tokens name the same users as the tokens they are issued for", async () => {
    const issuer = "https://login.example.com/realms/main";
    const issuers = JSON.stringify([
        { issuer, algorithm: "RS256", audiences: ["tidings"], user_prefix: "main:" },
        { issuer: "https://partner.example.com", algorithm: "ES256", audiences: ["tidings"], user_prefix: "partner:" },
    ]);
    const graph = await programGraph("issuer", { "tidings:handshakeIssuers": issuers });
    expect(graph.environment("auth-token-issuer")["TIDINGS_USER_PREFIX"]).toBe("main:");
    expect((await programGraph("dev")).environment("auth-token-issuer")["TIDINGS_USER_PREFIX"]).toBe("");
});

test("hmac creates a secret for the authorizer alone", async () => {
    const graph = await programGraph("dev", { "tidings:handshakeMethods": ["hmac"] });
    const secret = graph.resource("secretsmanager/secret", "hmac").outputs["arn"];
    expect(graph.environment(AUTHORIZER)["TIDINGS_HMAC_SECRET"]).toBe(secret);
    expect(readable(graph)).toEqual([secret]);
    expect(secrets(graph)).toEqual(["hmac"]);
});

test("an existing secret is used, and none is created", async () => {
    const graph = await programGraph("issuer", { "tidings:hmacSecretArn": ARN, "tidings:jwtSecretArn": ARN });
    expect(graph.environment(AUTHORIZER)).toMatchObject({ TIDINGS_HMAC_SECRET: ARN, TIDINGS_JWT_SECRET: ARN });
    expect(readable(graph)).toEqual([ARN, ARN]);
    expect(secrets(graph)).toEqual([]);
});

test("the authorizer allows the same origins as the token API", async () => {
    expect((await programGraph("dev")).environment(AUTHORIZER)["TIDINGS_ALLOWED_ORIGINS"]).toBe("http://localhost:8080");
});

test("a flood of handshakes leaves the frames of connected clients alone", async () => {
    const graph = await programGraph("dev", { "tidings:connectRate": 7, "tidings:connectBurst": 9 });
    const { defaultRouteSettings, routeSettings } = graph.resource("apigatewayv2/stage", "clients").inputs;
    expect(routeSettings).toMatchObject([{ routeKey: "$connect", throttlingRateLimit: 7, throttlingBurstLimit: 9 }]);
    expect(defaultRouteSettings).toMatchObject({ throttlingRateLimit: 2000 });
});

test("users can't write the name that others see", async () => {
    const client = (await programGraph("dev")).resource("cognito/userPoolClient", "users");
    expect(client.inputs["writeAttributes"]).toEqual(["locale"]);
});

test("a second factor is optional in production, and can be required", async () => {
    const pool = async (stack: "dev" | "prod", mfa: string): Promise<Record<string, unknown>> =>
        (await programGraph(stack, { "tidings:mfa": mfa })).resource("cognito/userPool", "users").inputs;
    expect(await pool("prod", "")).toMatchObject({ mfaConfiguration: "OPTIONAL", softwareTokenMfaConfiguration: { enabled: true } });
    expect((await pool("dev", ""))["mfaConfiguration"]).toBeUndefined();
    expect(await pool("dev", "required")).toMatchObject({ mfaConfiguration: "ON" });
});

test("logs and alarms of production are encrypted with a key of the account", async () => {
    const graph = await programGraph("prod");
    const key = graph.resource("kms/key", "operations");
    for (const { name, inputs } of graph.allOf("cloudwatch/logGroup")) {
        expect(inputs["kmsKeyId"], name).toBe(key.outputs["arn"]);
    }
    expect(graph.resource("sns/topic", "alarms").inputs["kmsMasterKeyId"]).toBe(key.outputs["arn"]);
    const services = statements(key.inputs["policy"]).flatMap(({ Principal, Condition }) =>
        typeof Principal === "object" && Principal !== null && "Service" in Principal ? [[Principal.Service, Object.keys(Condition ?? {})]] : [],
    );
    expect(services).toEqual([
        [expect.stringMatching(/^logs\.[a-z0-9-]+\.amazonaws\.com$/), ["ArnLike"]],
        ["cloudwatch.amazonaws.com", ["ArnLike"]],
    ]);
    expect((await programGraph("dev")).anyOf("kms/key").map(({ name }) => name)).toEqual(["tokens"]);
});
