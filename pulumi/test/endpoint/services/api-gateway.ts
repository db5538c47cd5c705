import * as sdk from "@aws-sdk/client-api-gateway";

import { uniqueId } from "../../engine/recorder.js";
import { apiUrl, arn, required, type Endpoint } from "../endpoint.js";
import { handler, tags, type Created, type Handlers } from "../handler.js";
import { exactly, flag, list, map, number, oneOf, optional, text, type Read } from "../read.js";

const account = exactly({ cloudwatchRoleArn: text });
const endpointType = oneOf("REGIONAL");
/** Reads a type that may be alone or in a list. */
const endpointTypes: Read<"REGIONAL"[]> = (value, where) =>
    Array.isArray(value) ? list(endpointType)(value, where) : [endpointType(value, where)];
const restApi = exactly({ name: text, endpointConfiguration: exactly({ types: endpointTypes }), tags });
const resource = exactly({ restApi: text, parentId: text, pathPart: text });
const model = exactly({ restApi: text, name: text, contentType: text, schema: text });
const gatewayResponse = exactly({ restApiId: text, responseType: oneOf("BAD_REQUEST_BODY"), statusCode: text, responseTemplates: map(text) });
const requestValidator = exactly({ restApi: text, name: text, validateRequestBody: flag, validateRequestParameters: flag });
const method = exactly({
    restApi: text,
    resourceId: text,
    httpMethod: text,
    authorization: oneOf("AWS_IAM"),
    requestModels: optional(map(text)),
    requestValidatorId: optional(text),
});
const integration = exactly({
    restApi: text,
    resourceId: text,
    httpMethod: text,
    type: oneOf("AWS", "AWS_PROXY"),
    integrationHttpMethod: text,
    uri: text,
    credentials: optional(text),
    passthroughBehavior: optional(oneOf("NEVER")),
    requestParameters: optional(map(text)),
    requestTemplates: optional(map(text)),
});
const methodResponse = exactly({ restApi: text, resourceId: text, httpMethod: text, statusCode: text });
const integrationResponse = exactly({
    restApi: text,
    resourceId: text,
    httpMethod: text,
    statusCode: text,
    selectionPattern: optional(text),
    responseTemplates: map(text),
});
const deployment = exactly({
    restApi: text,
    /** A change of these makes Pulumi create another deployment. */
    triggers: map(text),
});
const stage = exactly({
    restApi: text,
    deployment: text,
    stageName: text,
    xrayTracingEnabled: flag,
    accessLogSettings: exactly({ destinationArn: text, format: text }),
    tags,
});
const methodSettings = exactly({
    restApi: text,
    stageName: text,
    methodPath: oneOf("*/*"),
    settings: exactly({
        throttlingRateLimit: number,
        throttlingBurstLimit: number,
        metricsEnabled: flag,
        dataTraceEnabled: flag,
        loggingLevel: oneOf("OFF"),
    }),
});

/** Returns patch operations that replace the values at these paths. */
function replace(values: Readonly<Record<string, string | number | boolean>>): sdk.PatchOperation[] {
    return Object.entries(values).map(([path, value]) => ({ op: "replace", path, value: String(value) }));
}

/** Returns the handlers of API Gateway's REST APIs. */
export function apiGateway(endpoint: Endpoint): Handlers {
    const apis = new sdk.APIGatewayClient(endpoint.client);
    const at = (inputs: { restApi: string; resourceId: string; httpMethod: string }): { restApiId: string; resourceId: string; httpMethod: string } => ({
        restApiId: inputs.restApi,
        resourceId: inputs.resourceId,
        httpMethod: inputs.httpMethod,
    });
    const part = (...names: readonly string[]): Created => ({ id: names.join("-") });
    return {
        "aws:apigateway/account:Account": handler(account, async ({ cloudwatchRoleArn }) => {
            await apis.send(new sdk.UpdateAccountCommand({ patchOperations: replace({ "/cloudwatchRoleArn": cloudwatchRoleArn }) }));
            return { id: "api-gateway-account" };
        }),
        "aws:apigateway/restApi:RestApi": handler(restApi, async ({ name, endpointConfiguration, tags: own }) => {
            const created = await apis.send(new sdk.CreateRestApiCommand({ name, endpointConfiguration, tags: own }));
            const id = required(created.id, "API");
            const { items = [] } = await apis.send(new sdk.GetResourcesCommand({ restApiId: id }));
            const root = items.find(({ path }) => path === "/");
            const outputs = { rootResourceId: required(root?.id, "root of the API"), executionArn: arn(endpoint, "execute-api", id) };
            return { id, outputs };
        }),
        "aws:apigateway/resource:Resource": handler(resource, async ({ restApi: restApiId, parentId, pathPart }) => {
            const created = await apis.send(new sdk.CreateResourceCommand({ restApiId, parentId, pathPart }));
            return { id: required(created.id, "resource") };
        }),
        "aws:apigateway/model:Model": handler(model, async ({ restApi: restApiId, ...rest }) => {
            const created = await apis.send(new sdk.CreateModelCommand({ restApiId, ...rest }));
            return { id: required(created.id, "model") };
        }),
        "aws:apigateway/response:Response": handler(gatewayResponse, async (inputs) => {
            await apis.send(new sdk.PutGatewayResponseCommand(inputs));
            return { id: `aggr-${inputs.restApiId}-${inputs.responseType}` };
        }),
        "aws:apigateway/requestValidator:RequestValidator": handler(requestValidator, async ({ restApi: restApiId, ...rest }) => {
            const created = await apis.send(new sdk.CreateRequestValidatorCommand({ restApiId, ...rest }));
            return { id: required(created.id, "validator") };
        }),
        "aws:apigateway/method:Method": handler(method, async (inputs) => {
            const { authorization, requestModels, requestValidatorId } = inputs;
            await apis.send(
                new sdk.PutMethodCommand({ ...at(inputs), authorizationType: authorization, requestModels, requestValidatorId }),
            );
            return part(inputs.restApi, inputs.resourceId, inputs.httpMethod);
        }),
        "aws:apigateway/integration:Integration": handler(integration, async (inputs) => {
            await apis.send(
                new sdk.PutIntegrationCommand({
                    ...at(inputs),
                    type: inputs.type,
                    integrationHttpMethod: inputs.integrationHttpMethod,
                    uri: inputs.uri,
                    credentials: inputs.credentials,
                    passthroughBehavior: inputs.passthroughBehavior,
                    requestParameters: inputs.requestParameters,
                    requestTemplates: inputs.requestTemplates,
                }),
            );
            return part(inputs.restApi, inputs.resourceId, inputs.httpMethod);
        }),
        "aws:apigateway/methodResponse:MethodResponse": handler(methodResponse, async (inputs) => {
            await apis.send(new sdk.PutMethodResponseCommand({ ...at(inputs), statusCode: inputs.statusCode }));
            return part(inputs.restApi, inputs.resourceId, inputs.httpMethod, inputs.statusCode);
        }),
        "aws:apigateway/integrationResponse:IntegrationResponse": handler(integrationResponse, async (inputs) => {
            const { statusCode, selectionPattern, responseTemplates } = inputs;
            await apis.send(
                new sdk.PutIntegrationResponseCommand({ ...at(inputs), statusCode, selectionPattern, responseTemplates }),
            );
            return part(inputs.restApi, inputs.resourceId, inputs.httpMethod, statusCode);
        }),
        "aws:apigateway/deployment:Deployment": handler(deployment, async ({ restApi: restApiId }) => {
            const created = await apis.send(new sdk.CreateDeploymentCommand({ restApiId }));
            return { id: required(created.id, "deployment") };
        }),
        "aws:apigateway/stage:Stage": handler(stage, async (inputs) => {
            const { restApi: restApiId, stageName, accessLogSettings: log } = inputs;
            await apis.send(
                new sdk.CreateStageCommand({
                    restApiId,
                    stageName,
                    deploymentId: inputs.deployment,
                    tracingEnabled: inputs.xrayTracingEnabled,
                    tags: inputs.tags,
                }),
            );
            const logged = replace({ "/accessLogSettings/destinationArn": log.destinationArn, "/accessLogSettings/format": log.format });
            await apis.send(new sdk.UpdateStageCommand({ restApiId, stageName, patchOperations: logged }));
            return { id: part(restApiId, stageName).id, outputs: { invokeUrl: `${apiUrl(endpoint.url, restApiId)}/${stageName}` } };
        }),
        "aws:apigateway/methodSettings:MethodSettings": handler(methodSettings, async (inputs) => {
            const { restApi: restApiId, stageName, methodPath, settings } = inputs;
            const patchOperations = replace({
                [`/${methodPath}/throttling/rateLimit`]: settings.throttlingRateLimit,
                [`/${methodPath}/throttling/burstLimit`]: settings.throttlingBurstLimit,
                [`/${methodPath}/metrics/enabled`]: settings.metricsEnabled,
                [`/${methodPath}/logging/dataTrace`]: settings.dataTraceEnabled,
                [`/${methodPath}/logging/loglevel`]: settings.loggingLevel,
            });
            await apis.send(new sdk.UpdateStageCommand({ restApiId, stageName, patchOperations }));
            return { id: `${restApiId}-${stageName}-${uniqueId(8)}` };
        }),
    };
}
