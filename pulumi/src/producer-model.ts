import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { UnknownFields } from "./configuration.js";
import { REPOSITORY } from "./contract.js";

const FILE = join(REPOSITORY, "contracts/notifications/v1/schema/notification-request-strict.json");
const REFERENCE = "#/$defs/";

type Schema = Readonly<Record<string, unknown>>;

/** Keywords that mean the same in draft 4 and whose values are not schemas. */
const KEPT = new Set([
    "type", "title", "enum", "required", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems",
    "additionalProperties",
]);
/** Keywords without effect on validation, or unknown in draft 4. */
const DROPPED = new Set(["$schema", "$defs", "description", "default", "format"]);

function isSchema(value: unknown): value is Schema {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asSchema(value: unknown, path: string): Schema {
    if (isSchema(value)) {
        return value;
    }
    throw new Error(`${path} of the schema is ${value === undefined ? "missing" : JSON.stringify(value)}; expected an object`);
}

class Converter {
    constructor(private readonly definitions: Schema) {}

    /** Converts a schema to draft 4. `within` lists the definitions being expanded, to detect recursion. */
    convert(schema: Schema, within: readonly string[]): Schema {
        return Object.assign({}, ...Object.entries(schema).map(([keyword, value]) => this.keyword(keyword, value, within))) as Schema;
    }

    private keyword(keyword: string, value: unknown, within: readonly string[]): Schema {
        if (DROPPED.has(keyword)) {
            return {};
        }
        if (KEPT.has(keyword)) {
            return { [keyword]: value };
        }
        switch (keyword) {
            case "const":
                return { enum: [value] };
            case "$ref":
                return this.reference(value, within);
            case "items":
                return { items: this.convert(asSchema(value, keyword), within) };
            case "properties": {
                const each = Object.entries(asSchema(value, keyword));
                return { properties: Object.fromEntries(each.map(([name, property]) => [name, this.convert(asSchema(property, name), within)])) };
            }
            case "oneOf":
            case "anyOf":
            case "allOf": {
                const alternatives = Array.isArray(value) ? value : [value];
                return { [keyword]: alternatives.map((schema) => this.convert(asSchema(schema, keyword), within)) };
            }
            default:
                throw new Error(`the schema has the keyword ${keyword}, which can't be converted to draft 4`);
        }
    }

    private reference(value: unknown, within: readonly string[]): Schema {
        const name = typeof value === "string" && value.startsWith(REFERENCE) ? value.slice(REFERENCE.length) : undefined;
        if (name === undefined || within.includes(name)) {
            throw new Error(`the schema refers to ${JSON.stringify(value)}; expected ${REFERENCE}… without recursion`);
        }
        return this.convert(asSchema(this.definitions[name], `$defs: ${name}`), [...within, name]);
    }
}

/**
 * Converts a JSON Schema from draft 2020-12 to draft 4, which API Gateway uses for validation
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html). References are
 * replaced by their definitions, and constants by enumerations of one value. Throws on a keyword or reference that it
 * can't convert.
 */
export function toDraft4(schema: Schema): Schema {
    const definitions = asSchema(schema["$defs"] ?? {}, "$defs");
    return { $schema: "http://json-schema.org/draft-04/schema#", ...new Converter(definitions).convert(schema, []) };
}

/**
 * Returns the model of a producer's request, converted from the contract's schema. If `unknownFields` is `ignore`, it
 * allows fields that the contract doesn't know.
 */
export function producerModel(unknownFields: UnknownFields): string {
    const { additionalProperties, ...schema } = toDraft4(asSchema(JSON.parse(readFileSync(FILE, "utf8")), FILE));
    return JSON.stringify(unknownFields === "refuse" ? { ...schema, additionalProperties } : schema);
}
