import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { PlacedDeployment } from "./configuration.js";
import { logKey } from "./operations-key.js";
import { trustPolicy } from "./policies.js";

/**
 * Fields of an access log entry that all APIs have. The path, query, headers and authorizer of a request are never logged, because they
 * can contain tokens
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html,
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html).
 */
const COMMON_FIELDS = {
    requestId: "$context.requestId",
    requestTime: "$context.requestTime",
    status: "$context.status",
    errorMessage: "$context.error.message",
    errorType: "$context.error.responseType",
} as const;
const WEB_SOCKET_FIELDS = {
    ...COMMON_FIELDS,
    connectionId: "$context.connectionId",
    eventType: "$context.eventType",
    routeKey: "$context.routeKey",
    integrationStatus: "$context.integrationStatus",
} as const;
const HTTP_FIELDS = {
    ...COMMON_FIELDS,
    routeKey: "$context.routeKey",
    latency: "$context.responseLatency",
    integrationStatus: "$context.integrationStatus",
} as const;
const REST_FIELDS = {
    ...COMMON_FIELDS,
    httpMethod: "$context.httpMethod",
    resourcePath: "$context.resourcePath",
    latency: "$context.responseLatency",
    caller: "$context.identity.caller",
} as const;
const FIELDS = { webSocket: WEB_SOCKET_FIELDS, http: HTTP_FIELDS, rest: REST_FIELDS };

/** Destination and format of an API stage's access log. */
export interface AccessLog {
    readonly destinationArn: pulumi.Output<string>;
    readonly format: string;
}

/** Access log settings of a stage, without any if it writes no log. */
export interface LoggedStage {
    readonly accessLogSettings?: AccessLog;
}

/**
 * Creates the log group of an API and returns the access log settings of its stage, unless logs of such APIs are off.
 * HTTP APIs need no role to write: API Gateway grants itself access in a policy of the account's log groups, whose size
 * is limited, so such groups have a name that one statement covers
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html).
 */
export function accessLog(
    name: string,
    kind: keyof typeof FIELDS,
    deployment: PlacedDeployment,
    opts: pulumi.CustomResourceOptions,
): LoggedStage {
    const { prefix, settings } = deployment;
    if (kind !== "http" && settings.apiGatewayLogs === "off") {
        return {};
    }
    const folder = kind === "http" ? "/aws/vendedlogs/apigateway" : "/aws/apigateway";
    const group = new aws.cloudwatch.LogGroup(
        name,
        { name: `${folder}/${prefix}-${name}`, retentionInDays: settings.logRetentionDays, ...logKey(deployment) },
        opts,
    );
    return { accessLogSettings: { destinationArn: group.arn, format: JSON.stringify(FIELDS[kind]) } };
}

/**
 * The role with which API Gateway writes the access logs of WebSocket and REST APIs. It is a setting of the account
 * in a region
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html#set-up-access-logging-permissions).
 * Other APIs of the account use it, too, so it stays when the stack is destroyed. The role's name is generated, because
 * a later stack with the same name makes another one.
 */
export class ApiGatewayLogs extends pulumi.ComponentResource {
    readonly account: aws.apigateway.Account;

    constructor(name: string, { place }: PlacedDeployment, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:ApiGatewayLogs", name, {}, opts);
        void pulumi.log.warn("this stack replaces the role with which API Gateway writes logs, for all APIs of the account in this region", this);
        const parent = { parent: this, retainOnDelete: true };
        const role = new aws.iam.Role(
            name,
            { namePrefix: `tidings-${name}-`, assumeRolePolicy: trustPolicy("apigateway.amazonaws.com") },
            parent,
        );
        const policy = new aws.iam.RolePolicyAttachment(
            name,
            {
                role: role.name,
                // The managed policy for this purpose
                // (https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonAPIGatewayPushToCloudWatchLogs.html).
                policyArn: pulumi.interpolate`arn:${place.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs`,
            },
            parent,
        );
        this.account = new aws.apigateway.Account(name, { cloudwatchRoleArn: role.arn }, { ...parent, dependsOn: policy });
        this.registerOutputs({ roleArn: role.arn });
    }
}
