import * as pulumi from "@pulumi/pulumi";

import type { FunctionContract, ResourceName } from "./contract.js";

/** A statement of an IAM policy (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_statement.html). */
export interface Statement {
    readonly Effect: "Allow" | "Deny";
    readonly Action: string | readonly string[];
    readonly Resource?: pulumi.Input<string>;
    readonly Principal?: "*" | { readonly Service: string };
    readonly Condition?: Readonly<Record<string, Readonly<Record<string, pulumi.Input<string>>>>>;
}

/** A policy document of these statements. */
export function policyDocument(statements: readonly Statement[]): pulumi.Output<string> {
    // The version of the policy language
    // (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html).
    return pulumi.jsonStringify({ Version: "2012-10-17", Statement: statements });
}

/** Who may take a role: a service of AWS. */
export function trusts(service: string): pulumi.Output<string> {
    return policyDocument([{ Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: service } }]);
}

/** Refuses whoever comes without TLS (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-security-best-practices.html). */
export function tlsOnly(queueArn: pulumi.Input<string>): pulumi.Output<string> {
    const Condition = { Bool: { "aws:SecureTransport": "false" } };
    return policyDocument([{ Effect: "Deny", Principal: "*", Action: "sqs:*", Resource: queueArn, Condition }]);
}

/**
 * What is allowed on everything, because AWS knows no resource for it, each with the page that says so. A
 * test holds all policies to this list.
 */
export const WITHOUT_RESOURCE: ReadonlyMap<string, string> = new Map([
    ["xray:PutTraceSegments", "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html"],
    ["xray:PutTelemetryRecords", "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html"],
]);

/** A resource as functions know it: what their variables call it, and its ARN. */
export interface Target {
    readonly value: pulumi.Input<string>;
    readonly arn: pulumi.Input<string>;
}

/** The resources a function works with. */
export type Targets = Readonly<Partial<Record<ResourceName, Target>>>;

/** The resources that a function can do without, because the variable that names one has a default. */
function dispensable(contract: FunctionContract): ReadonlySet<string> {
    return new Set(contract.variables.flatMap((one) => (one.resource === undefined || one.default === undefined ? [] : [one.resource])));
}

/** Throws unless the targets are what the function's variables name and its permissions are for, and no others. */
export function checkTargets(contract: FunctionContract, targets: Targets): void {
    const known = new Set<string>();
    for (const { resource } of [...contract.variables, ...contract.permissions]) {
        if (resource !== undefined) {
            known.add(resource);
        }
    }
    const without = dispensable(contract);
    const missing = [...known].filter((name) => !(name in targets) && !without.has(name));
    const unknown = Object.keys(targets).filter((name) => !known.has(name));
    if (missing.length > 0 || unknown.length > 0) {
        const list = (names: readonly string[]): string => (names.length === 0 ? "nothing" : names.join(", "));
        throw new Error(`${contract.name} is not given ${list(missing)}, which its contract needs, and is given ${list(unknown)}, which its contract does not know`);
    }
}

/** The target, which is there after {@link checkTargets}. */
function target(targets: Targets, name: ResourceName): Target {
    const found = targets[name];
    if (found === undefined) {
        throw new Error(`there is no ${name}`);
    }
    return found;
}

/** The function's environment: the resources it works with, and what is set. */
export function environment(
    contract: FunctionContract,
    targets: Targets,
    settings: ReadonlyMap<string, pulumi.Input<string>>,
): Record<string, pulumi.Input<string>> {
    const variables: Record<string, pulumi.Input<string>> = {};
    const without = dispensable(contract);
    for (const { name, resource } of contract.variables) {
        if (resource !== undefined && without.has(resource) && !(resource in targets)) {
            continue;
        }
        const value = resource === undefined ? settings.get(name) : target(targets, resource).value;
        if (value !== undefined) {
            variables[name] = value;
        }
    }
    return variables;
}

/** What the function's role allows: its contract's permissions, its log, its traces. */
export function permissions(contract: FunctionContract, targets: Targets, logGroupArn: pulumi.Input<string>): pulumi.Output<string> {
    const without = dispensable(contract);
    const needed = contract.permissions.filter(({ resource }) => resource in targets || !without.has(resource));
    const allowed = needed.map(
        ({ resource, actions }): Statement => ({ Effect: "Allow", Action: actions, Resource: target(targets, resource).arn }),
    );
    return policyDocument([
        ...allowed,
        // https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
        { Effect: "Allow", Action: ["logs:CreateLogStream", "logs:PutLogEvents"], Resource: pulumi.interpolate`${logGroupArn}:*` },
        { Effect: "Allow", Action: [...WITHOUT_RESOURCE.keys()], Resource: "*" },
    ]);
}
