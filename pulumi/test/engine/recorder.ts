import { randomUUID } from "node:crypto";

import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb";

/** Inputs or outputs of a resource, as JSON. */
export type Properties = Readonly<Record<string, unknown>>;

/** A resource as the program registered it. */
export interface Recorded {
    readonly urn: string;
    readonly type: string;
    readonly name: string;
    /** Whether AWS has it; a component is the program's own. */
    readonly custom: boolean;
    readonly inputs: Properties;
    readonly outputs: Properties;
    readonly id: string;
    readonly parent: string;
    readonly protect: boolean;
    /** URNs of what it waits for. */
    readonly dependsOn: readonly string[];
}

/** Makes resources. Throws on a type, or an input, that it does not know. */
export type Provider = (type: string, name: string, inputs: Properties) => Promise<{ id: string; outputs: Properties }>;

/** Makes what a program registers, and keeps what it was. */
export class Recorder {
    readonly resources: Recorded[] = [];

    constructor(
        private readonly stack: string,
        private readonly project: string,
        private readonly provider: Provider,
    ) {}

    async register(request: RegisterResourceRequest): Promise<Recorded> {
        const type = request.getType();
        const name = request.getName();
        const parent = request.getParent();
        const custom = request.getCustom();
        const inputs = (request.getObject()?.toJavaScript() ?? {}) as Properties;
        // As the SDK's mocks do: of the parents, the nearest alone.
        const parentType = parent.split("::")[2]?.split("$").pop();
        const path = parentType === undefined ? type : `${parentType}$${type}`;
        const urn = `urn:pulumi:${this.stack}::${this.project}::${path}::${name}`;
        // Pulumi wants it of the same parent's alone; so a resource is known by type and name.
        if (this.resources.some((one) => one.type === type && one.name === name)) {
            throw new Error(`there are two of the type ${type} called ${name}`);
        }
        const made = custom ? await this.provider(type, name, inputs) : { id: "", outputs: inputs };
        const recorded: Recorded = {
            urn,
            type,
            name,
            custom,
            inputs,
            ...made,
            parent,
            protect: request.getProtect() ?? false,
            dependsOn: request.getDependenciesList(),
        };
        this.resources.push(recorded);
        return recorded;
    }
}

/** An id that nothing else has. */
export function uniqueId(length: number): string {
    return randomUUID().replaceAll("-", "").slice(0, length);
}
