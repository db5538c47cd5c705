import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";

import { readSettings } from "../src/configuration.js";
import { graph } from "./engine/in-process.js";
import { PROJECT, stackConfiguration } from "./engine/stacks.js";

test("every key is typed, described and has a default", () => {
    for (const [name, declared] of Object.entries(PROJECT.config).filter(([key]) => !key.includes(":"))) {
        expect(declared.type, name).toMatch(/^(string|integer|boolean|array)$/);
        expect(declared.description, name).toBeTruthy();
        expect(declared, name).toHaveProperty("default");
    }
});

test.each([
    ["settings", ["TIDINGS_LGO=debug"], 'tidings:settings has "TIDINGS_LGO=debug"; allowed is NAME=value'],
    ["settings", ["TIDINGS_MAILBOX_TABLE=mine"], "allowed is NAME=value with a variable of deployment.json that has a default"],
    ["settings", ["TIDINGS_AUTH_METHODS=open"], "with a variable of deployment.json that has a default, and no key of its own"],
    ["settings", ["TIDINGS_LOG"], "allowed is NAME=value"],
    ["reservedConcurrency", ["dispatch=3"], "allowed is function=number with one of auth-token-issuer"],
    ["reservedConcurrency", ["dispatcher=0"], "allowed is function=number"],
    ["dispatcherMaximumConcurrency", 1, "tidings:dispatcherMaximumConcurrency has 1; allowed is 0 for no limit, or 2 to 1000"],
    ["logRetentionDays", 8, "tidings:logRetentionDays has 8; allowed is 1, 3, 5"],
    ["memoryMib", 64, "tidings:memoryMib has 64; allowed is 128 to 10240"],
    ["jwtIssuer", "http://login.example.com", "allowed is a URL with https"],
    ["jwtIssuer", "https://login.example.com", "allowed is at least one, with a jwtIssuer"],
    ["jwtAudiences", ["tidings"], "allowed is nothing, without a jwtIssuer"],
    ["allowedOrigins", ["https://app.example.com/"], "allowed is an origin, as https://app.example.com"],
    ["handshakeMethods", ["token", "password"], 'tidings:handshakeMethods has "password"; allowed is at least one of token, jwt, hmac, open'],
    ["handshakeMethods", [], "allowed is at least one of token, jwt, hmac, open"],
    ["handshakeIssuers", "https://login.example.com", "allowed is a list in JSON"],
    ["hmacSecretArn", "hmac", "allowed is the whole ARN of a secret"],
    ["producerRate", 0, "tidings:producerRate has 0; allowed is a whole number from 1 on"],
    ["oldestMessageAlarmSeconds", 0, "allowed is a whole number of seconds"],
])("%s is not %j", async (key, value, message) => {
    await pulumi.runtime.setMocks({ call: () => ({}), newResource: () => ({ id: "", state: {} }) }, PROJECT.name, "dev");
    pulumi.runtime.setAllConfig(stackConfiguration("dev", { [`tidings:${key}`]: value }));
    expect(() => readSettings()).toThrow(message);
});

test("a setting reaches the functions that read it, and no others", async () => {
    const made = await graph("dev", { "tidings:settings": ["TIDINGS_INLINE_DRAIN=7"] });
    const readers = made.of("lambda/function").filter(({ inputs }) => {
        const { variables } = inputs["environment"] as { readonly variables: Readonly<Record<string, unknown>> };
        return variables["TIDINGS_INLINE_DRAIN"] === "7";
    });
    expect(readers.map((one) => one.name)).toEqual(["dispatcher"]);
});

test("reserved concurrency is set for whom it is set aside", async () => {
    const made = await graph("dev", { "tidings:reservedConcurrency": ["ws-edge=50"] });
    const reserved = made.of("lambda/function").map((one) => [one.name, one.inputs["reservedConcurrentExecutions"]]);
    expect(reserved.filter(([, count]) => count !== undefined)).toEqual([["ws-edge", 50]]);
});
