import type { PatchOperation } from "@aws-sdk/client-api-gateway";

type Value = string | number | boolean;

/** Returns patch operations that replace the values at these paths. */
export function replace(values: Readonly<Record<string, Value>>): PatchOperation[] {
    return Object.entries(values).map(([path, value]) => ({ op: "replace", path, value: String(value) }));
}

/** Returns patch operations for the values that are not as before: a missing value removes its path. */
export function changed(values: Readonly<Record<string, Value | undefined>>, before: Readonly<Record<string, Value | undefined>>): PatchOperation[] {
    return [...new Set([...Object.keys(values), ...Object.keys(before)])].flatMap((path): PatchOperation[] => {
        const value = values[path];
        if (value === before[path]) {
            return [];
        }
        return value === undefined ? [{ op: "remove", path }] : [{ op: before[path] === undefined ? "add" : "replace", path, value: String(value) }];
    });
}

/** Returns the values of a map by their paths below `at`, in which a slash of a key is written as `~1`. */
export function pathsOf(at: string, values: Readonly<Record<string, string>> | undefined): Record<string, string> {
    return Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [`${at}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, value]));
}
