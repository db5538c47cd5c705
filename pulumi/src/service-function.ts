import { existsSync } from "node:fs";
import { join } from "node:path";

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { PlacedDeployment, Settings } from "./configuration.js";
import { contract, findByName } from "./contract.js";
import { logKey } from "./operations-key.js";
import { checkResources, environment, permissions, trustPolicy, type ResourceRefs } from "./policies.js";

/** Returns the path of a function's archive. */
function archiveOf({ archives }: Settings, name: string): string {
    return join(archives, `${name}.zip`);
}

/** Throws if a function has no archive. */
export function checkArchives(settings: Settings): void {
    const missing = contract.functions.map(({ name }) => archiveOf(settings, name)).find((archive) => !existsSync(archive));
    if (missing !== undefined) {
        throw new pulumi.RunError(`${missing} does not exist; run scripts/build-lambdas to build it`);
    }
}

/** Options of a {@link ServiceFunction}. */
export interface FunctionOptions {
    readonly variables?: ReadonlyMap<string, pulumi.Input<string>>;
    readonly after?: readonly ServiceFunction[];
}

/** A Lambda function with its log group and a role that allows exactly the permissions of its contract. */
export class ServiceFunction extends pulumi.ComponentResource {
    readonly function: aws.lambda.Function;
    /** Policy of the role. An event source must depend on it, because Lambda checks the role's permissions. */
    readonly policy: aws.iam.RolePolicy;
    readonly logGroup: aws.cloudwatch.LogGroup;

    /**
     * `name` is the function's name in the contract. `variables` override the stack's settings. The function is created
     * and updated after those in `after`.
     */
    constructor(
        name: string,
        deployment: PlacedDeployment,
        resources: ResourceRefs,
        opts: pulumi.ComponentResourceOptions,
        { variables = new Map(), after = [] }: FunctionOptions = {},
    ) {
        super("tidings:index:ServiceFunction", name, {}, opts);
        const { settings, place } = deployment;
        const spec = findByName(contract.functions, name);
        checkResources(spec, resources);
        const functionName = `${deployment.prefix}-${name}`;
        const parent = { parent: this };
        const role = new aws.iam.Role(name, { name: functionName, assumeRolePolicy: trustPolicy("lambda.amazonaws.com") }, parent);
        this.logGroup = new aws.cloudwatch.LogGroup(
            name,
            { name: `/aws/lambda/${functionName}`, retentionInDays: settings.logRetentionDays, ...logKey(deployment) },
            parent,
        );
        this.policy = new aws.iam.RolePolicy(
            name,
            { role: role.name, name: "least", policy: permissions(spec, resources, this.logGroup.arn, place) },
            parent,
        );
        const reserved = settings.reservedConcurrency.get(name);
        this.function = new aws.lambda.Function(
            name,
            {
                name: functionName,
                // https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
                runtime: "provided.al2023",
                architectures: ["arm64"],
                handler: "bootstrap",
                code: new pulumi.asset.FileArchive(archiveOf(settings, name)),
                role: role.arn,
                timeout: spec.timeoutSeconds,
                memorySize: settings.memoryMib,
                environment: { variables: environment(spec, resources, new Map([...settings.variables, ...variables])) },
                tracingConfig: { mode: "Active" },
                ...(reserved === undefined ? {} : { reservedConcurrentExecutions: reserved }),
            },
            // Without a log group, Lambda creates one that never expires.
            { ...parent, dependsOn: [this.logGroup, this.policy, ...after.map((earlier) => earlier.function)] },
        );
        this.registerOutputs({ name: this.function.name });
    }

    /** Allows an AWS service to invoke the function on behalf of one source. */
    allow(name: string, service: string, sourceArn: pulumi.Input<string>): aws.lambda.Permission {
        return new aws.lambda.Permission(
            name,
            { action: "lambda:InvokeFunction", function: this.function.name, principal: service, sourceArn },
            { parent: this },
        );
    }
}
