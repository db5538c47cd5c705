import type { Properties } from "../engine/recorder.js";
import { map, optional, text, type Read } from "./read.js";

/** What came of making a resource: its id, and what it has besides its inputs. */
export interface Made {
    readonly id: string;
    readonly outputs?: Properties;
}

/** Makes a resource of some type. */
export type Handler = (inputs: Properties, name: string) => Promise<Made>;

/** By the type of the resource. */
export type Handlers = Readonly<Record<string, Handler>>;

/** A handler of exactly the inputs that `read` knows. */
export function handler<Inputs>(read: Read<Inputs>, make: (inputs: Inputs) => Promise<Made>): Handler {
    return (inputs, name) => make(read(inputs, name));
}

/** Tags, which most resources can have. */
export const tags = optional(map(text));

/** Tags as most services of AWS have them. */
export function tagList(all: Readonly<Record<string, string>> = {}): { Key: string; Value: string }[] {
    return Object.entries(all).map(([Key, Value]) => ({ Key, Value }));
}
