import { randomUUID } from "node:crypto";

import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb";

/** Inputs or outputs of a resource, as JSON. */
export type Properties = Readonly<Record<string, unknown>>;

/** A resource as the program registered it, with the id and outputs that the provider gave it. */
export interface RegisteredResource {
    readonly urn: string;
    readonly type: string;
    readonly name: string;
    /** True for a resource on AWS, false for a component of the program. */
    readonly custom: boolean;
    readonly inputs: Properties;
    readonly outputs: Properties;
    readonly id: string;
    readonly parent: string;
    readonly protect: boolean;
    readonly retainOnDelete: boolean;
    /** URNs of the resources that it depends on. */
    readonly dependsOn: readonly string[];
}

/** Creates a resource and returns its id and outputs. Throws on a type or input that it does not know. */
export type Provider = (type: string, name: string, inputs: Properties) => Promise<{ id: string; outputs: Properties }>;

/** Creates the resources that a program registers, with a provider, and records them. */
export class Recorder {
    readonly resources: RegisteredResource[] = [];

    constructor(
        private readonly stack: string,
        private readonly project: string,
        private readonly provider: Provider,
    ) {}

    async register(request: RegisterResourceRequest): Promise<RegisteredResource> {
        const type = request.getType();
        const name = request.getName();
        const parent = request.getParent();
        const custom = request.getCustom();
        const inputs = (request.getObject()?.toJavaScript() ?? {}) as Properties;
        // Like the SDK's mocks, the URN has the type of the nearest parent only.
        const parentType = parent.split("::")[2]?.split("$").pop();
        const path = parentType === undefined ? type : `${parentType}$${type}`;
        const urn = `urn:pulumi:${this.stack}::${this.project}::${path}::${name}`;
        // Stricter than Pulumi, which allows the same type and name under different parents: here the two identify a
        // resource.
        if (this.resources.some((other) => other.type === type && other.name === name)) {
            throw new Error(`two resources have the type ${type} and the name ${name}`);
        }
        const created = custom ? await this.provider(type, name, inputs) : { id: "", outputs: inputs };
        const resource: RegisteredResource = {
            urn,
            type,
            name,
            custom,
            inputs,
            ...created,
            parent,
            protect: request.getProtect() ?? false,
            retainOnDelete: request.getRetainondelete() ?? false,
            dependsOn: request.getDependenciesList(),
        };
        this.resources.push(resource);
        return resource;
    }
}

/** Returns a random id of this length. */
export function uniqueId(length: number): string {
    return randomUUID().replaceAll("-", "").slice(0, length);
}
