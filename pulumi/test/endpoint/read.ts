import type { Properties } from "../engine/recorder.js";

/** Reads a value; throws, saying where it stands, on what it does not know. */
export type Read<T> = (value: unknown, where: string) => T;

function refuse(value: unknown, where: string, allowed: string): never {
    throw new Error(`${where} is ${JSON.stringify(value)}; allowed is ${allowed}`);
}

export const text: Read<string> = (value, where) => (typeof value === "string" ? value : refuse(value, where, "a text"));
export const number: Read<number> = (value, where) => (typeof value === "number" ? value : refuse(value, where, "a number"));
export const flag: Read<boolean> = (value, where) => (typeof value === "boolean" ? value : refuse(value, where, "true or false"));

/** One of these texts, as the SDK's types have them. */
export function oneOf<const T extends string>(...allowed: readonly T[]): Read<T> {
    return (value, where) => allowed.find((one) => one === value) ?? refuse(value, where, allowed.join(", "));
}

export function list<T>(read: Read<T>): Read<T[]> {
    return (value, where) => (Array.isArray(value) ? value.map((one, at) => read(one, `${where}[${at}]`)) : refuse(value, where, "a list"));
}

/** An object with any members, each read alike. */
export function map<T>(read: Read<T>): Read<Record<string, T>> {
    return (value, where) => {
        const members = Object.entries(object(value, where));
        return Object.fromEntries(members.map(([name, one]) => [name, read(one, `${where}.${name}`)]));
    };
}

export function optional<T>(read: Read<T>): Read<T | undefined> {
    return (value, where) => (value === undefined ? undefined : read(value, where));
}

type Members = Readonly<Record<string, Read<unknown>>>;

/** What {@link exactly} gives. */
export type Known<M extends Members> = { readonly [Name in keyof M]: ReturnType<M[Name]> };

/** An object with these members and no others. */
export function exactly<M extends Members>(members: M): Read<Known<M>> {
    return (value, where) => {
        const given = object(value, where);
        const unknown = Object.keys(given).filter((name) => !(name in members));
        if (unknown.length > 0) {
            throw new Error(`${where} has ${unknown.join(", ")}; known here are ${Object.keys(members).join(", ")}`);
        }
        const known = Object.entries(members).map(([name, read]) => [name, read(given[name], `${where}.${name}`)]);
        return Object.fromEntries(known) as Known<M>;
    };
}

function object(value: unknown, where: string): Properties {
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Properties) : refuse(value, where, "an object");
}
