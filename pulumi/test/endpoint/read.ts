import type { Properties } from "../mocks/recorder.js";

/** Reads a value of one type. Throws an error with the value's path if it has another type or unknown members. */
export type Read<T> = (value: unknown, path: string) => T;

function refuse(value: unknown, path: string, expected: string): never {
    throw new Error(`${path} is ${JSON.stringify(value)}; expected ${expected}`);
}

export const text: Read<string> = (value, path) => (typeof value === "string" ? value : refuse(value, path, "a string"));
export const number: Read<number> = (value, path) => (typeof value === "number" ? value : refuse(value, path, "a number"));
export const flag: Read<boolean> = (value, path) => (typeof value === "boolean" ? value : refuse(value, path, "true or false"));

/** Reads one of these strings, with their literal types, as the SDK declares them. */
export function oneOf<const T extends string>(...allowed: readonly T[]): Read<T> {
    return (value, path) => allowed.find((candidate) => candidate === value) ?? refuse(value, path, allowed.join(", "));
}

export function list<T>(read: Read<T>): Read<T[]> {
    return (value, path) => (Array.isArray(value) ? value.map((element, at) => read(element, `${path}[${at}]`)) : refuse(value, path, "a list"));
}

/** Reads an object with arbitrary keys and values of one type. */
export function map<T>(read: Read<T>): Read<Record<string, T>> {
    return (value, path) => {
        const members = Object.entries(object(value, path));
        return Object.fromEntries(members.map(([name, member]) => [name, read(member, `${path}.${name}`)]));
    };
}

export function optional<T>(read: Read<T>): Read<T | undefined> {
    return (value, path) => (value === undefined ? undefined : read(value, path));
}

type Members = Readonly<Record<string, Read<unknown>>>;

/** Result of {@link exactly}. */
export type Known<M extends Members> = { readonly [Name in keyof M]: ReturnType<M[Name]> };

/** Reads an object with these members and no others. */
export function exactly<M extends Members>(members: M): Read<Known<M>> {
    return (value, path) => {
        const unknown = Object.keys(object(value, path)).filter((name) => !(name in members));
        if (unknown.length > 0) {
            throw new Error(`${path} has unknown members ${unknown.join(", ")}; known are ${Object.keys(members).join(", ")}`);
        }
        return atLeast(members)(value, path);
    };
}

/** Reads these members of an object, and ignores others. */
export function atLeast<M extends Members>(members: M): Read<Known<M>> {
    return (value, path) => {
        const found = object(value, path);
        const known = Object.entries(members).map(([name, read]) => [name, read(found[name], `${path}.${name}`)]);
        return Object.fromEntries(known) as Known<M>;
    };
}

function object(value: unknown, path: string): Properties {
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Properties) : refuse(value, path, "an object");
}
