import type { Properties } from "../mocks/recorder.js";
import { map, optional, text, type Read } from "./read.js";

/** Id of a created resource, and its outputs that are not inputs. */
export interface Created {
    readonly id: string;
    readonly outputs?: Properties;
}

/**
 * A resource as the endpoint has it. `inputs` has each input that the endpoint can show, undefined where it has none;
 * `outputs` those that are not inputs.
 */
export interface Observed {
    readonly inputs: Properties;
    readonly outputs?: Properties;
}

/** Calls to the endpoint for one resource type. */
export interface Operations<Inputs> {
    readonly create: (inputs: Inputs) => Promise<Created>;
    /** Looks the resource up. Returns undefined, or throws an error that {@link isGone} knows, if there is none. */
    readonly read: (id: string, inputs: Inputs) => Promise<Observed | undefined>;
    /** Changes the resource. Absent if every change of an input replaces it. */
    readonly update?: (id: string, inputs: Inputs, before: Inputs) => Promise<unknown>;
    readonly remove: (id: string, inputs: Inputs) => Promise<unknown>;
}

/** Operations on one resource type. `name` names the resource in errors. */
export interface Handler {
    /** Throws if the inputs have another type than expected, or there are unknown ones. */
    readonly check: (inputs: Properties, name: string) => void;
    readonly create: (inputs: Properties, name: string) => Promise<Created>;
    /** Returns undefined if the resource is gone. */
    readonly read: (id: string, inputs: Properties, name: string) => Promise<Observed | undefined>;
    readonly update: (id: string, inputs: Properties, before: Properties, name: string) => Promise<void>;
    /** Does nothing if the resource is gone. */
    readonly remove: (id: string, inputs: Properties, name: string) => Promise<void>;
    readonly canUpdate: boolean;
}

/** Handlers by resource type. */
export type Handlers = Readonly<Record<string, Handler>>;

/** Returns true for an error of the AWS SDK which says that a resource does not exist. */
export function isGone(error: unknown): boolean {
    return error instanceof Error && /NotFound|NoSuch|NonExistent|DoesNotExist/.test(error.name);
}

/** Returns a handler that accepts exactly the inputs that `read` knows. */
export function handler<Inputs>(read: Read<Inputs>, operations: Operations<Inputs>): Handler {
    const { create, update, remove } = operations;
    return {
        canUpdate: update !== undefined,
        check: (inputs, name) => {
            read(inputs, name);
        },
        create: async (inputs, name) => create(read(inputs, name)),
        read: async (id, inputs, name) => {
            try {
                return await operations.read(id, read(inputs, name));
            } catch (error) {
                if (isGone(error)) {
                    return undefined;
                }
                throw error;
            }
        },
        update: async (id, inputs, before, name) => {
            if (update === undefined) {
                throw new Error(`${name} can only be replaced`);
            }
            await update(id, read(inputs, name), read(before, name));
        },
        remove: async (id, inputs, name) => {
            try {
                await remove(id, read(inputs, name));
            } catch (error) {
                if (!isGone(error)) {
                    throw error;
                }
            }
        },
    };
}

/** Reads the tags of a resource. */
export const tags = optional(map(text));

/** Converts tags to the list that most AWS services expect. */
export function tagList(all: Readonly<Record<string, string>> = {}): { Key: string; Value: string }[] {
    return Object.entries(all).map(([Key, Value]) => ({ Key, Value }));
}

/** Returns true if two values have the same JSON. */
export function same(one: unknown, other: unknown): boolean {
    return JSON.stringify(one) === JSON.stringify(other);
}
