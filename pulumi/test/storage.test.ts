import { beforeAll, describe, expect, test } from "vitest";

import { contract } from "../src/contract.js";
import { programGraph } from "./mocks/in-process.js";
import { STACK_NAMES } from "./mocks/stacks.js";
import type { Graph } from "./graph.js";

describe.each(STACK_NAMES)("storage of %s", (stack) => {
    let graph: Graph;
    beforeAll(async () => {
        graph = await programGraph(stack);
    });

    test("tables have the keys, TTL and stream of the contract", () => {
        const tables = graph.allOf("dynamodb/table");
        const wanted = contract.tables.filter((one) => !one.optional || stack === "issuer");
        expect(tables.map(({ name }) => name).sort()).toEqual(wanted.map(({ name }) => name).sort());
        for (const table of wanted) {
            const { inputs } = graph.resource("dynamodb/table", table.name);
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
        for (const { inputs } of graph.allOf("dynamodb/table")) {
            expect(inputs["billingMode"]).toBe("PAY_PER_REQUEST");
        }
    });

    test("tables are encrypted with a KMS key", () => {
        for (const { inputs, name } of graph.allOf("dynamodb/table")) {
            expect(inputs["serverSideEncryption"], name).toEqual({ enabled: true });
        }
    });

    test("the key of connect tokens is rotated", () => {
        for (const { inputs } of graph.allOf("kms/key")) {
            expect(inputs["enableKeyRotation"]).toBe(true);
        }
    });
});

// Types of resources whose loss would lose data.
const DATA = ["dynamodb/table", "kms/key"];

describe.each(["prod", "issuer"] as const)("data of %s", (stack) => {
    test("is protected from deletion and can be restored", async () => {
        const graph = await programGraph(stack);
        const data = [...DATA.flatMap((type) => graph.allOf(type)), ...graph.anyOf("cognito/userPool")];
        const queues = ["notifications", "dead-letters"].map((name) => graph.resource("sqs/queue", name));
        for (const { protect, urn } of [...data, ...queues]) {
            expect(protect, urn).toBe(true);
        }
        for (const { inputs, name } of graph.allOf("dynamodb/table")) {
            expect(inputs["deletionProtectionEnabled"], name).toBe(true);
            expect(inputs["pointInTimeRecovery"], name).toEqual({ enabled: true });
        }
        for (const { inputs } of graph.anyOf("cognito/userPool")) {
            expect(inputs["deletionProtection"]).toBe("ACTIVE");
        }
    });
});

test("nothing in dev is protected from deletion", async () => {
    const graph = await programGraph("dev");
    expect(graph.resources.filter(({ protect }) => protect)).toEqual([]);
    for (const { inputs } of graph.allOf("dynamodb/table")) {
        expect(inputs["deletionProtectionEnabled"]).toBe(false);
    }
    for (const { inputs } of graph.allOf("cognito/userPool")) {
        expect(inputs["deletionProtection"]).toBe("INACTIVE");
    }
});
