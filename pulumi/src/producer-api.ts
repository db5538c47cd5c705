import { createHash } from "node:crypto";

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { accessLog } from "./access-logs.js";
import type { Deployment } from "./configuration.js";
import { contract } from "./contract.js";
import { policyDocument, trusts } from "./policies.js";
import { producerModel } from "./producer-model.js";
import type { ServiceFunction } from "./service-function.js";
import { STAGE } from "./websocket-api.js";

const JSON_TYPE = "application/json";

/**
 * The form for SendMessage
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html): the user is the
 * message group; the notification's id deduplicates, or the request's where there is none
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html).
 * The version is that of the API, and stands before the condition so that no part of the form is empty.
 */
const SEND = [
    "#set($id = $input.path('$.id'))",
    "Action=SendMessage",
    "&MessageGroupId=$util.urlEncode($input.path('$.userId'))",
    "&MessageBody=$util.urlEncode($input.body)",
    "&Version=2012-11-05",
    `#if($util.urlEncode("$!id") == "")#set($id = $context.requestId)#end`,
    `&MessageDeduplicationId=$util.urlEncode("$!id")`,
].join("");

interface Answer {
    readonly statusCode: string;
    /** Which statuses of the queue have it; without, all that no other has. */
    readonly selectionPattern?: string;
    readonly body: string;
}

/**
 * By the queue's status. What is no success is never answered as one, and what is not the producer's fault
 * asks to be sent again
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html).
 * The queue refuses with 400 what it can't take; with 403 and 404 it says that this deployment is not right.
 */
const ANSWERS: readonly Answer[] = [
    { statusCode: "202", selectionPattern: "2\\d{2}", body: `{"requestId": "$context.requestId"}` },
    { statusCode: "400", selectionPattern: "400", body: `{"requestId": "$context.requestId", "message": "the queue refuses this notification"}` },
    { statusCode: "503", body: `{"requestId": "$context.requestId", "message": "not accepted; send it again"}` },
];

/** The last part of the door's path: the API has no deeper one. */
function pathPart(path: string): string {
    const part = path.slice(1);
    if (part === "" || part.includes("/")) {
        throw new Error(`the producers' path is ${path}; allowed is one of a single part`);
    }
    return part;
}

/** What the API leads to. */
export interface ProducerApiArgs {
    readonly queue: aws.sqs.Queue;
    /** What has to be there before a log is written. */
    readonly logs: readonly pulumi.Resource[];
    /** The function that reads the history, where one is kept. */
    readonly history?: ServiceFunction;
}

/** A door beside that of the producers, and what a policy has to allow for it. */
interface SideDoor {
    readonly url: pulumi.Output<string>;
    readonly invokeArn: pulumi.Output<string>;
}

/** Where producers with rights in IAM send notifications over HTTP, and operators read the history. */
export class ProducerApi extends pulumi.ComponentResource {
    readonly url: pulumi.Output<string>;
    /** What a producer's policy has to allow: `execute-api:Invoke` on it. */
    readonly invokeArn: pulumi.Output<string>;
    /** Where a user's history is read: below it are the user and the kind. */
    readonly history: SideDoor | undefined;
    private readonly api: aws.apigateway.RestApi;

    constructor(
        name: string,
        private readonly deployment: Deployment,
        args: ProducerApiArgs,
        opts: pulumi.ComponentResourceOptions,
    ) {
        super("tidings:index:ProducerApi", name, {}, opts);
        const { path, method } = contract.producerDoor;
        this.api = new aws.apigateway.RestApi(
            name,
            {
                name: `${deployment.prefix}-producers`,
                // Nearest to where producers on AWS run
                // (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-endpoint-types.html).
                endpointConfiguration: { types: "REGIONAL" },
            },
            { parent: this },
        );
        const model = producerModel();
        const { queue, logs, history } = args;
        const reading = history === undefined ? [] : this.historyDoor(history);
        const parts = [...this.method(queue, model), ...reading];
        const stage = this.stage([model, history !== undefined], parts, logs);
        this.url = pulumi.interpolate`${stage.invokeUrl}${path}`;
        this.invokeArn = pulumi.interpolate`${this.api.executionArn}/${STAGE}/${method}${path}`;
        const ofHistory = historyPath(contract.historyDoor.path);
        this.history = history && {
            url: pulumi.interpolate`${stage.invokeUrl}${ofHistory.fixed}`,
            invokeArn: pulumi.interpolate`${this.api.executionArn}/${STAGE}/${contract.historyDoor.method}${ofHistory.pattern}`,
        };
        this.registerOutputs({ url: this.url });
    }

    /** The role that puts messages into the queue, and does nothing else. */
    private role(queue: aws.sqs.Queue): readonly [aws.iam.Role, aws.iam.RolePolicy] {
        const parent = { parent: this };
        const name = `${this.deployment.prefix}-producers`;
        const role = new aws.iam.Role("producers", { name, assumeRolePolicy: trusts("apigateway.amazonaws.com") }, parent);
        const policy = policyDocument([{ Effect: "Allow", Action: "sqs:SendMessage", Resource: queue.arn }]);
        return [role, new aws.iam.RolePolicy("producers", { role: role.name, name: "least", policy }, parent)];
    }

    /** The method, its integration and its answers. */
    private method(queue: aws.sqs.Queue, schema: string): readonly pulumi.Resource[] {
        const parent = { parent: this };
        const restApi = this.api.id;
        const door = contract.producerDoor;
        const resource = new aws.apigateway.Resource(
            "notifications",
            { restApi, parentId: this.api.rootResourceId, pathPart: pathPart(door.path) },
            parent,
        );
        const model = new aws.apigateway.Model("notification", { restApi, name: "Notification", contentType: JSON_TYPE, schema }, parent);
        const validator = new aws.apigateway.RequestValidator(
            "body",
            { restApi, name: "body", validateRequestBody: true, validateRequestParameters: false },
            parent,
        );
        const at = { restApi, resourceId: resource.id, httpMethod: door.method };
        const method = new aws.apigateway.Method(
            "send",
            { ...at, authorization: "AWS_IAM", requestModels: { [JSON_TYPE]: model.name }, requestValidatorId: validator.id },
            parent,
        );
        const [role, policy] = this.role(queue);
        const integration = new aws.apigateway.Integration(
            "send",
            {
                ...at,
                type: "AWS",
                integrationHttpMethod: "POST",
                uri: pulumi.all([queue.arn, queue.name]).apply(([arn, name]) => queueUri(arn, name)),
                credentials: role.arn,
                // Another content type than JSON has no template, and is refused with 415.
                passthroughBehavior: "NEVER",
                requestParameters: { "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'" },
                requestTemplates: { [JSON_TYPE]: SEND },
            },
            { ...parent, dependsOn: [method, policy] },
        );
        const answers = ANSWERS.flatMap(({ statusCode, selectionPattern, body }) => {
            const response = new aws.apigateway.MethodResponse(`send-${statusCode}`, { ...at, statusCode }, { ...parent, dependsOn: method });
            const mapped = new aws.apigateway.IntegrationResponse(
                `send-${statusCode}`,
                {
                    ...at,
                    statusCode,
                    ...(selectionPattern === undefined ? {} : { selectionPattern }),
                    responseTemplates: { [JSON_TYPE]: body },
                },
                { ...parent, dependsOn: [integration, response] },
            );
            return [response, mapped];
        });
        return [method, integration, ...answers];
    }

    /** The method that operators read the history by, which the edge answers. */
    private historyDoor(service: ServiceFunction): readonly pulumi.Resource[] {
        const parent = { parent: this };
        const restApi = this.api.id;
        const { method, path } = contract.historyDoor;
        let parentId = this.api.rootResourceId;
        for (const part of path.slice(1).split("/")) {
            const name = `history-${part.replace(/[{}]/g, "")}`;
            parentId = new aws.apigateway.Resource(name, { restApi, parentId, pathPart: part }, parent).id;
        }
        const at = { restApi, resourceId: parentId, httpMethod: method };
        const door = new aws.apigateway.Method("history", { ...at, authorization: "AWS_IAM" }, parent);
        // https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
        const integration = new aws.apigateway.Integration(
            "history",
            { ...at, type: "AWS_PROXY", integrationHttpMethod: "POST", uri: service.function.invokeArn },
            { ...parent, dependsOn: [door] },
        );
        // Variables of the path are asterisks in an ARN
        // (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html).
        const permission = service.allow(
            "history",
            "apigateway.amazonaws.com",
            pulumi.interpolate`${this.api.executionArn}/${STAGE}/${method}${historyPath(path).pattern}`,
        );
        return [door, integration, permission];
    }

    private stage(made: readonly unknown[], parts: readonly pulumi.Resource[], logs: readonly pulumi.Resource[]): aws.apigateway.Stage {
        const parent = { parent: this };
        const restApi = this.api.id;
        const { rate, burst } = this.deployment.settings.producer;
        // A stage serves what was deployed last, so that a change of any part has to deploy anew.
        const redeployment = createHash("sha256").update(JSON.stringify([made, SEND, ANSWERS, contract.producerDoor, contract.historyDoor])).digest("hex");
        const deployed = new aws.apigateway.Deployment("producers", { restApi, triggers: { redeployment } }, { ...parent, dependsOn: [...parts] });
        const stage = new aws.apigateway.Stage(
            "producers",
            {
                restApi,
                deployment: deployed.id,
                stageName: STAGE,
                xrayTracingEnabled: true,
                accessLogSettings: accessLog("producers", "rest", this.deployment, parent),
            },
            { ...parent, dependsOn: [...logs] },
        );
        // Not a usage plan: that counts by API key, and here callers are known by IAM
        // (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html).
        new aws.apigateway.MethodSettings(
            "producers",
            {
                restApi,
                stageName: stage.stageName,
                methodPath: "*/*",
                settings: {
                    throttlingRateLimit: rate,
                    throttlingBurstLimit: burst,
                    metricsEnabled: true,
                    // It would log notifications.
                    dataTraceEnabled: false,
                    loggingLevel: "OFF",
                },
            },
            parent,
        );
        return stage;
    }
}

/** The part of a path before its variables, and the path with asterisks for them. */
function historyPath(path: string): { readonly fixed: string; readonly pattern: string } {
    return { fixed: path.replace(/\/\{.*$/, ""), pattern: path.replace(/\{[^}]*\}/g, "*") };
}

/** The queue, as an integration names it (https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html). */
function queueUri(arn: string, name: string): string {
    const [, partition = "", , region = "", account = ""] = arn.split(":");
    return `arn:${partition}:apigateway:${region}:sqs:path/${account}/${name}`;
}
