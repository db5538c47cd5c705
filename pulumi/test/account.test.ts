import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";

import { contract } from "../src/contract.js";
import { asList, type Graph } from "./graph.js";
import { programGraph } from "./mocks/in-process.js";

const SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mine-AbCdEf";
const KEY = "arn:aws:kms:eu-central-1:123456789012:key/0001";

describe("the account's concurrency", () => {
    const dispatchers = async (changes: Readonly<Record<string, unknown>>, concurrency: number): Promise<unknown> => {
        const graph = await programGraph("dev", changes, { concurrency });
        const { scalingConfig } = graph.resource("lambda/eventSourceMapping", "queue").inputs as { readonly scalingConfig: { readonly maximumConcurrency: unknown } };
        return scalingConfig.maximumConcurrency;
    };

    test.each([
        [1000, 50],
        [60, 30],
        [10, 5],
        [3, 2],
    ])("of %d leaves at least half to the functions that answer clients", async (concurrency, expected) => {
        expect(await dispatchers({}, concurrency)).toBe(expected);
    });

    test("is shared as the configuration says", async () => {
        expect(await dispatchers({ "tidings:dispatcherMaximumConcurrency": 400 }, 1000)).toBe(400);
        expect(await dispatchers({ "tidings:reservedConcurrency": ["dispatcher=7"] }, 1000)).toBe(7);
    });

    test("can't be reserved but for 100 of the quota, and nothing is registered then", async () => {
        const reserve = { "tidings:reservedConcurrency": ["dispatcher=300", "ws-edge=100"] };
        const reserved = (await programGraph("dev", reserve, { concurrency: 500 })).resource("lambda/function", "dispatcher");
        expect(reserved.inputs["reservedConcurrentExecutions"]).toBe(300);
        const refused: unknown = await programGraph("dev", reserve, { concurrency: 499 }).catch((error: unknown) => error);
        expect(pulumi.RunError.isInstance(refused)).toBe(true);
        expect(String(refused)).toContain(
            'tidings:reservedConcurrency reserves 400 in all, but Lambda\'s quota "Concurrent executions" is 499 in this account and region, of which 100 can\'t be reserved; raise the quota with Service Quotas, or reserve less',
        );
    });

    test("may be small if none is reserved", async () => {
        await expect(programGraph("dev", {}, { concurrency: 10 })).resolves.toBeDefined();
    });
});

describe("an existing secret", () => {
    const decrypts = (graph: Graph, functionName: string): readonly unknown[] =>
        graph
            .roleStatements(graph.resource("iam/role", functionName).id)
            .filter(({ Action, Condition }) => asList(Action).includes("kms:Decrypt") && Condition !== undefined)
            .map(({ Resource, Condition }) => [Resource, Condition]);
    const existing = { "tidings:hmacSecretArn": SECRET, "tidings:handshakeMethods": ["hmac"] };

    test.each([KEY, "0001", "alias/0001"])("is decrypted with its key %s", async (key) => {
        const graph = await programGraph("dev", existing, { keys: { [SECRET]: key } });
        const condition = { StringEquals: { "kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com" } };
        expect(decrypts(graph, "auth-token-authorizer")).toEqual([[KEY, condition]]);
        for (const { name } of contract.functions.filter((one) => one.name !== "auth-token-authorizer")) {
            expect(decrypts(graph, name), name).toEqual([]);
        }
    });

    test.each(["", "alias/aws/secretsmanager"])("with AWS's own key needs no permission (%j)", async (key) => {
        expect(decrypts(await programGraph("dev", existing, { keys: { [SECRET]: key } }), "auth-token-authorizer")).toEqual([]);
    });
});

describe("the stack's name", () => {
    // With it, the longest name of a function and its role has the 64 characters that AWS allows.
    const longest = "s".repeat(64 - "tidings--auth-token-authorizer".length);

    test("may be as long as names on AWS allow", async () => {
        const graph = await programGraph("dev", {}, { stackName: longest });
        for (const type of ["lambda/function", "iam/role"]) {
            const lengths = graph.allOf(type).map(({ inputs }) => (typeof inputs["name"] === "string" ? inputs["name"].length : 0));
            expect(Math.max(...lengths)).toBe(64);
        }
    });

    test.each([
        [`${longest}s`, "has 35 characters; names on AWS have room for 34"],
        ["other.name", "the stack's name other.name can't be part of names on AWS; use letters, digits, hyphens and underscores"],
    ])("%s is refused at once", async (stackName, message) => {
        const refused: unknown = await programGraph("dev", {}, { stackName }).catch((error: unknown) => error);
        expect(pulumi.RunError.isInstance(refused)).toBe(true);
        expect(String(refused)).toContain(message);
    });
});

describe("what the program refuses", () => {
    test("is told without a stack trace", async () => {
        for (const changes of [{ "tidings:archives": "/nowhere" }, { "tidings:memoryMib": 1 }, { "tidings:settings": ["TIDINGS_LGO=debug"] }]) {
            const refused: unknown = await programGraph("dev", changes).catch((error: unknown) => error);
            expect(pulumi.RunError.isInstance(refused), String(refused)).toBe(true);
        }
    });
});

test("the edge and the replayer are updated after the dispatcher", async () => {
    const graph = await programGraph("dev");
    const dispatcher = graph.resource("lambda/function", "dispatcher");
    for (const name of ["ws-edge", "replayer"]) {
        expect(graph.waitsFor(graph.resource("lambda/function", name), dispatcher), name).toBe(true);
    }
});

test("users cost what the cheapest tier costs", async () => {
    expect((await programGraph("dev")).resource("cognito/userPool", "users").inputs["userPoolTier"]).toBe("LITE");
});

test("a destroyed development stack can be made again, and secrets of production can be recovered", async () => {
    const days = async (stack: "dev" | "prod"): Promise<unknown> => {
        const graph = await programGraph(stack, { "tidings:handshakeMethods": ["hmac"] });
        return graph.resource("secretsmanager/secret", "hmac").inputs["recoveryWindowInDays"];
    };
    expect(await days("dev")).toBe(0);
    expect(await days("prod")).toBe(30);
});
