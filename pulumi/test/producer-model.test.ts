import { expect, test } from "vitest";

import { producerModel, toDraft4 } from "../src/producer-model.js";

test("the model is the contract's strict schema in draft 4", () => {
    const identifier = { maxLength: 128, minLength: 1, pattern: "^[!-~]+$", type: "string" };
    const optional = (schema: object): object => ({ anyOf: [schema, { type: "null" }] });
    expect(JSON.parse(producerModel("refuse"))).toEqual({
        $schema: "http://json-schema.org/draft-04/schema#",
        title: "NotificationRequest",
        type: "object",
        additionalProperties: false,
        required: ["userId"],
        oneOf: [{ required: ["payload"] }, { required: ["message"] }],
        properties: {
            // Milliseconds: a time in seconds is below.
            expiresAt: { ...optional({ minimum: 0, type: "integer" }), minimum: 100_000_000_000 },
            id: optional(identifier),
            kind: { type: ["string", "null"] },
            message: {},
            payload: {},
            sentAt: optional({ minimum: 0, type: "integer" }),
            source: { type: ["string", "null"] },
            type: { enum: ["notification", null] },
            userId: { ...identifier, pattern: expect.stringContaining("|^u8:[A-Za-z0-9_-]+$") as string },
            version: { enum: [1, null] },
            whenOffline: {
                oneOf: [
                    { enum: ["hold"], type: "string" },
                    { enum: ["drop"], type: "string" },
                ],
            },
        },
    });
});

test("unknown fields can be allowed", () => {
    const { additionalProperties, ...others } = JSON.parse(producerModel("refuse")) as Record<string, unknown>;
    expect(additionalProperties).toBe(false);
    expect(JSON.parse(producerModel("ignore"))).toEqual(others);
});

test("a property may have the name of a keyword", () => {
    const properties = { const: { type: "string" }, description: { const: 1 } };
    expect(toDraft4({ properties })).toMatchObject({ properties: { const: { type: "string" }, description: { enum: [1] } } });
});

test("a schema that draft 4 can't express is refused", () => {
    expect(() => toDraft4({ properties: { a: { if: {} } } })).toThrow("the keyword if");
    expect(() => toDraft4({ $ref: "other.json" })).toThrow('refers to "other.json"');
    expect(() => toDraft4({ $ref: "#/$defs/A", $defs: {} })).toThrow("$defs: A of the schema is missing");
    expect(() => toDraft4({ $ref: "#/$defs/A", $defs: { A: { items: { $ref: "#/$defs/A" } } } })).toThrow("without recursion");
});
