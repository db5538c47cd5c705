import type { Properties, Recorded } from "./engine/recorder.js";

/** A statement of a policy that was registered. */
export interface Statement {
    readonly Effect: string;
    readonly Action: string | readonly string[];
    readonly Resource?: string;
    readonly Principal?: unknown;
    readonly Condition?: unknown;
}

/** What a program registered, and its outputs. */
export class Graph {
    constructor(
        readonly resources: readonly Recorded[],
        readonly outputs: Properties,
    ) {}

    /** All of a type, such as `sqs/queue`; throws when there is none, for a rule about none says nothing. */
    of(type: string): readonly Recorded[] {
        const found = this.ifAny(type);
        if (found.length === 0) {
            throw new Error(`there is no ${type}`);
        }
        return found;
    }

    /** All of a type, which may be none. */
    ifAny(type: string): readonly Recorded[] {
        return this.resources.filter((one) => one.custom && one.type.startsWith(`aws:${type}:`));
    }

    one(type: string, name: string): Recorded {
        const found = this.of(type).filter((one) => one.name === name);
        const [first] = found;
        if (first === undefined || found.length > 1) {
            throw new Error(`there are ${found.length} of ${type} called ${name}`);
        }
        return first;
    }

    /** Whether one waits for another that the program names, or uses. */
    waits(one: Recorded, other: Recorded): boolean {
        return one.dependsOn.includes(other.urn);
    }

    /** The statements of a function's role. */
    statements(roleName: string): readonly Statement[] {
        const policies = this.of("iam/rolePolicy").filter((one) => one.inputs["role"] === roleName);
        return policies.flatMap((one) => statements(one.inputs["policy"]));
    }
}

/** The statements of a policy document. */
export function statements(policy: unknown): readonly Statement[] {
    return (json(policy) as { readonly Statement: readonly Statement[] }).Statement;
}

/** The document in a text. */
export function json(value: unknown): unknown {
    if (typeof value !== "string") {
        throw new Error(`${JSON.stringify(value)} is no text with JSON`);
    }
    return JSON.parse(value);
}

/** One or many as many. */
export function many<T>(value: T | readonly T[]): readonly T[] {
    return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
