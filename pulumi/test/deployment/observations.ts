/** Answers about updates and stacks, for assertions. */
import { expect } from "vitest";

import { UpdateError, type Done, type EngineStack, type StateResource } from "../endpoint/project.js";
import { differences } from "../endpoint/values.js";

/** Returns the resources that an update changed, with what it did, as `type name: operations`. */
export function changes({ operations }: Done): readonly string[] {
    const changed = [...operations].map(([urn, ops]) => [label(urn), ops.filter((op) => op !== "same" && op !== "refresh" && op !== "read")] as const);
    return changed.flatMap(([resource, ops]) => (ops.length === 0 ? [] : [`${resource}: ${ops.join(", ")}`])).sort();
}

/** Returns a resource as `type name`. */
export function label(urn: string): string {
    const [, , types = "", name = ""] = urn.split("::");
    return `${types.split("$").at(-1) ?? ""} ${name}`;
}

/** Returns the resources that are on AWS. */
export function custom(resources: readonly StateResource[]): readonly StateResource[] {
    return resources.filter((resource) => resource.custom && resource.type.startsWith("aws:"));
}

/** Refreshes a stack and returns the inputs that the endpoint had otherwise than the state. */
export async function drift(stack: EngineStack): Promise<readonly string[]> {
    const before = custom(await stack.resources());
    await stack.refresh();
    const after = new Map(custom(await stack.resources()).map(({ urn, inputs = {} }) => [urn, inputs]));
    return before.flatMap(({ urn, inputs = {} }) => {
        const found = after.get(urn);
        const told = (name: string): string => `${label(urn)}.${name}: ${JSON.stringify(inputs[name])} is ${JSON.stringify(found?.[name])}`;
        return found === undefined ? [`${label(urn)} is gone`] : differences(inputs, found).map(told);
    });
}

/** Expects that an update would change nothing. */
export async function expectNoChange(stack: EngineStack): Promise<void> {
    expect(changes(await stack.preview())).toEqual([]);
}

/** Expects that an update fails, and returns what it did until then. */
export async function failure(update: Promise<Done>): Promise<Done> {
    const error: unknown = await update.then(() => undefined, (thrown: unknown) => thrown);
    if (!(error instanceof UpdateError)) {
        throw new Error(`the update should have failed: ${String(error)}`);
    }
    return error.done;
}

/** Returns what an update did to a resource in all. */
export function kindOf(operations: readonly string[]): string {
    const done = operations.filter((op) => op !== "same");
    if (done.some((op) => op.includes("replace"))) {
        return "replace";
    }
    return done[0] ?? "same";
}
