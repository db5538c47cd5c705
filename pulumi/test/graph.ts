import type { Properties, RegisteredResource } from "./mocks/recorder.js";

/** A statement of a registered policy document. */
export interface Statement {
    readonly Effect: string;
    readonly Action: string | readonly string[];
    readonly Resource?: string;
    readonly Principal?: unknown;
    readonly Condition?: unknown;
}

/** The resources that a program registered, and its outputs. Types are given as in `sqs/queue`. */
export class Graph {
    constructor(
        readonly resources: readonly RegisteredResource[],
        readonly outputs: Properties,
    ) {}

    /** Returns all resources of a type. Throws if there are none, because a rule about no resource checks nothing. */
    allOf(type: string): readonly RegisteredResource[] {
        const found = this.anyOf(type);
        if (found.length === 0) {
            throw new Error(`there is no ${type}`);
        }
        return found;
    }

    /** Returns all resources of a type, or an empty list. */
    anyOf(type: string): readonly RegisteredResource[] {
        return this.resources.filter((resource) => resource.custom && resource.type.startsWith(`aws:${type}:`));
    }

    /** Returns the resource with this type and name; throws if there is none. */
    resource(type: string, name: string): RegisteredResource {
        const found = this.allOf(type).filter((resource) => resource.name === name);
        const [first] = found;
        if (first === undefined || found.length > 1) {
            throw new Error(`there are ${found.length} of ${type} called ${name}`);
        }
        return first;
    }

    /** Returns true if a resource depends on another, by `dependsOn` or by using an output of it. */
    waitsFor(resource: RegisteredResource, dependency: RegisteredResource): boolean {
        return resource.dependsOn.includes(dependency.urn);
    }

    /** Returns the environment variables of a function. */
    environment(functionName: string): Properties {
        const { environment } = this.resource("lambda/function", functionName).inputs as {
            readonly environment: { readonly variables: Properties };
        };
        return environment.variables;
    }

    /** Returns the statements of all policies of a role. */
    roleStatements(roleName: string): readonly Statement[] {
        const policies = this.allOf("iam/rolePolicy").filter(({ inputs }) => inputs["role"] === roleName);
        return policies.flatMap(({ inputs }) => statements(inputs["policy"]));
    }
}

/** Returns the statements of a policy document. */
export function statements(policy: unknown): readonly Statement[] {
    return (parseJson(policy) as { readonly Statement: readonly Statement[] }).Statement;
}

/** Parses a value that must be a string with JSON. */
export function parseJson(value: unknown): unknown {
    if (typeof value !== "string") {
        throw new Error(`${JSON.stringify(value)} is not a string with JSON`);
    }
    return JSON.parse(value);
}

/** Returns a list as it is, and any other value as a list of one. */
export function asList<T>(value: T | readonly T[]): readonly T[] {
    return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
