import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parse } from "yaml";

import { contract } from "../../src/contract.js";

/** Folder of Pulumi.yaml. */
export const PROGRAM = join(__dirname, "../..");

/** Configuration files of the stacks that all rules are checked on. */
export const STACKS = {
    dev: join(PROGRAM, "Pulumi.dev.yaml"),
    prod: join(PROGRAM, "Pulumi.prod.yaml"),
    /** Has an external issuer, and most optional keys. */
    issuer: join(PROGRAM, "test/stacks/Pulumi.issuer.yaml"),
} as const;
export type Stack = keyof typeof STACKS;
export const STACK_NAMES = Object.keys(STACKS) as readonly Stack[];

export type Configuration = Readonly<Record<string, unknown>>;

/** A configuration key as Pulumi.yaml declares it. */
interface Declaration {
    readonly type?: string;
    readonly items?: { readonly type: string };
    readonly description?: string;
    readonly default?: unknown;
    readonly value?: unknown;
}

/** Content of Pulumi.yaml. */
export const PROJECT = parse(readFileSync(join(PROGRAM, "Pulumi.yaml"), "utf8")) as {
    readonly name: string;
    readonly main: string;
    readonly runtime: { readonly name: string; readonly options: { readonly nodeargs: string } };
    readonly config: Readonly<Record<string, Declaration>>;
};

function hasType(value: unknown, declared: Declaration): boolean {
    switch (declared.type) {
        case "array":
            return Array.isArray(value) && value.every((element) => typeof element === declared.items?.type);
        case "integer":
            return Number.isInteger(value);
        case undefined:
            return typeof value === "string";
        default:
            return typeof value === declared.type;
    }
}

/** Merges the configuration of a stack with the defaults of the project, as `pulumi` does. */
export function configuration(stackValues: Configuration): Record<string, string> {
    const merged: Record<string, string> = {};
    const rest = new Map(Object.entries(stackValues));
    for (const [name, declared] of Object.entries(PROJECT.config)) {
        const key = name.includes(":") ? name : `${PROJECT.name}:${name}`;
        const value = rest.get(key) ?? declared.default ?? declared.value;
        if (!hasType(value, declared)) {
            throw new Error(`${key} is ${JSON.stringify(value)}; expected a value of the type ${declared.type ?? "string"}`);
        }
        merged[key] = typeof value === "string" ? value : JSON.stringify(value);
        rest.delete(key);
    }
    if (rest.size > 0) {
        throw new Error(`Pulumi.yaml does not declare ${[...rest.keys()].join(", ")}`);
    }
    return merged;
}

/** Creates a folder with an empty archive for each function, and returns its path. */
export function archives(): string {
    const folder = mkdtempSync(join(tmpdir(), "tidings-archives-"));
    for (const { name } of contract.functions) {
        writeFileSync(join(folder, `${name}.zip`), "");
    }
    return folder;
}

/** Returns the values that the file of a stack sets, with `changes` to them. */
export function stackValues(stack: Stack, changes: Configuration = {}): Configuration {
    const file = parse(readFileSync(STACKS[stack], "utf8")) as { readonly config: Configuration };
    return { ...file.config, ...changes };
}

/** Returns the configuration of a stack with `changes` to it. Unless these set the archives, they are empty files. */
export function stackConfiguration(stack: Stack, changes: Configuration = {}): Record<string, string> {
    const emptyArchives = "tidings:archives" in changes ? {} : { "tidings:archives": archives() };
    return configuration(stackValues(stack, { ...emptyArchives, ...changes }));
}
