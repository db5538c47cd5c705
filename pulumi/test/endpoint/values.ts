import { isDeepStrictEqual } from "node:util";

import type { Properties } from "../mocks/recorder.js";

// Values that the engine passes to providers
// (https://github.com/pulumi/pulumi/blob/v3.274.1/developer-docs/providers/implementers-guide.md).
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

function isObject(value: unknown): value is Properties {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns a value with the content of secrets in place of the secrets. */
function unwrapped(value: unknown): unknown {
    if (Array.isArray(value)) {
        return value.map(unwrapped);
    }
    if (!isObject(value)) {
        return value;
    }
    return value[SIGNATURE] === SECRET ? unwrapped(value["value"]) : plain(value);
}

/** Returns properties with the content of secrets in place of the secrets. */
export function plain(properties: Properties): Properties {
    return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, unwrapped(value)]));
}

/** Returns true if a value, or a part of it, is not known before the update. */
export function hasUnknown(value: unknown): boolean {
    if (typeof value === "string") {
        return value.includes(UNKNOWN);
    }
    return typeof value === "object" && value !== null && Object.values(value).some(hasUnknown);
}

/** Parses a string with a JSON object or array, such as a policy. Any other value stays as it is. */
function parsed(value: unknown): unknown {
    if (typeof value !== "string" || !/^\s*[[{]/.test(value)) {
        return value;
    }
    try {
        return JSON.parse(value);
    } catch {
        return value;
    }
}

/**
 * Returns true if two values of an input mean the same: JSON is compared by its content, and an archive by its hash.
 */
export function isEquivalent(one: unknown, other: unknown): boolean {
    if (isObject(one) && isObject(other) && one[SIGNATURE] !== undefined && one["hash"] !== undefined) {
        return one["hash"] === other["hash"];
    }
    return isDeepStrictEqual(parsed(one), parsed(other));
}

/** Returns the names of properties that differ. */
export function differences(one: Properties, other: Properties): readonly string[] {
    const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
    return names.filter((name) => !isEquivalent(one[name], other[name])).sort();
}
