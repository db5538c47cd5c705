import { existsSync } from "node:fs";
import { join } from "node:path";

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { Deployment } from "./configuration.js";
import { contract, named } from "./contract.js";
import { checkTargets, environment, permissions, trusts, type Targets } from "./policies.js";

/** A function on Lambda with its role, which may do what its contract says, and its log. */
export class ServiceFunction extends pulumi.ComponentResource {
    readonly function: aws.lambda.Function;
    /** The role's policy: what invokes the function in the role's name has to wait for it. */
    readonly policy: aws.iam.RolePolicy;
    readonly logGroup: aws.cloudwatch.LogGroup;

    /** `name` is that of the contract. `variables` come before those of the configuration's settings. */
    constructor(
        name: string,
        deployment: Deployment,
        targets: Targets,
        opts: pulumi.ComponentResourceOptions,
        variables: ReadonlyMap<string, pulumi.Input<string>> = new Map(),
    ) {
        super("tidings:index:ServiceFunction", name, {}, opts);
        const { settings } = deployment;
        const own = named(contract.functions, name);
        checkTargets(own, targets);
        const archive = join(settings.archives, `${name}.zip`);
        if (!existsSync(archive)) {
            throw new Error(`${archive} is not there; scripts/build-lambdas makes it`);
        }
        const functionName = `${deployment.prefix}-${name}`;
        const parent = { parent: this };
        const role = new aws.iam.Role(
            name,
            { name: functionName, assumeRolePolicy: trusts("lambda.amazonaws.com") },
            parent,
        );
        this.logGroup = new aws.cloudwatch.LogGroup(
            name,
            { name: `/aws/lambda/${functionName}`, retentionInDays: settings.logRetentionDays },
            parent,
        );
        this.policy = new aws.iam.RolePolicy(
            name,
            { role: role.name, name: "least", policy: permissions(own, targets, this.logGroup.arn) },
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
                code: new pulumi.asset.FileArchive(archive),
                role: role.arn,
                timeout: own.timeoutSeconds,
                memorySize: settings.memoryMib,
                environment: { variables: environment(own, targets, new Map([...settings.variables, ...variables])) },
                tracingConfig: { mode: "Active" },
                ...(reserved === undefined ? {} : { reservedConcurrentExecutions: reserved }),
            },
            // Lambda would make the log group itself, without end to what it keeps.
            { ...parent, dependsOn: [this.logGroup, this.policy] },
        );
        this.registerOutputs({ name: this.function.name });
    }

    /** Lets a service of AWS invoke the function, for one source alone. */
    allow(name: string, service: string, sourceArn: pulumi.Input<string>): aws.lambda.Permission {
        return new aws.lambda.Permission(
            name,
            { action: "lambda:InvokeFunction", function: this.function.name, principal: service, sourceArn },
            { parent: this },
        );
    }
}
