import { readFileSync } from "node:fs";
import { join } from "node:path";

import { REPOSITORY } from "./contract.js";

const FILE = join(REPOSITORY, "contracts/notifications/v1/schema/notification-request.json");
const REFERENCE = "#/$defs/";

type Schema = Readonly<Record<string, unknown>>;

/** Keywords that draft 4 has too, with values that are no schemas. */
const KEPT = new Set([
    "type", "title", "enum", "required", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems",
]);
/** Keywords that say nothing of what is valid, or what draft 4 does not know. */
const DROPPED = new Set(["$schema", "$defs", "description", "default", "format"]);

function isSchema(value: unknown): value is Schema {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asSchema(value: unknown, where: string): Schema {
    if (isSchema(value)) {
        return value;
    }
    throw new Error(`${where} of the schema is ${value === undefined ? "missing" : JSON.stringify(value)}; allowed is an object`);
}

class Converter {
    constructor(private readonly definitions: Schema) {}

    /** A schema in draft 4; `within` are the definitions that it stands in. */
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
                return { properties: Object.fromEntries(each.map(([name, one]) => [name, this.convert(asSchema(one, name), within)])) };
            }
            case "oneOf":
            case "anyOf":
            case "allOf": {
                const all = Array.isArray(value) ? value : [value];
                return { [keyword]: all.map((one) => this.convert(asSchema(one, keyword), within)) };
            }
            default:
                throw new Error(`the schema has the keyword ${keyword}, which this program can't say in draft 4`);
        }
    }

    private reference(value: unknown, within: readonly string[]): Schema {
        const name = typeof value === "string" && value.startsWith(REFERENCE) ? value.slice(REFERENCE.length) : undefined;
        if (name === undefined || within.includes(name)) {
            throw new Error(`the schema refers to ${JSON.stringify(value)}; allowed is ${REFERENCE}…, not within itself`);
        }
        return this.convert(asSchema(this.definitions[name], `$defs: ${name}`), [...within, name]);
    }
}

/**
 * A JSON Schema of draft 2020-12 in draft 4, which is what API Gateway validates by
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html): definitions put
 * where they are referred to, constants as enumerations of one. Throws on what it can't say.
 */
export function toDraft4(schema: Schema): Schema {
    const definitions = asSchema(schema["$defs"] ?? {}, "$defs");
    return { $schema: "http://json-schema.org/draft-04/schema#", ...new Converter(definitions).convert(schema, []) };
}

/** The model of what a producer sends, from its contract. */
export function producerModel(): string {
    return JSON.stringify(toDraft4(asSchema(JSON.parse(readFileSync(FILE, "utf8")), FILE)));
}
