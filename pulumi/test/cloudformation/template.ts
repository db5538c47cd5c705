import type { Properties, Recorded } from "../engine/recorder.js";
import { json, type Graph } from "../graph.js";

/** A resource of a CloudFormation template. */
interface Resource {
    readonly Type: string;
    readonly Properties: Properties;
}

type Convert = (one: Recorded, graph: Graph) => Resource | undefined;

/** `camelCase` as CloudFormation has it. */
function pascal(name: string): string {
    return name.charAt(0).toUpperCase() + name.slice(1);
}

/** Inputs in CloudFormation's names: of objects' members all but those of maps, which are the user's own. */
function renamed(value: unknown): unknown {
    if (Array.isArray(value)) {
        return value.map(renamed);
    }
    if (typeof value !== "object" || value === null) {
        return value;
    }
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [pascal(name), renamed(one)]));
}

function tags(inputs: Properties): Properties {
    const own = inputs["tags"] as Readonly<Record<string, string>> | undefined;
    return own === undefined ? {} : { Tags: Object.entries(own).map(([Key, Value]) => ({ Key, Value })) };
}

/** Reads inputs, and throws on those that nobody has read: what is not converted is not checked. */
class Inputs {
    private readonly unread: Set<string>;

    constructor(private readonly one: Recorded) {
        this.unread = new Set(Object.keys(one.inputs));
    }

    /** These inputs, by the names they have in CloudFormation. */
    take(names: Readonly<Record<string, string>>, convert: (value: unknown) => unknown = renamed): Properties {
        const taken: Record<string, unknown> = {};
        for (const [name, to] of Object.entries(names)) {
            this.unread.delete(name);
            if (this.one.inputs[name] !== undefined) {
                taken[to] = convert(this.one.inputs[name]);
            }
        }
        return taken;
    }

    /** These inputs, by the same names but for the first letter. */
    same(...names: readonly string[]): Properties {
        return this.take(Object.fromEntries(names.map((name) => [name, pascal(name)])));
    }

    end(): void {
        if (this.unread.size > 0) {
            throw new Error(`${this.one.type} ${this.one.name} has inputs that are not converted: ${[...this.unread].join(", ")}`);
        }
    }
}

/** Converts inputs, all of them. */
function of(Type: string, read: (inputs: Inputs, one: Recorded, graph: Graph) => Properties): Convert {
    return (one, graph) => {
        const inputs = new Inputs(one);
        const Properties = read(inputs, one, graph);
        inputs.end();
        return { Type, Properties };
    };
}

/** What another resource has in it. */
const elsewhere: Convert = () => undefined;

const asIs = (value: unknown): unknown => value;
const tagList = (inputs: Inputs, one: Recorded): Properties => (inputs.take({ tags: "" }), tags(one.inputs));
const tagMap = (inputs: Inputs): Properties => inputs.take({ tags: "Tags" }, asIs);

function accessLog(inputs: Inputs, to: string): Properties {
    return inputs.take({ accessLogSettings: to });
}

function integration(one: Recorded, graph: Graph): Properties {
    const inputs = new Inputs(one);
    const converted = {
        ...inputs.same("type", "integrationHttpMethod", "uri", "credentials", "passthroughBehavior"),
        ...inputs.take({ requestParameters: "RequestParameters", requestTemplates: "RequestTemplates" }, asIs),
    };
    inputs.take({ restApi: "", resourceId: "", httpMethod: "" });
    inputs.end();
    const responses = graph.of("apigateway/integrationResponse").map((response) => {
        const own = new Inputs(response);
        const answer = { ...own.same("statusCode", "selectionPattern"), ...own.take({ responseTemplates: "ResponseTemplates" }, asIs) };
        own.take({ restApi: "", resourceId: "", httpMethod: "" });
        own.end();
        return answer;
    });
    return { ...converted, IntegrationResponses: responses };
}

function methodSettings(graph: Graph): Properties {
    const { settings, methodPath } = graph.one("apigateway/methodSettings", "producers").inputs;
    const [ResourcePath, HttpMethod] = String(methodPath).split("/");
    return { ...(renamed(settings) as Properties), ResourcePath: `/${ResourcePath ?? ""}`, HttpMethod };
}

const CONVERTS: Readonly<Record<string, Convert>> = {
    "aws:apigateway/account:Account": of("AWS::ApiGateway::Account", (i) => i.take({ cloudwatchRoleArn: "CloudWatchRoleArn" })),
    "aws:apigateway/deployment:Deployment": of("AWS::ApiGateway::Deployment", (i) => {
        i.take({ triggers: "" });
        return i.take({ restApi: "RestApiId" });
    }),
    "aws:apigateway/integration:Integration": elsewhere,
    "aws:apigateway/integrationResponse:IntegrationResponse": elsewhere,
    "aws:apigateway/method:Method": of("AWS::ApiGateway::Method", (i, one, graph) => ({
        ...i.take({ restApi: "RestApiId", authorization: "AuthorizationType" }),
        ...i.same("resourceId", "httpMethod", "requestValidatorId"),
        ...i.take({ requestModels: "RequestModels" }, asIs),
        Integration: integration(graph.one("apigateway/integration", one.name), graph),
        MethodResponses: graph.of("apigateway/methodResponse").map((response) => ({ StatusCode: response.inputs["statusCode"] })),
    })),
    "aws:apigateway/methodResponse:MethodResponse": elsewhere,
    "aws:apigateway/methodSettings:MethodSettings": elsewhere,
    "aws:apigateway/model:Model": of("AWS::ApiGateway::Model", (i) => ({
        ...i.take({ restApi: "RestApiId" }),
        ...i.same("contentType", "name"),
        ...i.take({ schema: "Schema" }, json),
    })),
    "aws:apigateway/requestValidator:RequestValidator": of("AWS::ApiGateway::RequestValidator", (i) => ({
        ...i.take({ restApi: "RestApiId" }),
        ...i.same("name", "validateRequestBody", "validateRequestParameters"),
    })),
    "aws:apigateway/resource:Resource": of("AWS::ApiGateway::Resource", (i) => ({
        ...i.take({ restApi: "RestApiId" }),
        ...i.same("parentId", "pathPart"),
    })),
    "aws:apigateway/restApi:RestApi": of("AWS::ApiGateway::RestApi", (i, one) => ({
        ...i.same("name"),
        ...i.take({ endpointConfiguration: "EndpointConfiguration" }, (value) => ({ Types: [(value as Properties)["types"]] })),
        ...tagList(i, one),
    })),
    "aws:apigateway/stage:Stage": of("AWS::ApiGateway::Stage", (i, one, graph) => ({
        ...i.take({ restApi: "RestApiId", deployment: "DeploymentId", xrayTracingEnabled: "TracingEnabled" }),
        ...i.same("stageName"),
        ...accessLog(i, "AccessLogSetting"),
        ...tagList(i, one),
        MethodSettings: [methodSettings(graph)],
    })),
    "aws:apigatewayv2/api:Api": of("AWS::ApiGatewayV2::Api", (i) => ({
        ...i.same("name", "protocolType", "routeSelectionExpression", "corsConfiguration"),
        ...tagMap(i),
    })),
    "aws:apigatewayv2/authorizer:Authorizer": of("AWS::ApiGatewayV2::Authorizer", (i) => ({
        ...i.take({ identitySources: "IdentitySource", jwtConfiguration: "JwtConfiguration" }, (value) =>
            Array.isArray(value) ? value : { Issuer: (value as Properties)["issuer"], Audience: (value as Properties)["audiences"] },
        ),
        ...i.same("apiId", "name", "authorizerType", "authorizerUri"),
    })),
    "aws:apigatewayv2/integration:Integration": of("AWS::ApiGatewayV2::Integration", (i) =>
        i.same("apiId", "integrationType", "integrationMethod", "integrationUri", "payloadFormatVersion"),
    ),
    "aws:apigatewayv2/route:Route": of("AWS::ApiGatewayV2::Route", (i) =>
        i.same("apiId", "routeKey", "target", "authorizationType", "authorizerId", "routeResponseSelectionExpression"),
    ),
    "aws:apigatewayv2/routeResponse:RouteResponse": of("AWS::ApiGatewayV2::RouteResponse", (i) =>
        i.same("apiId", "routeId", "routeResponseKey"),
    ),
    "aws:apigatewayv2/stage:Stage": of("AWS::ApiGatewayV2::Stage", (i) => ({
        ...i.same("apiId", "autoDeploy", "defaultRouteSettings"),
        ...i.take({ name: "StageName" }),
        ...accessLog(i, "AccessLogSettings"),
        ...tagMap(i),
    })),
    "aws:cloudwatch/dashboard:Dashboard": of("AWS::CloudWatch::Dashboard", (i) => i.same("dashboardName", "dashboardBody")),
    "aws:cloudwatch/logGroup:LogGroup": of("AWS::Logs::LogGroup", (i, one) => ({
        ...i.take({ name: "LogGroupName" }),
        ...i.same("retentionInDays"),
        ...tagList(i, one),
    })),
    "aws:cloudwatch/metricAlarm:MetricAlarm": of("AWS::CloudWatch::Alarm", (i, one) => ({
        ...i.take({ name: "AlarmName", okActions: "OKActions" }),
        ...i.take({ dimensions: "Dimensions" }, (value) => Object.entries(value as Properties).map(([Name, Value]) => ({ Name, Value }))),
        ...i.same("alarmDescription", "namespace", "metricName", "statistic", "threshold", "comparisonOperator"),
        ...i.same("period", "evaluationPeriods", "datapointsToAlarm", "treatMissingData", "alarmActions"),
        ...tagList(i, one),
    })),
    "aws:cognito/userPool:UserPool": of("AWS::Cognito::UserPool", (i) => ({
        ...i.take({ name: "UserPoolName" }),
        ...i.same("adminCreateUserConfig", "accountRecoverySetting", "deletionProtection"),
        ...i.take({ passwordPolicy: "Policies" }, (value) => ({ PasswordPolicy: renamed(value) })),
        ...i.take({ tags: "UserPoolTags" }, asIs),
    })),
    "aws:cognito/userPoolClient:UserPoolClient": of("AWS::Cognito::UserPoolClient", (i) => ({
        ...i.take({ name: "ClientName" }),
        ...i.same("userPoolId", "generateSecret", "explicitAuthFlows", "preventUserExistenceErrors", "enableTokenRevocation"),
    })),
    "aws:dynamodb/table:Table": of("AWS::DynamoDB::Table", (i, one) => {
        const { hashKey, rangeKey, streamViewType } = one.inputs;
        i.take({ hashKey: "", rangeKey: "", streamEnabled: "", streamViewType: "" });
        return {
            ...i.take({ name: "TableName", ttl: "TimeToLiveSpecification" }),
            ...i.same("billingMode", "deletionProtectionEnabled"),
            ...i.take({ serverSideEncryption: "SSESpecification" }, (value) => ({ SSEEnabled: (value as Properties)["enabled"] })),
            ...i.take({ pointInTimeRecovery: "PointInTimeRecoverySpecification" }, (value) => ({
                PointInTimeRecoveryEnabled: (value as Properties)["enabled"],
            })),
            ...i.take({ attributes: "AttributeDefinitions" }, (value) =>
                (value as readonly Properties[]).map(({ name, type }) => ({ AttributeName: name, AttributeType: type })),
            ),
            KeySchema: [
                { AttributeName: hashKey, KeyType: "HASH" },
                ...(rangeKey === undefined ? [] : [{ AttributeName: rangeKey, KeyType: "RANGE" }]),
            ],
            ...(streamViewType === undefined ? {} : { StreamSpecification: { StreamViewType: streamViewType } }),
            ...tagList(i, one),
        };
    }),
    "aws:iam/role:Role": of("AWS::IAM::Role", (i, one, graph) => ({
        ...i.take({ name: "RoleName" }),
        ...i.take({ assumeRolePolicy: "AssumeRolePolicyDocument" }, json),
        ...tagList(i, one),
        ManagedPolicyArns: graph
            .ifAny("iam/rolePolicyAttachment")
            .filter(({ inputs }) => inputs["role"] === one.id)
            .map(({ inputs }) => inputs["policyArn"]),
    })),
    "aws:iam/rolePolicy:RolePolicy": of("AWS::IAM::RolePolicy", (i) => ({
        ...i.take({ name: "PolicyName", role: "RoleName" }),
        ...i.take({ policy: "PolicyDocument" }, json),
    })),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": elsewhere,
    "aws:kms/alias:Alias": of("AWS::KMS::Alias", (i) => i.take({ name: "AliasName", targetKeyId: "TargetKeyId" })),
    "aws:kms/key:Key": of("AWS::KMS::Key", (i, one) => ({
        ...i.take({ deletionWindowInDays: "PendingWindowInDays" }),
        ...i.same("description", "enableKeyRotation"),
        ...tagList(i, one),
    })),
    "aws:lambda/eventSourceMapping:EventSourceMapping": of("AWS::Lambda::EventSourceMapping", (i, one) => ({
        ...i.same("functionName", "eventSourceArn", "batchSize", "functionResponseTypes", "startingPosition", "scalingConfig"),
        ...i.same("parallelizationFactor", "maximumRetryAttempts", "bisectBatchOnFunctionError", "filterCriteria"),
        ...i.take({ destinationConfig: "DestinationConfig" }, (value) => ({
            OnFailure: { Destination: (value as { readonly onFailure: Properties }).onFailure["destinationArn"] },
        })),
        ...tagList(i, one),
    })),
    "aws:lambda/function:Function": of("AWS::Lambda::Function", (i, one) => ({
        ...i.take({ name: "FunctionName" }),
        ...i.same("runtime", "architectures", "handler", "role", "timeout", "memorySize", "tracingConfig", "reservedConcurrentExecutions"),
        ...i.take({ environment: "Environment" }, (value) => ({ Variables: (value as Properties)["variables"] })),
        ...i.take({ code: "Code" }, () => ({ S3Bucket: "archives", S3Key: `${one.name}.zip` })),
        ...tagList(i, one),
    })),
    "aws:lambda/functionUrl:FunctionUrl": of("AWS::Lambda::Url", (i) =>
        i.take({ functionName: "TargetFunctionArn", authorizationType: "AuthType" }),
    ),
    "aws:lambda/permission:Permission": of("AWS::Lambda::Permission", (i) => ({
        ...i.take({ function: "FunctionName" }),
        ...i.same("action", "principal", "sourceArn"),
    })),
    "aws:secretsmanager/secret:Secret": of("AWS::SecretsManager::Secret", (i, one) => {
        // CloudFormation's own is 30 days.
        i.take({ recoveryWindowInDays: "" });
        return { ...i.same("name", "description"), ...tagList(i, one) };
    }),
    "aws:sns/topic:Topic": of("AWS::SNS::Topic", (i, one) => ({ ...i.take({ name: "TopicName" }), ...tagList(i, one) })),
    "aws:sns/topicSubscription:TopicSubscription": of("AWS::SNS::Subscription", (i) => ({
        ...i.take({ topic: "TopicArn" }),
        ...i.same("protocol", "endpoint"),
    })),
    "aws:sqs/queue:Queue": of("AWS::SQS::Queue", (i, one, graph) => ({
        ...i.take({ name: "QueueName", messageRetentionSeconds: "MessageRetentionPeriod", visibilityTimeoutSeconds: "VisibilityTimeout" }),
        ...i.take({ sqsManagedSseEnabled: "SqsManagedSseEnabled" }),
        ...i.same("fifoQueue", "deduplicationScope", "fifoThroughputLimit"),
        ...i.take({ redrivePolicy: "RedrivePolicy" }, json),
        ...Object.assign(
            {},
            ...graph
                .ifAny("sqs/redriveAllowPolicy")
                .filter(({ inputs }) => inputs["queueUrl"] === one.outputs["url"])
                .map(({ inputs }) => ({ RedriveAllowPolicy: json(inputs["redriveAllowPolicy"]) })),
        ) as Properties,
        ...tagList(i, one),
    })),
    "aws:sqs/queuePolicy:QueuePolicy": of("AWS::SQS::QueuePolicy", (i) => ({
        ...i.take({ policy: "PolicyDocument" }, json),
        ...i.take({ queueUrl: "Queues" }, (value) => [value]),
    })),
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": elsewhere,
};

/** What the program registered, as a CloudFormation template. Throws on what it can't say. */
export function template(graph: Graph): string {
    const Resources: Record<string, Resource> = {};
    for (const one of graph.resources.filter((each) => each.custom)) {
        const convert = CONVERTS[one.type];
        if (convert === undefined) {
            throw new Error(`${one.name} is of the type ${one.type}, which is not converted`);
        }
        const resource = convert(one, graph);
        if (resource !== undefined) {
            const kind = one.type.split(":")[2] ?? "";
            const [, service = ""] = /^aws:([a-z0-9]+)/.exec(one.type) ?? [];
            Resources[`${service}${kind}${one.name}`.replaceAll(/[^A-Za-z0-9]/g, "")] = resource;
        }
    }
    return JSON.stringify({ AWSTemplateFormatVersion: "2010-09-09", Resources }, undefined, 2);
}
