import { expect, test } from "vitest";

import { graph } from "./engine/in-process.js";
import { json, many, type Graph } from "./graph.js";

const AUTHORIZER = "auth-token-authorizer";
const ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mine-AbCdEf";

function variables(made: Graph): Readonly<Record<string, unknown>> {
    const { environment } = made.one("lambda/function", AUTHORIZER).inputs as {
        readonly environment: { readonly variables: Readonly<Record<string, unknown>> };
    };
    return environment.variables;
}

/** What the authorizer may read of Secrets Manager. */
function readable(made: Graph): readonly unknown[] {
    const reads = made.statements(made.one("iam/role", AUTHORIZER).id).filter(({ Action }) => many(Action).includes("secretsmanager:GetSecretValue"));
    return reads.map(({ Resource }) => Resource);
}

function secrets(made: Graph): readonly string[] {
    return made.ifAny("secretsmanager/secret").map((one) => one.name).sort();
}

test("a stack has connect tokens alone unless told otherwise, and no secret", async () => {
    const made = await graph("dev");
    expect(variables(made)).toMatchObject({ TIDINGS_AUTH_METHODS: "token", TIDINGS_JWT_ISSUERS: "[]" });
    expect(variables(made)).not.toHaveProperty("TIDINGS_HMAC_SECRET");
    expect(variables(made)).not.toHaveProperty("TIDINGS_JWT_SECRET");
    expect(secrets(made)).toEqual([]);
    expect(readable(made)).toEqual([]);
});

test("with jwt the tokens of the stack's own users are accepted", async () => {
    const made = await graph("dev", { "tidings:handshakeMethods": ["token", "jwt"] });
    const pool = made.one("cognito/userPool", "users");
    const client = made.one("cognito/userPoolClient", "users");
    expect(json(variables(made)["TIDINGS_JWT_ISSUERS"])).toEqual([
        { issuer: `https://${String(pool.outputs["endpoint"])}`, algorithm: "RS256", audiences: [client.id] },
    ]);
    expect(secrets(made)).toEqual([]);
});

test("with jwt and another issuer the tokens of that one are accepted", async () => {
    const made = await graph("issuer", { "tidings:handshakeIssuers": "" });
    expect(json(variables(made)["TIDINGS_JWT_ISSUERS"])).toEqual([
        { issuer: "https://login.example.com/realms/main", algorithm: "RS256", audiences: ["tidings"] },
    ]);
});

test("with hmac there is a secret, which the authorizer alone may read", async () => {
    const made = await graph("dev", { "tidings:handshakeMethods": ["hmac"] });
    const secret = made.one("secretsmanager/secret", "hmac").outputs["arn"];
    expect(variables(made)["TIDINGS_HMAC_SECRET"]).toBe(secret);
    expect(readable(made)).toEqual([secret]);
    expect(secrets(made)).toEqual(["hmac"]);
});

test("a secret that is there already is used, and none is made", async () => {
    const made = await graph("issuer", { "tidings:hmacSecretArn": ARN, "tidings:jwtSecretArn": ARN });
    expect(variables(made)).toMatchObject({ TIDINGS_HMAC_SECRET: ARN, TIDINGS_JWT_SECRET: ARN });
    expect(readable(made)).toEqual([ARN, ARN]);
    expect(secrets(made)).toEqual([]);
});

test("pages that may ask for tokens may connect", async () => {
    expect(variables(await graph("dev"))["TIDINGS_ALLOWED_ORIGINS"]).toBe("http://localhost:8080");
});
