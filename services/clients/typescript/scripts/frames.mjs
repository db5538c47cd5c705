// Generates src/frames.ts, the types of frames and history entries, from the JSON Schema of the contracts.
//
//   node scripts/frames.mjs            writes the file
//   node scripts/frames.mjs --print    prints it instead
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";

const CONTRACTS = new URL("../../../../contracts/", import.meta.url);
const TARGET = new URL("../src/frames.ts", import.meta.url);

const HEAD = `// Generated from the JSON Schema in contracts/frames/v1 and contracts/history/v1 by \`npm run frames\`. Do not edit.

`;

/** The schemas, the type name of each root (if it is a type), and the definitions that are renamed in one schema. */
const SCHEMAS = [
    { path: "frames/v1/schema/client-frame.json", root: "ClientFrame", names: {} },
    { path: "frames/v1/schema/server-frame.json", root: "ServerFrame", names: {} },
    // The payload of `message` is named by its action, which is not a valid type name.
    { path: "frames/v1/schema/payloads.json", names: { message: "DirectMessage" } },
    { path: "history/v1/schema/messages-page.json", names: { Message: "HistoryMessage" } },
    { path: "history/v1/schema/sessions-page.json", names: { Session: "HistorySession" } },
];

/** Keywords that don't belong to a type. `default` would narrow a type to that of the default value. */
const IGNORED_KEYWORDS = new Set(["$schema", "$defs", "format", "default"]);

/**
 * Translates JSON Schema draft 2020-12 for the generator, which expects `definitions` and ignores all keywords beside a
 * `$ref`.
 */
function translate(schema, names) {
    if (Array.isArray(schema)) return schema.map((each) => translate(each, names));
    if (typeof schema !== "object" || schema === null) return schema;
    const { $ref, ...rest } = schema;
    const kept = Object.entries(rest).filter(([keyword]) => !IGNORED_KEYWORDS.has(keyword));
    const translated = Object.fromEntries(kept.map(([keyword, value]) => [keyword, translate(value, names)]));
    if ($ref === undefined) return translated;
    const target = $ref.replace("#/$defs/", "");
    const reference = { $ref: `#/definitions/${names[target] ?? target}` };
    const { description, ...constraints } = translated;
    const own = description === undefined ? {} : { description };
    if (Object.keys(constraints).length > 0) {
        return { ...own, allOf: [reference, { type: "object", ...constraints }] };
    }
    return description === undefined ? reference : { ...own, allOf: [reference] };
}

async function generate() {
    const definitions = {};
    const define = (name, schema) => {
        if (name in definitions && JSON.stringify(definitions[name]) !== JSON.stringify(schema)) {
            throw new Error(`two schemas define ${name} differently`);
        }
        definitions[name] = schema;
    };
    for (const { path, root, names } of SCHEMAS) {
        const schema = JSON.parse(await readFile(new URL(path, CONTRACTS), "utf8"));
        for (const [name, definition] of Object.entries(schema.$defs)) {
            const title = names[name] ?? name;
            const any = Object.keys(definition).every((keyword) => keyword === "description");
            define(title, { ...translate(definition, names), title, ...(any ? { tsType: "unknown" } : {}) });
        }
        if (root !== undefined) define(root, { ...translate(schema, names), title: root });
    }
    const root = { title: "Frames", type: "object", definitions, properties: {}, additionalProperties: false };
    const types = await compile(root, "Frames", {
        additionalProperties: false,
        bannerComment: "",
        ignoreMinAndMaxItems: true,
        style: { tabWidth: 4, printWidth: 120 },
        unreachableDefinitions: true,
    });
    // The root only holds the definitions.
    const text = types.replace(/export interface Frames \{\}\n/, "").trimStart();
    return (
        HEAD +
        text
            .replaceAll(/^( \*\n)? \* This interface was referenced by `Frames`'s JSON-Schema\n \* via the .*\n/gm, "")
            .replaceAll(/^\/\*\*\n \*\/\n/gm, "")
            // Rust documentation links.
            .replaceAll(/\[`(\w+)(?:::\w+)?`\]/g, "`$1`")
    );
}

const text = await generate();
if (process.argv[2] === "--print") {
    process.stdout.write(text);
} else {
    await writeFile(fileURLToPath(TARGET), text);
}
