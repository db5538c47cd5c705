import * as pulumi from "@pulumi/pulumi";

import type { Place } from "./configuration.js";
import type { FunctionContract, ResourceName } from "./contract.js";

/** A statement of an IAM policy (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_statement.html). */
export interface Statement {
    readonly Effect: "Allow" | "Deny";
    readonly Action: string | readonly string[];
    readonly Resource?: pulumi.Input<string | string[]>;
    readonly Principal?: "*" | { readonly Service: pulumi.Input<string> } | { readonly AWS: pulumi.Input<string> };
    readonly Condition?: Readonly<Record<string, Readonly<Record<string, pulumi.Input<string>>>>>;
}

/** Returns a policy document in JSON. */
export function policyDocument(statements: readonly Statement[]): pulumi.Output<string> {
    // The version of the policy language
    // (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html).
    return pulumi.jsonStringify({ Version: "2012-10-17", Statement: statements });
}

/**
 * Services that assume roles of the stack, each with the page about the trust policy of such a role. None of the pages
 * names `aws:SourceAccount` or `aws:SourceArn`: a condition on a key that the service does not send refuses every use of
 * the role. API Gateway is reported not to send them
 * (https://github.com/aws-solutions-library-samples/accelerated-intelligent-document-processing-on-aws/pull/479).
 * Another account can't make the services use the role, because nobody can pass a role of another account to a service
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html).
 */
export const ROLE_SERVICES = {
    "apigateway.amazonaws.com": "https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html",
    "lambda.amazonaws.com": "https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html",
} as const;

/** Returns a trust policy: this AWS service may assume the role. */
export function trustPolicy(service: keyof typeof ROLE_SERVICES): pulumi.Output<string> {
    return policyDocument([{ Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: service } }]);
}

/** Returns a queue policy that denies requests without TLS (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-security-best-practices.html). */
export function tlsOnly(queueArn: pulumi.Input<string>): pulumi.Output<string> {
    const Condition = { Bool: { "aws:SecureTransport": "false" } };
    return policyDocument([{ Effect: "Deny", Principal: "*", Action: "sqs:*", Resource: queueArn, Condition }]);
}

/** Actions of tracing, which AWS supports no resource for. */
const TRACING = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"];

/**
 * Actions allowed on `*`, because AWS supports no resource for them, each with the page that documents this. A test
 * allows a wildcard in no other case.
 */
export const ACTIONS_WITHOUT_RESOURCE: ReadonlyMap<string, string> = new Map([
    ...TRACING.map((action): [string, string] => [action, "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html"]),
    ["dynamodb:ListStreams", "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html"],
]);

/** A resource that functions use: the value of their environment variable for it, and its ARN. */
export interface ResourceRef {
    readonly value: pulumi.Input<string>;
    /** Its ARN, or those of all of them if the value names several. */
    readonly arn: pulumi.Input<string | string[]>;
    /** Customer managed key of a secret, which its readers need to decrypt it. */
    readonly secretKeyArn?: string;
}

/** Resources that a function uses, by kind. */
export type ResourceRefs = Readonly<Partial<Record<ResourceName, ResourceRef>>>;

/** Returns the resources that a deployment may omit: those whose variable has a default. */
function optionalResources(contract: FunctionContract): ReadonlySet<string> {
    return new Set(
        contract.variables.flatMap((variable) =>
            variable.resource === undefined || variable.default === undefined ? [] : [variable.resource],
        ),
    );
}

/** Throws unless `resources` are exactly the resources in the function's variables and permissions. */
export function checkResources(contract: FunctionContract, resources: ResourceRefs): void {
    const known = new Set<string>();
    for (const { resource } of [...contract.variables, ...contract.permissions]) {
        if (resource !== undefined) {
            known.add(resource);
        }
    }
    const optional = optionalResources(contract);
    const missing = [...known].filter((name) => !(name in resources) && !optional.has(name));
    if (missing.length > 0) {
        throw new Error(`${contract.name} lacks resources of its contract: ${missing.join(", ")}`);
    }
    const unknown = Object.keys(resources).filter((name) => !known.has(name));
    if (unknown.length > 0) {
        throw new Error(`${contract.name} has resources that its contract does not list: ${unknown.join(", ")}`);
    }
}

/** Returns a resource that {@link checkResources} has found. */
function findResource(resources: ResourceRefs, name: ResourceName): ResourceRef {
    const found = resources[name];
    if (found === undefined) {
        throw new Error(`the function has no resource ${name}`);
    }
    return found;
}

/** Returns the function's environment variables: the names of its resources, and the settings that it reads. */
export function environment(
    contract: FunctionContract,
    resources: ResourceRefs,
    settings: ReadonlyMap<string, pulumi.Input<string>>,
): Record<string, pulumi.Input<string>> {
    const variables: Record<string, pulumi.Input<string>> = {};
    const optional = optionalResources(contract);
    for (const { name, resource } of contract.variables) {
        if (resource !== undefined && optional.has(resource) && !(resource in resources)) {
            continue;
        }
        const value = resource === undefined ? settings.get(name) : findResource(resources, resource).value;
        if (value !== undefined) {
            variables[name] = value;
        }
    }
    return variables;
}

/** Returns the policy of the function's role: the contract's permissions, and writing its log and traces. */
export function permissions(contract: FunctionContract, resources: ResourceRefs, logGroupArn: pulumi.Input<string>, { region }: Place): pulumi.Output<string> {
    const optional = optionalResources(contract);
    const needed = contract.permissions.filter(({ resource }) => resource in resources || !optional.has(resource));
    const withoutResource = needed.flatMap(({ actions }) => actions.filter((action) => ACTIONS_WITHOUT_RESOURCE.has(action)));
    const allowed = needed.map(({ resource, actions }): Statement => {
        const Action = actions.filter((action) => !ACTIONS_WITHOUT_RESOURCE.has(action));
        return { Effect: "Allow", Action, Resource: findResource(resources, resource).arn };
    });
    const decrypted = needed.flatMap(({ resource }): Statement[] => {
        const { secretKeyArn } = findResource(resources, resource);
        // https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
        const Condition = { StringEquals: { "kms:ViaService": pulumi.interpolate`secretsmanager.${region}.amazonaws.com` } };
        return secretKeyArn === undefined ? [] : [{ Effect: "Allow", Action: "kms:Decrypt", Resource: secretKeyArn, Condition }];
    });
    return policyDocument([
        ...allowed,
        ...decrypted,
        // https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
        { Effect: "Allow", Action: ["logs:CreateLogStream", "logs:PutLogEvents"], Resource: pulumi.interpolate`${logGroupArn}:*` },
        { Effect: "Allow", Action: [...withoutResource, ...TRACING], Resource: "*" },
    ]);
}
