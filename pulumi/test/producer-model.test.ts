import { expect, test } from "vitest";

import { producerModel, toDraft4 } from "../src/producer-model.js";

test("the model is the contract's schema in draft 4", () => {
    const identifier = { maxLength: 128, minLength: 1, pattern: "^[!-~]+$", type: "string" };
    const optional = (schema: object): object => ({ anyOf: [schema, { type: "null" }] });
    expect(JSON.parse(producerModel())).toEqual({
        $schema: "http://json-schema.org/draft-04/schema#",
        title: "NotificationRequest",
        type: "object",
        required: ["userId"],
        oneOf: [{ required: ["payload"] }, { required: ["message"] }],
        properties: {
            expiresAt: optional({ minimum: 0, type: "integer" }),
            id: optional(identifier),
            kind: { type: ["string", "null"] },
            message: {},
            payload: {},
            sentAt: optional({ minimum: 0, type: "integer" }),
            source: { type: ["string", "null"] },
            userId: { ...identifier, pattern: expect.stringContaining("|^u8:[A-Za-z0-9_-]+$") },
            whenOffline: {
                oneOf: [
                    { enum: ["hold"], type: "string" },
                    { enum: ["drop"], type: "string" },
                ],
            },
        },
    });
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
