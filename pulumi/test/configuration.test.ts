import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";

import { readSettings } from "../src/configuration.js";
import { programGraph } from "./mocks/in-process.js";
import { PROJECT, stackConfiguration, STACK_NAMES } from "./mocks/stacks.js";

test("every key has a type, a description and a default", () => {
    for (const [name, declared] of Object.entries(PROJECT.config).filter(([key]) => !key.includes(":"))) {
        expect(declared.type, name).toMatch(/^(string|integer|boolean|array)$/);
        expect(declared.description, name).toBeTruthy();
        expect(declared, name).toHaveProperty("default");
    }
});

test.each(STACK_NAMES)("the configuration of %s is accepted", async (stack) => {
    await expect(programGraph(stack)).resolves.toBeDefined();
});

test.each([
    ["settings", ["TIDINGS_LGO=debug"], 'tidings:settings has "TIDINGS_LGO=debug"; expected NAME=value'],
    ["settings", ["TIDINGS_MAILBOX_TABLE=mine"], "expected NAME=value with a variable of deployment.json that has a default"],
    ["settings", ["TIDINGS_AUTH_METHODS=open"], "with a variable of deployment.json that has a default and no configuration key of its own"],
    ["settings", ["TIDINGS_LOG"], "expected NAME=value"],
    ["settings", ["TIDINGS_SEND_POLICY=samehub"], 'tidings:settings has "TIDINGS_SEND_POLICY=samehub"; expected off, same-hub or anyone'],
    ["settings", ["TIDINGS_LOG=info", "TIDINGS_LOG=warn"], 'tidings:settings has "TIDINGS_LOG"; expected each name once'],
    ["alarmEmail", "nobody", 'tidings:alarmEmail has "nobody"; expected an email address'],
    ["alarmTopicArn", "foo", "expected the ARN of a standard SNS topic"],
    ["handshakeIssuers", "[]", "expected a JSON array of objects, at least one"],
    ["handshakeIssuers", '[{"issuer": "https://a.example", "algorithm": "none", "audiences": ["a"]}]', 'expected an "algorithm" of RS256, ES256'],
    ["webSocketRate", 1_000_000_000, "at most a million"],
    ["reservedConcurrency", ["dispatch=3"], "expected function=number with one of auth-token-issuer"],
    ["reservedConcurrency", ["dispatcher=0"], "expected function=number"],
    ["dispatcherMaximumConcurrency", 1, "tidings:dispatcherMaximumConcurrency has 1; expected 0 for the default, or 2 to 1000"],
    ["logRetentionDays", 8, "tidings:logRetentionDays has 8; expected 1, 3, 5"],
    ["memoryMib", 64, "tidings:memoryMib has 64; expected 128 to 10240"],
    ["jwtIssuer", "http://login.example.com", "expected an https URL"],
    ["jwtIssuer", "https://login.example.com", "expected at least one audience with jwtIssuer"],
    ["jwtAudiences", ["tidings"], "expected no audience without jwtIssuer"],
    ["allowedOrigins", ["https://app.example.com/"], "expected an origin such as https://app.example.com"],
    ["allowedOrigins", ["https://app.example.com:44x"], "expected an origin"],
    ["apiGatewayLogs", "on", 'tidings:apiGatewayLogs has "on"; expected off, existing, account'],
    ["unknownFields", "drop", 'tidings:unknownFields has "drop"; expected refuse or ignore'],
    ["handshakeMethods", ["token", "password"], 'tidings:handshakeMethods has "password"; expected at least one of token, jwt, hmac, open'],
    ["handshakeMethods", [], "expected at least one of token, jwt, hmac, open"],
    ["handshakeIssuers", "https://login.example.com", "expected a JSON array"],
    ["handshakeIssuers", '["https://login.example.com"]', "expected a JSON array of objects"],
    ["handshakeIssuers", '[{"issuer": "https://login.example.com", "algorithm": "RS256"}]', '"audiences" for each issuer'],
    ["hmacSecretArn", "hmac", "expected the whole ARN of a secret"],
    ["producerRate", 0, "tidings:producerRate has 0; expected a whole number of at least 1"],
    ["oldestMessageAlarmSeconds", 0, "expected a whole number of seconds"],
])("%s refuses %j", async (key, value, message) => {
    await pulumi.runtime.setMocks({ call: () => ({}), newResource: () => ({ id: "", state: {} }) }, PROJECT.name, "dev");
    pulumi.runtime.setAllConfig(stackConfiguration("dev", { [`tidings:${key}`]: value }));
    expect(() => readSettings()).toThrow(message);
});

test("a replaced key is refused with the one that replaces it", async () => {
    await pulumi.runtime.setMocks({ call: () => ({}), newResource: () => ({ id: "", state: {} }) }, PROJECT.name, "dev");
    pulumi.runtime.setAllConfig({ ...stackConfiguration("dev"), "tidings:apiGatewayLogsRole": "true" });
    expect(() => readSettings()).toThrow('tidings:apiGatewayLogsRole has "true"; expected tidings:apiGatewayLogs in its place: account for true, existing for false');
});

test.each([
    ["prodution", "tidings:prodution is no key of Pulumi.yaml; did you mean tidings:production?"],
    ["unknownKey", "tidings:unknownKey is no key of Pulumi.yaml"],
])("the unknown key %s is refused", async (key, message) => {
    await pulumi.runtime.setMocks({ call: () => ({}), newResource: () => ({ id: "", state: {} }) }, PROJECT.name, "dev");
    pulumi.runtime.setAllConfig({ ...stackConfiguration("dev"), [`tidings:${key}`]: "true" });
    expect(() => readSettings()).toThrow(message);
});

test("a second factor and an audience need their issuer", async () => {
    const issuer = { "tidings:jwtIssuer": "https://login.example.com", "tidings:jwtAudiences": ["tidings"] };
    await pulumi.runtime.setMocks({ call: () => ({}), newResource: () => ({ id: "", state: {} }) }, PROJECT.name, "dev");
    pulumi.runtime.setAllConfig(stackConfiguration("dev", { ...issuer, "tidings:mfa": "required" }));
    expect(() => readSettings()).toThrow("expected no second factor with jwtIssuer");
    pulumi.runtime.setAllConfig(stackConfiguration("dev", { ...issuer, "tidings:jwtAudiences": [""] }));
    expect(() => readSettings()).toThrow("and no empty one");
});

test("the event source does not exceed the dispatcher's reserved concurrency", async () => {
    const reserved = { "tidings:reservedConcurrency": ["dispatcher=3"], "tidings:dispatcherMaximumConcurrency": 50 };
    await expect(programGraph("dev", reserved)).rejects.toThrow("reserve at least 50, or lower tidings:dispatcherMaximumConcurrency");
    await expect(programGraph("dev", { "tidings:reservedConcurrency": ["dispatcher=1"] })).rejects.toThrow("reserve at least 2");
});

test("production refuses unproven names", async () => {
    const open = { "tidings:handshakeMethods": ["token", "open"] };
    await pulumi.runtime.setMocks({ call: () => ({}), newResource: () => ({ id: "", state: {} }) }, PROJECT.name, "dev");
    pulumi.runtime.setAllConfig(stackConfiguration("prod", open));
    expect(() => readSettings()).toThrow("expected no open with production");
    pulumi.runtime.setAllConfig(stackConfiguration("dev", open));
    expect(readSettings().handshake.methods).toEqual(["token", "open"]);
});

test("an origin may have the default port", async () => {
    const origins = ["https://app.example.com:443", "http://localhost:80", "http://localhost:443", "https://a.example"];
    const graph = await programGraph("dev", { "tidings:allowedOrigins": origins });
    const { corsConfiguration } = graph.resource("apigatewayv2/api", "tokens").inputs;
    expect(corsConfiguration).toMatchObject({
        allowOrigins: ["https://app.example.com", "http://localhost", "http://localhost:443", "https://a.example"],
    });
});

test("a setting reaches only the functions that read it", async () => {
    const graph = await programGraph("dev", { "tidings:settings": ["TIDINGS_INLINE_DRAIN=7"] });
    const functions = graph.allOf("lambda/function");
    const readers = functions.filter(({ name }) => graph.environment(name)["TIDINGS_INLINE_DRAIN"] === "7");
    expect(readers.map(({ name }) => name)).toEqual(["dispatcher"]);
});

test("reserved concurrency applies to the named function only", async () => {
    const graph = await programGraph("dev", { "tidings:reservedConcurrency": ["ws-edge=50"] });
    const reserved = graph.allOf("lambda/function").map(({ name, inputs }) => [name, inputs["reservedConcurrentExecutions"]]);
    expect(reserved.filter(([, count]) => count !== undefined)).toEqual([["ws-edge", 50]]);
});
