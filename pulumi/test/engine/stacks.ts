import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parse } from "yaml";

import { contract } from "../../src/contract.js";

/** The folder of Pulumi.yaml. */
export const PROGRAM = join(__dirname, "../..");

/** The stacks that all rules are tried on, by where their configuration is. */
export const STACKS = {
    dev: join(PROGRAM, "Pulumi.dev.yaml"),
    prod: join(PROGRAM, "Pulumi.prod.yaml"),
    /** Users are another issuer's, and most else is set too. */
    issuer: join(PROGRAM, "test/stacks/Pulumi.issuer.yaml"),
} as const;
export type Stack = keyof typeof STACKS;
export const STACK_NAMES = Object.keys(STACKS) as readonly Stack[];

type Configuration = Readonly<Record<string, unknown>>;

interface Declared {
    readonly type?: string;
    readonly items?: { readonly type: string };
    readonly description?: string;
    readonly default?: unknown;
    readonly value?: unknown;
}

/** Pulumi.yaml. */
export const PROJECT = parse(readFileSync(join(PROGRAM, "Pulumi.yaml"), "utf8")) as {
    readonly name: string;
    readonly main: string;
    readonly runtime: { readonly name: string; readonly options: { readonly nodeargs: string } };
    readonly config: Readonly<Record<string, Declared>>;
};

function hasType(value: unknown, declared: Declared): boolean {
    switch (declared.type) {
        case "array":
            return Array.isArray(value) && value.every((one) => typeof one === declared.items?.type);
        case "integer":
            return Number.isInteger(value);
        case undefined:
            return typeof value === "string";
        default:
            return typeof value === declared.type;
    }
}

/** What a program is told of its configuration: the stack's, else the project's, as `pulumi` puts them together. */
export function configuration(own: Configuration): Record<string, string> {
    const told: Record<string, string> = {};
    const rest = new Map(Object.entries(own));
    for (const [name, declared] of Object.entries(PROJECT.config)) {
        const key = name.includes(":") ? name : `${PROJECT.name}:${name}`;
        const value = rest.get(key) ?? declared.default ?? declared.value;
        if (!hasType(value, declared)) {
            throw new Error(`${key} is ${JSON.stringify(value)}; allowed is of the type ${declared.type ?? "string"}`);
        }
        told[key] = typeof value === "string" ? value : JSON.stringify(value);
        rest.delete(key);
    }
    if (rest.size > 0) {
        throw new Error(`Pulumi.yaml does not declare ${[...rest.keys()].join(", ")}`);
    }
    return told;
}

/** Archives to deploy, which nobody runs. */
export function archives(): string {
    const folder = mkdtempSync(join(tmpdir(), "tidings-archives-"));
    for (const { name } of contract.functions) {
        writeFileSync(join(folder, `${name}.zip`), "");
    }
    return folder;
}

/** The configuration of a stack, with archives that are there unless others are told. */
export function stackConfiguration(stack: Stack, changes: Configuration = {}): Record<string, string> {
    const file = parse(readFileSync(STACKS[stack], "utf8")) as { readonly config: Configuration };
    const standIn = "tidings:archives" in changes ? {} : { "tidings:archives": archives() };
    return configuration({ ...file.config, ...standIn, ...changes });
}
