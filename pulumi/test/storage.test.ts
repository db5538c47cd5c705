import { beforeAll, describe, expect, test } from "vitest";

import { contract } from "../src/contract.js";
import { graph } from "./engine/in-process.js";
import { STACK_NAMES } from "./engine/stacks.js";
import type { Graph } from "./graph.js";

describe.each(STACK_NAMES)("storage of %s", (stack) => {
    let made: Graph;
    beforeAll(async () => {
        made = await graph(stack);
    });

    test("tables are those of the contract, with their keys, TTL and stream", () => {
        const tables = made.of("dynamodb/table");
        const wanted = contract.tables.filter((one) => !one.optional || stack === "issuer");
        expect(tables.map((one) => one.name).sort()).toEqual(wanted.map((one) => one.name).sort());
        for (const table of wanted) {
            const { inputs } = made.one("dynamodb/table", table.name);
            const keys = [table.partitionKey, ...(table.sortKey === undefined ? [] : [table.sortKey])];
            expect(inputs["attributes"]).toEqual(keys.map((name) => ({ name, type: "S" })));
            expect(inputs["hashKey"]).toBe(table.partitionKey);
            expect(inputs["rangeKey"]).toBe(table.sortKey);
            expect(inputs["ttl"]).toEqual({ attributeName: table.ttl, enabled: true });
            expect(inputs["streamEnabled"]).toBe(table.stream === undefined ? undefined : true);
            expect(inputs["streamViewType"], `stream of ${table.name}`).toBe(table.stream);
        }
    });

    test("tables are billed on demand", () => {
        for (const { inputs } of made.of("dynamodb/table")) {
            expect(inputs["billingMode"]).toBe("PAY_PER_REQUEST");
        }
    });

    test("tables are encrypted with a key of KMS", () => {
        for (const { inputs, name } of made.of("dynamodb/table")) {
            expect(inputs["serverSideEncryption"], name).toEqual({ enabled: true });
        }
    });

    test("the key of connect tokens is rotated", () => {
        for (const { inputs } of made.of("kms/key")) {
            expect(inputs["enableKeyRotation"]).toBe(true);
        }
    });
});

// What holds data: with it, people would lose theirs.
const DATA = ["dynamodb/table", "kms/key"];

describe.each(["prod", "issuer"] as const)("data of %s", (stack) => {
    test("is protected from deletion, and tables can be restored", async () => {
        const made = await graph(stack);
        const data = [...DATA.flatMap((type) => made.of(type)), ...made.ifAny("cognito/userPool")];
        const queues = ["notifications", "dead-letters"].map((name) => made.one("sqs/queue", name));
        for (const one of [...data, ...queues]) {
            expect(one.protect, one.urn).toBe(true);
        }
        for (const { inputs, name } of made.of("dynamodb/table")) {
            expect(inputs["deletionProtectionEnabled"], name).toBe(true);
            expect(inputs["pointInTimeRecovery"], name).toEqual({ enabled: true });
        }
        for (const { inputs } of made.ifAny("cognito/userPool")) {
            expect(inputs["deletionProtection"]).toBe("ACTIVE");
        }
    });
});

test("dev can be destroyed: nothing is protected", async () => {
    const made = await graph("dev");
    expect(made.resources.filter((one) => one.protect)).toEqual([]);
    for (const { inputs } of made.of("dynamodb/table")) {
        expect(inputs["deletionProtectionEnabled"]).toBe(false);
    }
    for (const { inputs } of made.of("cognito/userPool")) {
        expect(inputs["deletionProtection"]).toBe("INACTIVE");
    }
});
