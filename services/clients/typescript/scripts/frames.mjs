// Writes src/frames.ts: the types of the frames and of the history's entries, from the JSON Schema of the contracts.
//
//   node scripts/frames.mjs            writes it
//   node scripts/frames.mjs --print    prints it instead
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";

const CONTRACTS = new URL("../../../../contracts/", import.meta.url);
const TARGET = new URL("../src/frames.ts", import.meta.url);

const HEAD = `// Generated from the JSON Schema in contracts/frames/v1 and contracts/history/v1 by \`npm run frames\`; not edited by hand.

`;

/** Each schema, the name of its root if that is a type, and definitions that have another name in TypeScript. */
const SCHEMAS = [
    { path: "frames/v1/schema/client-frame.json", root: "ClientFrame", names: {} },
    { path: "frames/v1/schema/server-frame.json", root: "ServerFrame", names: {} },
    // The payload of `message` is named by its action, which is no name of a type.
    { path: "frames/v1/schema/payloads.json", names: { message: "DirectMessage" } },
    { path: "history/v1/schema/messages-page.json", names: { Message: "PastMessage" } },
    { path: "history/v1/schema/sessions-page.json", names: { Session: "PastSession" } },
];

/** Keywords that are no part of a type; a default would narrow it to that of the default. */
const LEFT_OUT = new Set(["$schema", "$defs", "format", "default"]);

/** Draft 2020-12 as the generator reads it: definitions by their old name, and what stands beside a `$ref` kept. */
function translate(schema, names) {
    if (Array.isArray(schema)) return schema.map((each) => translate(each, names));
    if (typeof schema !== "object" || schema === null) return schema;
    const { $ref, ...rest } = schema;
    const kept = Object.entries(rest).filter(([keyword]) => !LEFT_OUT.has(keyword));
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
    // The root is only there to hold the definitions.
    const text = types.replace(/export interface Frames \{\}\n/, "").trimStart();
    return (
        HEAD +
        text
            .replaceAll(/^( \*\n)? \* This interface was referenced by `Frames`'s JSON-Schema\n \* via the .*\n/gm, "")
            .replaceAll(/^\/\*\*\n \*\/\n/gm, "")
            // Links as Rust's documentation has them.
            .replaceAll(/\[`(\w+)(?:::\w+)?`\]/g, "`$1`")
    );
}

const text = await generate();
if (process.argv[2] === "--print") {
    process.stdout.write(text);
} else {
    await writeFile(fileURLToPath(TARGET), text);
}
