import type { Properties, RegisteredResource } from "../mocks/recorder.js";
import { parseJson, type Graph } from "../graph.js";

/** A resource of a CloudFormation template. */
interface Resource {
    readonly Type: string;
    readonly Properties: Properties;
}

/** Converts a registered resource; `undefined` if it becomes part of another resource. */
type Convert = (resource: RegisteredResource, graph: Graph) => Resource | undefined;

/** Returns a `camelCase` name in `PascalCase`. */
function pascal(name: string): string {
    return name.charAt(0).toUpperCase() + name.slice(1);
}

/** Renames all members of an input, at every depth, to CloudFormation's names. Not for maps with keys of their own. */
function renamed(value: unknown): unknown {
    if (Array.isArray(value)) {
        return value.map(renamed);
    }
    if (typeof value !== "object" || value === null) {
        return value;
    }
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [pascal(name), renamed(member)]));
}

function tags(inputs: Properties): Properties {
    const own = inputs["tags"] as Readonly<Record<string, string>> | undefined;
    return own === undefined ? {} : { Tags: Object.entries(own).map(([Key, Value]) => ({ Key, Value })) };
}

/** Converts a metric or an expression of an alarm. */
function metricQuery({ id, expression, label, returnData = false, metric }: Properties): Properties {
    const common = { Id: id, ReturnData: returnData };
    if (metric === undefined) {
        return { ...common, Expression: expression, Label: label };
    }
    const { namespace, metricName, dimensions, stat, period } = metric as Properties;
    const Dimensions = Object.entries(dimensions as Properties).map(([Name, Value]) => ({ Name, Value }));
    return { ...common, MetricStat: { Metric: { Namespace: namespace, MetricName: metricName, Dimensions }, Stat: stat, Period: period } };
}

/** Inputs of a resource. `end` throws if an input was not read, because cfn-lint would not check it. */
class Inputs {
    private readonly unread: Set<string>;

    constructor(private readonly resource: RegisteredResource) {
        this.unread = new Set(Object.keys(resource.inputs));
    }

    /** Reads the inputs in the keys of `names`, and returns them by the names in its values. */
    take(names: Readonly<Record<string, string>>, convert: (value: unknown) => unknown = renamed): Properties {
        const taken: Record<string, unknown> = {};
        for (const [name, to] of Object.entries(names)) {
            this.unread.delete(name);
            if (this.resource.inputs[name] !== undefined) {
                taken[to] = convert(this.resource.inputs[name]);
            }
        }
        return taken;
    }

    /** Reads inputs whose names differ from CloudFormation's by the first letter only. */
    same(...names: readonly string[]): Properties {
        return this.take(Object.fromEntries(names.map((name) => [name, pascal(name)])));
    }

    /** Reads inputs that CloudFormation does not have. */
    drop(...names: readonly string[]): Properties {
        names.forEach((name) => this.unread.delete(name));
        return {};
    }

    end(): void {
        if (this.unread.size > 0) {
            throw new Error(`${this.resource.type} ${this.resource.name} has inputs that are not converted: ${[...this.unread].join(", ")}`);
        }
    }
}

/** Returns a conversion to a CloudFormation type. `read` must read all inputs. */
function to(Type: string, read: (inputs: Inputs, resource: RegisteredResource, graph: Graph) => Properties): Convert {
    return (resource, graph) => {
        const inputs = new Inputs(resource);
        const Properties = read(inputs, resource, graph);
        inputs.end();
        return { Type, Properties };
    };
}

/** The conversion of a resource that CloudFormation has as a property of another. */
const partOfAnother: Convert = () => undefined;

const asIs = (value: unknown): unknown => value;
const tagList = (inputs: Inputs, resource: RegisteredResource): Properties => (inputs.take({ tags: "" }), tags(resource.inputs));
const tagMap = (inputs: Inputs): Properties => inputs.take({ tags: "Tags" }, asIs);

function accessLog(inputs: Inputs, to: string): Properties {
    return inputs.take({ accessLogSettings: to });
}

function integration(resource: RegisteredResource, graph: Graph): Properties {
    const inputs = new Inputs(resource);
    const converted = {
        ...inputs.same("type", "integrationHttpMethod", "uri", "credentials", "passthroughBehavior"),
        ...inputs.take({ requestParameters: "RequestParameters", requestTemplates: "RequestTemplates" }, asIs),
    };
    inputs.take({ restApi: "", resourceId: "", httpMethod: "" });
    inputs.end();
    const responses = graph.allOf("apigateway/integrationResponse").map((response) => {
        const own = new Inputs(response);
        const answer = {
            ...own.same("statusCode", "selectionPattern"),
            ...own.take({ responseParameters: "ResponseParameters", responseTemplates: "ResponseTemplates" }, asIs),
        };
        own.take({ restApi: "", resourceId: "", httpMethod: "" });
        own.end();
        return answer;
    });
    return { ...converted, IntegrationResponses: responses };
}

function methodSettings(graph: Graph): Properties {
    const { settings, methodPath } = graph.resource("apigateway/methodSettings", "producers").inputs;
    const [ResourcePath, HttpMethod] = String(methodPath).split("/");
    return { ...(renamed(settings) as Properties), ResourcePath: `/${ResourcePath ?? ""}`, HttpMethod };
}

/** Conversions by type. */
const CONVERSIONS: Readonly<Record<string, Convert>> = {
    "aws:apigateway/account:Account": to("AWS::ApiGateway::Account", (i) => i.take({ cloudwatchRoleArn: "CloudWatchRoleArn" })),
    "aws:apigateway/deployment:Deployment": to("AWS::ApiGateway::Deployment", (i) => {
        i.take({ triggers: "" });
        return i.take({ restApi: "RestApiId" });
    }),
    "aws:apigateway/integration:Integration": partOfAnother,
    "aws:apigateway/integrationResponse:IntegrationResponse": partOfAnother,
    "aws:apigateway/method:Method": to("AWS::ApiGateway::Method", (i, resource, graph) => ({
        ...i.take({ restApi: "RestApiId", authorization: "AuthorizationType" }),
        ...i.same("resourceId", "httpMethod", "requestValidatorId"),
        ...i.take({ requestModels: "RequestModels" }, asIs),
        Integration: integration(graph.resource("apigateway/integration", resource.name), graph),
        MethodResponses: graph.allOf("apigateway/methodResponse").map(({ inputs }) => ({
            StatusCode: inputs["statusCode"],
            ...(inputs["responseParameters"] === undefined ? {} : { ResponseParameters: inputs["responseParameters"] }),
        })),
    })),
    "aws:apigateway/methodResponse:MethodResponse": partOfAnother,
    "aws:apigateway/methodSettings:MethodSettings": partOfAnother,
    "aws:apigateway/model:Model": to("AWS::ApiGateway::Model", (i) => ({
        ...i.take({ restApi: "RestApiId" }),
        ...i.same("contentType", "name"),
        ...i.take({ schema: "Schema" }, parseJson),
    })),
    "aws:apigateway/response:Response": to("AWS::ApiGateway::GatewayResponse", (i) => ({
        ...i.same("restApiId", "responseType", "statusCode"),
        ...i.take({ responseParameters: "ResponseParameters", responseTemplates: "ResponseTemplates" }, asIs),
    })),
    "aws:apigateway/requestValidator:RequestValidator": to("AWS::ApiGateway::RequestValidator", (i) => ({
        ...i.take({ restApi: "RestApiId" }),
        ...i.same("name", "validateRequestBody", "validateRequestParameters"),
    })),
    "aws:apigateway/resource:Resource": to("AWS::ApiGateway::Resource", (i) => ({
        ...i.take({ restApi: "RestApiId" }),
        ...i.same("parentId", "pathPart"),
    })),
    "aws:apigateway/restApi:RestApi": to("AWS::ApiGateway::RestApi", (i, resource) => ({
        ...i.same("name"),
        ...i.take({ endpointConfiguration: "EndpointConfiguration" }, (value) => ({ Types: [(value as Properties)["types"]] })),
        ...tagList(i, resource),
    })),
    "aws:apigateway/stage:Stage": to("AWS::ApiGateway::Stage", (i, resource, graph) => ({
        ...i.take({ restApi: "RestApiId", deployment: "DeploymentId", xrayTracingEnabled: "TracingEnabled" }),
        ...i.same("stageName"),
        ...accessLog(i, "AccessLogSetting"),
        ...tagList(i, resource),
        MethodSettings: [methodSettings(graph)],
    })),
    "aws:apigatewayv2/api:Api": to("AWS::ApiGatewayV2::Api", (i) => ({
        ...i.same("name", "protocolType", "routeSelectionExpression", "corsConfiguration"),
        ...tagMap(i),
    })),
    "aws:apigatewayv2/authorizer:Authorizer": to("AWS::ApiGatewayV2::Authorizer", (i) => ({
        ...i.take({ identitySources: "IdentitySource", jwtConfiguration: "JwtConfiguration" }, (value) =>
            Array.isArray(value) ? value : { Issuer: (value as Properties)["issuer"], Audience: (value as Properties)["audiences"] },
        ),
        ...i.same("apiId", "name", "authorizerType", "authorizerUri"),
    })),
    "aws:apigatewayv2/integration:Integration": to("AWS::ApiGatewayV2::Integration", (i) =>
        i.same("apiId", "integrationType", "integrationMethod", "integrationUri", "payloadFormatVersion"),
    ),
    "aws:apigatewayv2/route:Route": to("AWS::ApiGatewayV2::Route", (i) =>
        i.same("apiId", "routeKey", "target", "authorizationType", "authorizerId", "routeResponseSelectionExpression"),
    ),
    "aws:apigatewayv2/routeResponse:RouteResponse": to("AWS::ApiGatewayV2::RouteResponse", (i) =>
        i.same("apiId", "routeId", "routeResponseKey"),
    ),
    "aws:apigatewayv2/stage:Stage": to("AWS::ApiGatewayV2::Stage", (i) => ({
        ...i.same("apiId", "autoDeploy", "defaultRouteSettings"),
        ...i.take({ routeSettings: "RouteSettings" }, (value) =>
            Object.fromEntries(
                (value as readonly Properties[]).map(({ routeKey, ...settings }) => [String(routeKey), renamed(settings)]),
            ),
        ),
        ...i.take({ name: "StageName" }),
        ...accessLog(i, "AccessLogSettings"),
        ...tagMap(i),
    })),
    "aws:cloudwatch/dashboard:Dashboard": to("AWS::CloudWatch::Dashboard", (i) => i.same("dashboardName", "dashboardBody")),
    "aws:cloudwatch/eventRule:EventRule": to("AWS::Events::Rule", (i, resource, graph) => ({
        ...i.same("name", "description", "scheduleExpression"),
        ...tagList(i, resource),
        Targets: graph
            .anyOf("cloudwatch/eventTarget")
            .filter(({ inputs }) => inputs["rule"] === resource.inputs["name"])
            .map(({ name, inputs }) => ({ Id: name, Arn: inputs["arn"] })),
    })),
    "aws:cloudwatch/eventTarget:EventTarget": partOfAnother,
    "aws:cloudwatch/logGroup:LogGroup": to("AWS::Logs::LogGroup", (i, resource) => ({
        ...i.take({ name: "LogGroupName" }),
        ...i.same("retentionInDays", "kmsKeyId"),
        ...tagList(i, resource),
    })),
    "aws:cloudwatch/metricAlarm:MetricAlarm": to("AWS::CloudWatch::Alarm", (i, resource) => ({
        ...i.take({ name: "AlarmName", okActions: "OKActions" }),
        ...i.take({ dimensions: "Dimensions" }, (value) => Object.entries(value as Properties).map(([Name, Value]) => ({ Name, Value }))),
        ...i.same("alarmDescription", "namespace", "metricName", "statistic", "threshold", "comparisonOperator"),
        ...i.take({ metricQueries: "Metrics" }, (value) => (value as readonly Properties[]).map(metricQuery)),
        ...i.same("period", "evaluationPeriods", "datapointsToAlarm", "treatMissingData", "alarmActions"),
        ...tagList(i, resource),
    })),
    "aws:cognito/userPool:UserPool": to("AWS::Cognito::UserPool", (i) => ({
        ...i.take({ name: "UserPoolName" }),
        ...i.same("userPoolTier", "adminCreateUserConfig", "accountRecoverySetting", "deletionProtection", "mfaConfiguration"),
        ...i.take({ softwareTokenMfaConfiguration: "EnabledMfas" }, () => ["SOFTWARE_TOKEN_MFA"]),
        ...i.take({ passwordPolicy: "Policies" }, (value) => ({ PasswordPolicy: renamed(value) })),
        ...i.take({ tags: "UserPoolTags" }, asIs),
    })),
    "aws:cognito/userPoolClient:UserPoolClient": to("AWS::Cognito::UserPoolClient", (i) => ({
        ...i.take({ name: "ClientName" }),
        ...i.same("userPoolId", "generateSecret", "explicitAuthFlows", "preventUserExistenceErrors", "enableTokenRevocation", "writeAttributes"),
    })),
    "aws:dynamodb/table:Table": to("AWS::DynamoDB::Table", (i, resource) => {
        const { hashKey, rangeKey, streamViewType } = resource.inputs;
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
            ...tagList(i, resource),
        };
    }),
    "aws:iam/role:Role": to("AWS::IAM::Role", (i, resource, graph) => ({
        ...i.take({ name: "RoleName" }),
        ...i.take({ assumeRolePolicy: "AssumeRolePolicyDocument" }, parseJson),
        ...tagList(i, resource),
        // Without a name, CloudFormation generates one; it knows no prefix.
        ...i.drop("namePrefix"),
        ManagedPolicyArns: graph
            .anyOf("iam/rolePolicyAttachment")
            .filter(({ inputs }) => inputs["role"] === resource.id)
            .map(({ inputs }) => inputs["policyArn"]),
    })),
    "aws:iam/rolePolicy:RolePolicy": to("AWS::IAM::RolePolicy", (i) => ({
        ...i.take({ name: "PolicyName", role: "RoleName" }),
        ...i.take({ policy: "PolicyDocument" }, parseJson),
    })),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": partOfAnother,
    "aws:kms/alias:Alias": to("AWS::KMS::Alias", (i) => i.take({ name: "AliasName", targetKeyId: "TargetKeyId" })),
    "aws:kms/key:Key": to("AWS::KMS::Key", (i, resource) => ({
        ...i.take({ deletionWindowInDays: "PendingWindowInDays" }),
        ...i.same("description", "enableKeyRotation"),
        ...i.take({ policy: "KeyPolicy" }, parseJson),
        ...tagList(i, resource),
    })),
    "aws:lambda/eventSourceMapping:EventSourceMapping": to("AWS::Lambda::EventSourceMapping", (i, resource) => ({
        ...i.same("functionName", "eventSourceArn", "batchSize", "functionResponseTypes", "startingPosition", "scalingConfig"),
        ...i.same("parallelizationFactor", "maximumRetryAttempts", "bisectBatchOnFunctionError", "filterCriteria"),
        ...i.take({ destinationConfig: "DestinationConfig" }, (value) => ({
            OnFailure: { Destination: (value as { readonly onFailure: Properties }).onFailure["destinationArn"] },
        })),
        ...tagList(i, resource),
    })),
    "aws:lambda/function:Function": to("AWS::Lambda::Function", (i, resource) => ({
        ...i.take({ name: "FunctionName" }),
        ...i.same("runtime", "architectures", "handler", "role", "timeout", "memorySize", "tracingConfig", "reservedConcurrentExecutions"),
        ...i.take({ environment: "Environment" }, (value) => ({ Variables: (value as Properties)["variables"] })),
        ...i.take({ code: "Code" }, () => ({ S3Bucket: "archives", S3Key: `${resource.name}.zip` })),
        ...tagList(i, resource),
    })),
    "aws:lambda/functionUrl:FunctionUrl": to("AWS::Lambda::Url", (i) =>
        i.take({ functionName: "TargetFunctionArn", authorizationType: "AuthType" }),
    ),
    "aws:lambda/permission:Permission": to("AWS::Lambda::Permission", (i) => ({
        ...i.take({ function: "FunctionName" }),
        ...i.same("action", "principal", "sourceArn"),
    })),
    "aws:secretsmanager/secret:Secret": to("AWS::SecretsManager::Secret", (i, resource) => {
        // CloudFormation has no such property; it always uses 30 days.
        i.take({ recoveryWindowInDays: "" });
        return { ...i.same("name", "description"), ...tagList(i, resource) };
    }),
    "aws:sns/topic:Topic": to("AWS::SNS::Topic", (i, resource) => ({ ...i.take({ name: "TopicName", kmsMasterKeyId: "KmsMasterKeyId" }), ...tagList(i, resource) })),
    "aws:sns/topicSubscription:TopicSubscription": to("AWS::SNS::Subscription", (i) => ({
        ...i.take({ topic: "TopicArn" }),
        ...i.same("protocol", "endpoint"),
    })),
    "aws:sqs/queue:Queue": to("AWS::SQS::Queue", (i, resource, graph) => ({
        ...i.take({ name: "QueueName", messageRetentionSeconds: "MessageRetentionPeriod", visibilityTimeoutSeconds: "VisibilityTimeout" }),
        ...i.take({ sqsManagedSseEnabled: "SqsManagedSseEnabled", maxMessageSize: "MaximumMessageSize" }),
        ...i.same("fifoQueue", "deduplicationScope", "fifoThroughputLimit"),
        ...i.take({ redrivePolicy: "RedrivePolicy" }, parseJson),
        ...Object.assign(
            {},
            ...graph
                .anyOf("sqs/redriveAllowPolicy")
                .filter(({ inputs }) => inputs["queueUrl"] === resource.outputs["url"])
                .map(({ inputs }) => ({ RedriveAllowPolicy: parseJson(inputs["redriveAllowPolicy"]) })),
        ) as Properties,
        ...tagList(i, resource),
    })),
    "aws:sqs/queuePolicy:QueuePolicy": to("AWS::SQS::QueuePolicy", (i) => ({
        ...i.take({ policy: "PolicyDocument" }, parseJson),
        ...i.take({ queueUrl: "Queues" }, (value) => [value]),
    })),
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": partOfAnother,
};

/** Returns the registered resources as a CloudFormation template. Throws on a type or input that it can't convert. */
export function template(graph: Graph): string {
    const Resources: Record<string, Resource> = {};
    for (const registered of graph.resources.filter(({ custom }) => custom)) {
        const { type, name } = registered;
        const convert = CONVERSIONS[type];
        if (convert === undefined) {
            throw new Error(`${name} has the type ${type}, which has no conversion`);
        }
        const resource = convert(registered, graph);
        if (resource !== undefined) {
            const kind = type.split(":")[2] ?? "";
            const [, service = ""] = /^aws:([a-z0-9]+)/.exec(type) ?? [];
            Resources[`${service}${kind}${name}`.replaceAll(/[^A-Za-z0-9]/g, "")] = resource;
        }
    }
    return JSON.stringify({ AWSTemplateFormatVersion: "2010-09-09", Resources }, undefined, 2);
}
