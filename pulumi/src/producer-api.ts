import { createHash } from "node:crypto";

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { accessLog } from "./access-logs.js";
import type { PlacedDeployment } from "./configuration.js";
import { contract, type HttpRoute } from "./contract.js";
import { policyDocument, trustPolicy, type ResourceRef } from "./policies.js";
import { producerModel } from "./producer-model.js";
import { queueRefs } from "./queue.js";
import type { ServiceFunction } from "./service-function.js";
import { STAGE } from "./websocket-api.js";

const JSON_TYPE = "application/json";

/**
 * Mapping template from a producer's request to the form of SendMessage
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html). The message group is
 * the user id as the queue carries it (docs/reference/user-ids.md): as it is, if nothing is left of it without ASCII
 * letters, digits and punctuation, else `u8:` and its base64url. The deduplication id is the notification's id, or the
 * request's when it has none
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html).
 * `Version` is the version of the SQS API; it stands before the conditions so that no part of the form is empty.
 */
export const SEND_TEMPLATE = [
    "#set($id = $input.path('$.id'))",
    "#set($group = $input.path('$.userId'))",
    "#set($others = $group.replaceAll('[!-~]', ''))",
    "#set($code = $util.base64Encode($group))",
    "#set($prefix = 'u8:')",
    "Action=SendMessage",
    "&MessageBody=$util.urlEncode($input.body)",
    "&Version=2012-11-05",
    `#if("$!others" != "")#set($group = $prefix.concat($code.replaceAll('=', '').replaceAll('[+]', '-').replaceAll('/', '_')))#end`,
    `#if($util.urlEncode("$!id") == "")#set($id = $context.requestId)#end`,
    "&MessageGroupId=$util.urlEncode($group)",
    `&MessageDeduplicationId=$util.urlEncode("$!id")`,
].join("");

/** Seconds after which a producer may send a notification again that was not accepted. */
const RETRY_AFTER = "1";

/**
 * Codes with which the queue refuses a message for what is in it, so that sending it again is of no use
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html#API_SendMessage_Errors,
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html).
 */
const REFUSALS = ["InvalidMessageContents", "InvalidParameterValue", "MissingParameter", "ValidationError"];

/** Returns a problem document (RFC 9457, docs/reference/error-codes.md) in JSON. */
function problem(type: string, title: string, status: number, message: string): string {
    const document = { type: `urn:tidings:problem:${type}`, title, status, detail: message, message };
    return `{"requestId": "$context.requestId", ${JSON.stringify(document).slice(1)}`;
}

const UNAVAILABLE = problem("unavailable", "Service Unavailable", 503, "not accepted; send it again");

/**
 * Mapping template for an error of the queue with the status 400. That is a refusal, a throttle (`RequestThrottled`,
 * `ThrottlingException`) or a broken deployment (`NonExistentQueue`, `KmsDisabled`), told apart by the code in the body
 * alone. All but a refusal becomes 503
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-override-request-response-parameters.html).
 */
export const REFUSED_TEMPLATE = [
    "#set($error = $input.path('$').toString())",
    "#set($refused = false)",
    `#foreach($code in [${REFUSALS.map((code) => `'${code}'`).join(", ")}])#if($error.contains($code))#set($refused = true)#end#end`,
    `#if($refused)${problem("bad-request", "Bad Request", 400, "the queue refuses this notification")}`,
    "#else",
    "#set($context.responseOverride.status = 503)",
    `#set($context.responseOverride.header.Retry-After = '${RETRY_AFTER}')`,
    `${UNAVAILABLE}#end`,
].join("");

interface Answer {
    readonly statusCode: string;
    /** Regular expression for statuses of the queue. An answer without it is for all statuses that no other pattern matches. */
    readonly selectionPattern?: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
}

const PROBLEM_TYPE = { "Content-Type": "application/problem+json" };

/** Headers of a problem that passes. */
const WAIT = { ...PROBLEM_TYPE, "Retry-After": RETRY_AFTER };

/**
 * Answers to producers, by the status of the queue's answer
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html).
 * Only a success is answered with 202. All but a success and a refusal, such as 403 and 404 in a broken deployment, is
 * answered with 503: the producer may retry.
 */
const ANSWERS: readonly Answer[] = [
    { statusCode: "202", selectionPattern: "2\\d{2}", headers: {}, body: `{"requestId": "$context.requestId"}` },
    { statusCode: "400", selectionPattern: "400", headers: PROBLEM_TYPE, body: REFUSED_TEMPLATE },
    { statusCode: "503", headers: WAIT, body: UNAVAILABLE },
];

/** Returns values for the headers of an answer by the names that API Gateway has for them in a kind of response. */
function byHeader<Value>(
    response: "method.response" | "gatewayresponse",
    headers: Answer["headers"],
    value: (text: string) => Value,
): { responseParameters?: Record<string, Value> } {
    const named = Object.entries(headers).map(([name, text]) => [`${response}.header.${name}`, value(text)] as const);
    return named.length === 0 ? {} : { responseParameters: Object.fromEntries(named) };
}

/** Returns a header's value as a constant in a mapping. */
const quoted = (text: string): string => `'${text}'`;

/** An answer that API Gateway gives by itself. */
interface OwnAnswer {
    readonly name: string;
    readonly responseType: string;
    readonly statusCode: string;
    readonly headers: Readonly<Record<string, string>>;
    /** Template in which variables are substituted and nothing else is evaluated. */
    readonly body: string;
}

/**
 * Returns the answers that API Gateway gives by itself, to requests that it does not pass on and in place of answers that
 * it does not get (https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html).
 * They hold for all methods of the API. The other types of 5xx have the answer of `DEFAULT_5XX`.
 */
function ownAnswers(model: string): readonly OwnAnswer[] {
    const throttled = problem("too-many-requests", "Too Many Requests", 429, "above the rate of tidings:producerRate or of the account; send it again");
    const failed = problem("unavailable", "Service Unavailable", 503, "no answer from the service; send it again, a notification with the same id");
    const types = { "integration-failed": "INTEGRATION_FAILURE", "integration-timed-out": "INTEGRATION_TIMEOUT", failed: "DEFAULT_5XX" };
    return [
        { name: "refused-body", responseType: "BAD_REQUEST_BODY", statusCode: "400", headers: PROBLEM_TYPE, body: refusedBody(model) },
        { name: "throttled", responseType: "THROTTLED", statusCode: "429", headers: WAIT, body: throttled },
        ...Object.entries(types).map(([name, responseType]) => ({ name, responseType, statusCode: "503", headers: WAIT, body: failed })),
    ];
}

/** Returns the answer to a body that the model refuses: API Gateway's own says nothing but "Invalid request body". */
function refusedBody(model: string): string {
    const { properties, additionalProperties } = JSON.parse(model) as { properties: object; additionalProperties?: false };
    const fields = Object.keys(properties).join(", ");
    const others = additionalProperties === false ? "known are" : "checked are";
    const message = `the body is not a notification: it needs userId and one of payload and message; ${others} ${fields}; expiresAt is in milliseconds`;
    return problem("bad-request", "Bad Request", 400, message);
}

/** Returns the path without its leading slash. Throws if it has several segments: the program creates one resource. */
function pathPart(path: string): string {
    const part = path.slice(1);
    if (part === "" || part.includes("/")) {
        throw new Error(`the producers' path is ${path}; expected a path of one segment`);
    }
    return part;
}

/** A method of the API by its place. */
interface MethodPlace {
    readonly restApi: pulumi.Input<string>;
    readonly resourceId: pulumi.Input<string>;
    readonly httpMethod: string;
}

/** What a method needs to send to a queue. */
interface Sending {
    readonly queue: aws.sqs.Queue;
    readonly role: aws.iam.Role;
    readonly policy: aws.iam.RolePolicy;
    /** Inputs of the method with which API Gateway checks bodies. */
    readonly checks: { readonly requestModels: Record<string, pulumi.Input<string>>; readonly requestValidatorId: pulumi.Input<string> };
}

/** Components that the API depends on. */
export interface ProducerApiArgs {
    /** The notifications queues in order. */
    readonly queues: readonly aws.sqs.Queue[];
    /** Resources that must exist before the stage can write its access log. */
    readonly logs: readonly pulumi.Resource[];
    /** The function that answers requests for the history; absent if the history is off. */
    readonly history?: ServiceFunction;
}

/** Base of URLs, and the ARN on which a policy must allow `execute-api:Invoke`. */
interface Endpoint {
    readonly url: pulumi.Output<string>;
    readonly invokeArn: pulumi.Output<string>;
}

/**
 * REST API with IAM authorization: producers send notifications to the queue, and operators read the history through
 * the edge.
 */
export class ProducerApi extends pulumi.ComponentResource {
    readonly url: pulumi.Output<string>;
    /** ARN on which a producer's policy must allow `execute-api:Invoke`. */
    readonly invokeArn: pulumi.Output<string>;
    /** Base of the history's URLs, which continue with the user and the kind of record; absent if the history is off. */
    readonly history: Endpoint | undefined;
    /**
     * Base of the URLs of single queues, which continue with the queue's index and `/notifications`; absent if there is one
     * queue.
     */
    readonly queues: Endpoint | undefined;
    readonly apiName: pulumi.Output<string>;
    private readonly api: aws.apigateway.RestApi;
    /** Resources that a deployment must contain, and the fingerprint of the inputs of each, by type and name. */
    private readonly parts: pulumi.Resource[] = [];
    private readonly fingerprints: Record<string, pulumi.Output<string>> = {};

    constructor(
        name: string,
        private readonly deployment: PlacedDeployment,
        args: ProducerApiArgs,
        opts: pulumi.ComponentResourceOptions,
    ) {
        super("tidings:index:ProducerApi", name, {}, opts);
        const { path, method } = contract.producerRoute;
        this.api = new aws.apigateway.RestApi(
            name,
            {
                name: `${deployment.prefix}-producers`,
                // The shortest way for producers that run on AWS in the same region
                // (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-endpoint-types.html).
                endpointConfiguration: { types: "REGIONAL" },
            },
            { parent: this },
        );
        this.apiName = this.api.name;
        const { queues, logs, history } = args;
        this.sendMethods(queues, producerModel(deployment.settings.unknownFields));
        if (history !== undefined) {
            this.historyMethod(history);
        }
        const stage = this.stage(logs);
        this.url = pulumi.interpolate`${stage.invokeUrl}${path}`;
        this.invokeArn = pulumi.interpolate`${this.api.executionArn}/${STAGE}/${method}${path}`;
        const endpoint = (route: HttpRoute): Endpoint => {
            const { base, pattern } = splitPath(route.path);
            return { url: pulumi.interpolate`${stage.invokeUrl}${base}`, invokeArn: pulumi.interpolate`${this.api.executionArn}/${STAGE}/${route.method}${pattern}` };
        };
        this.history = history && endpoint(contract.historyRoute);
        this.queues = queues.length === 1 ? undefined : endpoint(contract.producerQueueRoute);
        this.registerOutputs({ url: this.url });
    }

    /** Creates a part of the API: a change of any of its inputs makes a new deployment. */
    private part<Part extends pulumi.Resource, Args extends object>(
        type: new (name: string, args: Args, opts: pulumi.CustomResourceOptions) => Part,
        name: string,
        args: Args,
        opts: pulumi.CustomResourceOptions,
    ): Part {
        const part = new type(name, args, opts);
        this.parts.push(part);
        this.fingerprints[`${type.name} ${name}`] = (pulumi.output(args) as pulumi.Output<unknown>).apply(fingerprint);
        return part;
    }

    /** Creates the role with which API Gateway sends messages to the queues; it allows nothing else. */
    private role(queue: ResourceRef): readonly [aws.iam.Role, aws.iam.RolePolicy] {
        const parent = { parent: this };
        const name = `${this.deployment.prefix}-producers`;
        const role = new aws.iam.Role("producers", { name, assumeRolePolicy: trustPolicy("apigateway.amazonaws.com") }, parent);
        const policy = policyDocument([{ Effect: "Allow", Action: "sqs:SendMessage", Resource: queue.arn }]);
        return [role, new aws.iam.RolePolicy("producers", { role: role.name, name: "least", policy }, parent)];
    }

    /** Creates the producers' methods: one that sends to the first queue and, if there are several queues, one for each. */
    private sendMethods(queues: readonly aws.sqs.Queue[], schema: string): void {
        const parent = { parent: this };
        const restApi = this.api.id;
        const route = contract.producerRoute;
        const resource = this.part(
            aws.apigateway.Resource,
            "notifications",
            { restApi, parentId: this.api.rootResourceId, pathPart: pathPart(route.path) },
            parent,
        );
        const model = this.part(aws.apigateway.Model, "notification", { restApi, name: "Notification", contentType: JSON_TYPE, schema }, parent);
        const validator = this.part(
            aws.apigateway.RequestValidator,
            "body",
            { restApi, name: "body", validateRequestBody: true, validateRequestParameters: false },
            parent,
        );
        for (const { name, responseType, statusCode, headers, body } of ownAnswers(schema)) {
            const responseTemplates = { [JSON_TYPE]: body };
            this.part(
                aws.apigateway.Response,
                name,
                { restApiId: restApi, responseType, statusCode, ...byHeader("gatewayresponse", headers, quoted), responseTemplates },
                parent,
            );
        }
        const [role, policy] = this.role(queueRefs(queues));
        const checks = { requestModels: { [JSON_TYPE]: model.name }, requestValidatorId: validator.id };
        const send = (name: string, resourceId: pulumi.Input<string>, queue: aws.sqs.Queue): void => {
            this.sendMethod(name, { restApi, resourceId, httpMethod: route.method }, { queue, role, policy, checks });
        };
        for (const first of queues.slice(0, 1)) {
            send("send", resource.id, first);
        }
        if (queues.length === 1) {
            return;
        }
        const [queuesPart = "", , notificationsPart = ""] = contract.producerQueueRoute.path.slice(1).split("/");
        const all = this.part(aws.apigateway.Resource, "queues", { restApi, parentId: this.api.rootResourceId, pathPart: queuesPart }, parent);
        for (const [index, queue] of queues.entries()) {
            const one = this.part(aws.apigateway.Resource, `queue-${index}`, { restApi, parentId: all.id, pathPart: String(index) }, parent);
            const leaf = this.part(
                aws.apigateway.Resource,
                `queue-${index}-notifications`,
                { restApi, parentId: one.id, pathPart: notificationsPart },
                parent,
            );
            send(`send-queue-${index}`, leaf.id, queue);
        }
    }

    /** Creates a method that sends to a queue, with its integration and answers. */
    private sendMethod(name: string, at: MethodPlace, { queue, role, policy, checks }: Sending): void {
        const parent = { parent: this };
        const method = this.part(aws.apigateway.Method, name, { ...at, authorization: "AWS_IAM", ...checks }, parent);
        const integration = this.part(
            aws.apigateway.Integration,
            name,
            {
                ...at,
                type: "AWS",
                integrationHttpMethod: "POST",
                uri: pulumi.all([queue.arn, queue.name]).apply(([arn, name]) => queueUri(arn, name)),
                credentials: role.arn,
                // A body of another content type than JSON has no template and is refused with 415.
                passthroughBehavior: "NEVER",
                requestParameters: { "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'" },
                requestTemplates: { [JSON_TYPE]: SEND_TEMPLATE },
            },
            { ...parent, dependsOn: [method, policy] },
        );
        for (const { statusCode, selectionPattern, headers, body } of ANSWERS) {
            const response = this.part(
                aws.apigateway.MethodResponse,
                `${name}-${statusCode}`,
                { ...at, statusCode, ...byHeader("method.response", headers, () => false) },
                { ...parent, dependsOn: method },
            );
            this.part(
                aws.apigateway.IntegrationResponse,
                `${name}-${statusCode}`,
                {
                    ...at,
                    statusCode,
                    ...(selectionPattern === undefined ? {} : { selectionPattern }),
                    ...byHeader("method.response", headers, quoted),
                    responseTemplates: { [JSON_TYPE]: body },
                },
                // Pulumi replaces an integration by deleting it first, and with it API Gateway deletes its responses
                // (https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteIntegration.html).
                { ...parent, dependsOn: [integration, response], replaceWith: [integration] },
            );
        }
    }

    /** Creates the method for reading the history, which the edge answers. */
    private historyMethod(service: ServiceFunction): void {
        const parent = { parent: this };
        const restApi = this.api.id;
        const { method, path } = contract.historyRoute;
        let parentId = this.api.rootResourceId;
        for (const part of path.slice(1).split("/")) {
            const name = `history-${part.replace(/[{}]/g, "")}`;
            parentId = this.part(aws.apigateway.Resource, name, { restApi, parentId, pathPart: part }, parent).id;
        }
        const at = { restApi, resourceId: parentId, httpMethod: method };
        const read = this.part(aws.apigateway.Method, "history", { ...at, authorization: "AWS_IAM" }, parent);
        // https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
        this.part(
            aws.apigateway.Integration,
            "history",
            { ...at, type: "AWS_PROXY", integrationHttpMethod: "POST", uri: service.function.invokeArn },
            { ...parent, dependsOn: [read] },
        );
        // Path variables are asterisks in an ARN
        // (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html).
        const permission = service.allow(
            "history",
            "apigateway.amazonaws.com",
            pulumi.interpolate`${this.api.executionArn}/${STAGE}/${method}${splitPath(path).pattern}`,
        );
        this.parts.push(permission);
    }

    private stage(logs: readonly pulumi.Resource[]): aws.apigateway.Stage {
        const parent = { parent: this };
        const restApi = this.api.id;
        const { rate, burst } = this.deployment.settings.producer;
        // A stage serves the deployment that it names, and a deployment is a copy of the parts as they were
        // (https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html).
        const deployed = new aws.apigateway.Deployment("producers", { restApi, triggers: this.fingerprints }, { ...parent, dependsOn: this.parts });
        const stage = new aws.apigateway.Stage(
            "producers",
            {
                restApi,
                deployment: deployed.id,
                stageName: STAGE,
                xrayTracingEnabled: true,
                ...accessLog("producers", "rest", this.deployment, parent),
            },
            { ...parent, dependsOn: [...logs] },
        );
        // No usage plan: usage plans count by API key, and these callers authenticate with IAM
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
                    // Data traces would log notifications.
                    dataTraceEnabled: false,
                    loggingLevel: "OFF",
                },
            },
            parent,
        );
        return stage;
    }
}

/** Returns the path before its first variable, and the path with asterisks for variables. */
function splitPath(path: string): { readonly base: string; readonly pattern: string } {
    return { base: path.replace(/\/\{.*$/, ""), pattern: path.replace(/\{[^}]*\}/g, "*") };
}

/** Returns the URI of a queue in an integration (https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html). */
function queueUri(arn: string, name: string): string {
    const [, partition = "", , region = "", account = ""] = arn.split(":");
    return `arn:${partition}:apigateway:${region}:sqs:path/${account}/${name}`;
}

/** Returns the SHA-256 of a value's JSON, in which the members of each object are sorted by name. */
function fingerprint(value: unknown): string {
    const sorted = (_: string, member: unknown): unknown =>
        typeof member === "object" && member !== null && !Array.isArray(member)
            ? Object.fromEntries(Object.entries(member).sort(([one], [other]) => (one < other ? -1 : 1)))
            : member;
    return createHash("sha256").update(JSON.stringify(value, sorted)).digest("hex");
}
