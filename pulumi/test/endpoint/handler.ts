import type { Properties } from "../engine/recorder.js";
import { map, optional, text, type Read } from "./read.js";

/** Id of a created resource, and its outputs that are not inputs. */
export interface Created {
    readonly id: string;
    readonly outputs?: Properties;
}

/** Creates a resource of one type. */
export type Handler = (inputs: Properties, name: string) => Promise<Created>;

/** Handlers by resource type. */
export type Handlers = Readonly<Record<string, Handler>>;

/** Returns a handler that accepts exactly the inputs that `read` knows. */
export function handler<Inputs>(read: Read<Inputs>, create: (inputs: Inputs) => Promise<Created>): Handler {
    return (inputs, name) => create(read(inputs, name));
}

/** Reads the tags of a resource. */
export const tags = optional(map(text));

/** Converts tags to the list that most AWS services expect. */
export function tagList(all: Readonly<Record<string, string>> = {}): { Key: string; Value: string }[] {
    return Object.entries(all).map(([Key, Value]) => ({ Key, Value }));
}
