import * as sdk from "@aws-sdk/client-api-gateway";

import { apiUrl, arn, makeClient, required, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handlers } from "../handler.js";
import { exactly, flag, list, map, number, oneOf, optional, text, type Read } from "../read.js";
import { changed, replace } from "./api-gateway/patch.js";
import { methodHandlers } from "./api-gateway/methods.js";

const account = exactly({ cloudwatchRoleArn: text });
const endpointType = oneOf("REGIONAL");
/** Reads a type that may be alone or in a list. */
const endpointTypes: Read<"REGIONAL"[]> = (value, where) =>
    Array.isArray(value) ? list(endpointType)(value, where) : [endpointType(value, where)];
const restApi = exactly({ name: text, endpointConfiguration: exactly({ types: endpointTypes }), tags });
const resource = exactly({ restApi: text, parentId: text, pathPart: text });
const model = exactly({ restApi: text, name: text, contentType: text, schema: text });
const gatewayResponse = exactly({
    restApiId: text,
    responseType: oneOf("BAD_REQUEST_BODY", "THROTTLED", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "DEFAULT_5XX"),
    statusCode: text,
    responseParameters: map(text),
    responseTemplates: map(text),
});
const requestValidator = exactly({ restApi: text, name: text, validateRequestBody: flag, validateRequestParameters: flag });
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
    accessLogSettings: optional(exactly({ destinationArn: text, format: text })),
    tags,
});
type Stage = ReturnType<typeof stage>;
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

/** Returns the operations that set the access log of a stage, or remove it. */
function accessLog({ accessLogSettings: log }: Stage): sdk.PatchOperation[] {
    return log === undefined
        ? [{ op: "remove", path: "/accessLogSettings" }]
        : replace({ "/accessLogSettings/destinationArn": log.destinationArn, "/accessLogSettings/format": log.format });
}

/** Returns the handlers of API Gateway's REST APIs. */
export function apiGateway(endpoint: Endpoint): Handlers {
    const apis = makeClient(sdk.APIGatewayClient, endpoint.client);
    const putResponse = (inputs: ReturnType<typeof gatewayResponse>): Promise<unknown> => apis.send(new sdk.PutGatewayResponseCommand(inputs));
    const patchStage = ({ restApi: restApiId, stageName }: { restApi: string; stageName: string }, patchOperations: sdk.PatchOperation[]): Promise<unknown> =>
        apis.send(new sdk.UpdateStageCommand({ restApiId, stageName, patchOperations }));
    const putSettings = (inputs: ReturnType<typeof methodSettings>): Promise<unknown> => {
        const { methodPath, settings } = inputs;
        const values = {
            [`/${methodPath}/throttling/rateLimit`]: settings.throttlingRateLimit,
            [`/${methodPath}/throttling/burstLimit`]: settings.throttlingBurstLimit,
            [`/${methodPath}/metrics/enabled`]: settings.metricsEnabled,
            [`/${methodPath}/logging/dataTrace`]: settings.dataTraceEnabled,
            [`/${methodPath}/logging/loglevel`]: settings.loggingLevel,
        };
        return patchStage(inputs, replace(values));
    };
    return {
        ...methodHandlers(apis),
        "aws:apigateway/account:Account": handler(account, {
            create: async ({ cloudwatchRoleArn }) => {
                await apis.send(new sdk.UpdateAccountCommand({ patchOperations: replace({ "/cloudwatchRoleArn": cloudwatchRoleArn }) }));
                return { id: "api-gateway-account" };
            },
            read: async () => ({ inputs: { cloudwatchRoleArn: (await apis.send(new sdk.GetAccountCommand())).cloudwatchRoleArn } }),
            update: (_, { cloudwatchRoleArn }) =>
                apis.send(new sdk.UpdateAccountCommand({ patchOperations: replace({ "/cloudwatchRoleArn": cloudwatchRoleArn }) })),
            // As in the AWS provider: the account has no role then, whichever stacks need it.
            remove: () => apis.send(new sdk.UpdateAccountCommand({ patchOperations: replace({ "/cloudwatchRoleArn": "" }) })),
        }),
        "aws:apigateway/restApi:RestApi": handler(restApi, {
            create: async ({ name, endpointConfiguration, tags: own }) => {
                const created = await apis.send(new sdk.CreateRestApiCommand({ name, endpointConfiguration, tags: own }));
                const id = required(created.id, "API");
                const { items = [] } = await apis.send(new sdk.GetResourcesCommand({ restApiId: id }));
                const root = items.find(({ path }) => path === "/");
                return { id, outputs: { rootResourceId: required(root?.id, "root of the API"), executionArn: arn(endpoint, "execute-api", id) } };
            },
            read: async (restApiId, inputs) => {
                const found = await apis.send(new sdk.GetRestApiCommand({ restApiId }));
                const [type] = found.endpointConfiguration?.types ?? [];
                const [expected] = inputs.endpointConfiguration.types;
                return { inputs: { name: found.name, ...(type === expected ? {} : { endpointConfiguration: { types: type } }) } };
            },
            update: (restApiId, { name }) => apis.send(new sdk.UpdateRestApiCommand({ restApiId, patchOperations: replace({ "/name": name }) })),
            remove: (restApiId) => apis.send(new sdk.DeleteRestApiCommand({ restApiId })),
        }),
        "aws:apigateway/resource:Resource": handler(resource, {
            create: async ({ restApi: restApiId, parentId, pathPart }) => {
                const created = await apis.send(new sdk.CreateResourceCommand({ restApiId, parentId, pathPart }));
                return { id: required(created.id, "resource") };
            },
            read: async (resourceId, { restApi }) => {
                const found = await apis.send(new sdk.GetResourceCommand({ restApiId: restApi, resourceId }));
                return { inputs: { restApi, parentId: found.parentId, pathPart: found.pathPart } };
            },
            update: (resourceId, { restApi: restApiId, parentId, pathPart }, before) =>
                apis.send(
                    new sdk.UpdateResourceCommand({
                        restApiId,
                        resourceId,
                        patchOperations: changed({ "/parentId": parentId, "/pathPart": pathPart }, { "/parentId": before.parentId, "/pathPart": before.pathPart }),
                    }),
                ),
            remove: (resourceId, { restApi: restApiId }) => apis.send(new sdk.DeleteResourceCommand({ restApiId, resourceId })),
        }),
        "aws:apigateway/model:Model": handler(model, {
            create: async ({ restApi: restApiId, ...rest }) => {
                const created = await apis.send(new sdk.CreateModelCommand({ restApiId, ...rest }));
                return { id: required(created.id, "model") };
            },
            read: async (_, { restApi, name }) => {
                const found = await apis.send(new sdk.GetModelCommand({ restApiId: restApi, modelName: name }));
                return { inputs: { restApi, name: found.name, contentType: found.contentType, schema: found.schema } };
            },
            update: (_, { restApi: restApiId, name: modelName, schema }) =>
                apis.send(new sdk.UpdateModelCommand({ restApiId, modelName, patchOperations: replace({ "/schema": schema }) })),
            remove: (_, { restApi: restApiId, name: modelName }) => apis.send(new sdk.DeleteModelCommand({ restApiId, modelName })),
        }),
        "aws:apigateway/response:Response": handler(gatewayResponse, {
            create: async (inputs) => {
                await putResponse(inputs);
                return { id: `aggr-${inputs.restApiId}-${inputs.responseType}` };
            },
            read: async (_, { restApiId, responseType }) => {
                const found = await apis.send(new sdk.GetGatewayResponseCommand({ restApiId, responseType }));
                if (found.defaultResponse === true) {
                    // A response that nobody set is API Gateway's own.
                    return undefined;
                }
                const { statusCode, responseParameters, responseTemplates } = found;
                return { inputs: { restApiId, responseType: found.responseType, statusCode, responseParameters, responseTemplates } };
            },
            update: (_, inputs) => putResponse(inputs),
            remove: (_, { restApiId, responseType }) => apis.send(new sdk.DeleteGatewayResponseCommand({ restApiId, responseType })),
        }),
        "aws:apigateway/requestValidator:RequestValidator": handler(requestValidator, {
            create: async ({ restApi: restApiId, ...rest }) => {
                const created = await apis.send(new sdk.CreateRequestValidatorCommand({ restApiId, ...rest }));
                return { id: required(created.id, "validator") };
            },
            read: async (requestValidatorId, { restApi }) => {
                const found = await apis.send(new sdk.GetRequestValidatorCommand({ restApiId: restApi, requestValidatorId }));
                const { name, validateRequestBody, validateRequestParameters } = found;
                return { inputs: { restApi, name, validateRequestBody, validateRequestParameters } };
            },
            update: (requestValidatorId, { restApi: restApiId, ...rest }) =>
                apis.send(
                    new sdk.UpdateRequestValidatorCommand({
                        restApiId,
                        requestValidatorId,
                        patchOperations: replace({
                            "/name": rest.name,
                            "/validateRequestBody": rest.validateRequestBody,
                            "/validateRequestParameters": rest.validateRequestParameters,
                        }),
                    }),
                ),
            remove: (requestValidatorId, { restApi: restApiId }) => apis.send(new sdk.DeleteRequestValidatorCommand({ restApiId, requestValidatorId })),
        }),
        "aws:apigateway/deployment:Deployment": handler(deployment, {
            create: async ({ restApi: restApiId }) => {
                const created = await apis.send(new sdk.CreateDeploymentCommand({ restApiId }));
                return { id: required(created.id, "deployment") };
            },
            read: async (deploymentId, { restApi }) => {
                await apis.send(new sdk.GetDeploymentCommand({ restApiId: restApi, deploymentId }));
                return { inputs: { restApi } };
            },
            remove: (deploymentId, { restApi: restApiId }) => apis.send(new sdk.DeleteDeploymentCommand({ restApiId, deploymentId })),
        }),
        "aws:apigateway/stage:Stage": handler(stage, {
            create: async (inputs) => {
                const { restApi: restApiId, stageName, deployment: deploymentId, xrayTracingEnabled: tracingEnabled, tags: own } = inputs;
                await apis.send(new sdk.CreateStageCommand({ restApiId, stageName, deploymentId, tracingEnabled, tags: own }));
                if (inputs.accessLogSettings !== undefined) {
                    await patchStage(inputs, accessLog(inputs));
                }
                return { id: `${restApiId}-${stageName}`, outputs: { invokeUrl: `${apiUrl(endpoint.url, restApiId)}/${stageName}` } };
            },
            read: async (_, { restApi, stageName }) => {
                const found = await apis.send(new sdk.GetStageCommand({ restApiId: restApi, stageName }));
                const { destinationArn, format } = found.accessLogSettings ?? {};
                return {
                    inputs: {
                        restApi,
                        stageName: found.stageName,
                        deployment: found.deploymentId,
                        xrayTracingEnabled: found.tracingEnabled ?? false,
                        accessLogSettings: destinationArn === undefined ? undefined : { destinationArn, format },
                    },
                };
            },
            update: (_, inputs) =>
                patchStage(inputs, [...replace({ "/deploymentId": inputs.deployment, "/tracingEnabled": inputs.xrayTracingEnabled }), ...accessLog(inputs)]),
            remove: (_, { restApi: restApiId, stageName }) => apis.send(new sdk.DeleteStageCommand({ restApiId, stageName })),
        }),
        "aws:apigateway/methodSettings:MethodSettings": handler(methodSettings, {
            create: async (inputs) => {
                await putSettings(inputs);
                return { id: `${inputs.restApi}-${inputs.stageName}-${inputs.methodPath}` };
            },
            read: async (_, { restApi, stageName, methodPath }) => {
                const { methodSettings: all = {} } = await apis.send(new sdk.GetStageCommand({ restApiId: restApi, stageName }));
                const found = all[methodPath];
                return (
                    found && {
                        inputs: {
                            restApi,
                            stageName,
                            methodPath,
                            settings: {
                                throttlingRateLimit: found.throttlingRateLimit,
                                throttlingBurstLimit: found.throttlingBurstLimit,
                                metricsEnabled: found.metricsEnabled,
                                dataTraceEnabled: found.dataTraceEnabled,
                                loggingLevel: found.loggingLevel,
                            },
                        },
                    }
                );
            },
            update: (_, inputs) => putSettings(inputs),
            remove: (_, inputs) => patchStage(inputs, [{ op: "remove", path: `/${inputs.methodPath}` }]),
        }),
    };
}
