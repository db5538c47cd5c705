import * as sdk from "@aws-sdk/client-api-gateway";

import { handler, type Handlers } from "../../handler.js";
import { exactly, flag, map, oneOf, optional, text } from "../../read.js";
import { changed, pathsOf } from "./patch.js";

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
    passthroughBehavior: optional(oneOf("NEVER", "WHEN_NO_TEMPLATES")),
    requestParameters: optional(map(text)),
    requestTemplates: optional(map(text)),
});
const methodResponse = exactly({ restApi: text, resourceId: text, httpMethod: text, statusCode: text, responseParameters: optional(map(flag)) });
const integrationResponse = exactly({
    restApi: text,
    resourceId: text,
    httpMethod: text,
    statusCode: text,
    selectionPattern: optional(text),
    responseParameters: optional(map(text)),
    responseTemplates: map(text),
});

/** Where a method is, in Pulumi's names. */
interface At {
    readonly restApi: string;
    readonly resourceId: string;
    readonly httpMethod: string;
}

/** Returns where a method is, in the names of the SDK. */
function at({ restApi, resourceId, httpMethod }: At): { restApiId: string; resourceId: string; httpMethod: string } {
    return { restApiId: restApi, resourceId, httpMethod };
}

function idOf(inputs: At, ...more: readonly string[]): { id: string } {
    return { id: [inputs.restApi, inputs.resourceId, inputs.httpMethod, ...more].join("-") };
}

/** Returns a map of an answer, or undefined if it is empty. */
function filled<T extends object>(values: T | undefined): T | undefined {
    return values === undefined || Object.keys(values).length === 0 ? undefined : values;
}

function methodPaths(inputs: ReturnType<typeof method>): Record<string, string | undefined> {
    return {
        "/authorizationType": inputs.authorization,
        "/requestValidatorId": inputs.requestValidatorId,
        ...pathsOf("/requestModels", inputs.requestModels),
    };
}

function integrationPaths(inputs: ReturnType<typeof integration>): Record<string, string | undefined> {
    return {
        "/uri": inputs.uri,
        ...pathsOf("/requestParameters", inputs.requestParameters),
        ...pathsOf("/requestTemplates", inputs.requestTemplates),
    };
}

/** Returns the handlers of a REST API's methods and their parts. */
export function methodHandlers(apis: sdk.APIGatewayClient): Handlers {
    const putAnswer = (inputs: ReturnType<typeof integrationResponse>): Promise<unknown> => {
        const { statusCode, selectionPattern, responseParameters, responseTemplates } = inputs;
        return apis.send(new sdk.PutIntegrationResponseCommand({ ...at(inputs), statusCode, selectionPattern, responseParameters, responseTemplates }));
    };
    // The emulator has no operation for an update, and an answer that is put again replaces the one before.
    const putResponse = (inputs: ReturnType<typeof methodResponse>): Promise<unknown> => {
        const { statusCode, responseParameters } = inputs;
        return apis.send(new sdk.PutMethodResponseCommand({ ...at(inputs), statusCode, responseParameters }));
    };
    return {
        "aws:apigateway/method:Method": handler(method, {
            create: async (inputs) => {
                const { authorization: authorizationType, requestModels, requestValidatorId } = inputs;
                await apis.send(new sdk.PutMethodCommand({ ...at(inputs), authorizationType, requestModels, requestValidatorId }));
                return idOf(inputs);
            },
            read: async (_, inputs) => {
                const found = await apis.send(new sdk.GetMethodCommand(at(inputs)));
                const { authorizationType, requestModels, requestValidatorId } = found;
                const { restApi, resourceId, httpMethod } = inputs;
                return {
                    inputs: { restApi, resourceId, httpMethod, authorization: authorizationType, requestModels: filled(requestModels), requestValidatorId },
                };
            },
            update: (_, inputs, before) =>
                apis.send(new sdk.UpdateMethodCommand({ ...at(inputs), patchOperations: changed(methodPaths(inputs), methodPaths(before)) })),
            remove: (_, inputs) => apis.send(new sdk.DeleteMethodCommand(at(inputs))),
        }),
        "aws:apigateway/integration:Integration": handler(integration, {
            create: async (inputs) => {
                const { type, integrationHttpMethod, uri, credentials, passthroughBehavior, requestParameters, requestTemplates } = inputs;
                const rest = { type, integrationHttpMethod, uri, credentials, passthroughBehavior, requestParameters, requestTemplates };
                await apis.send(new sdk.PutIntegrationCommand({ ...at(inputs), ...rest }));
                return idOf(inputs);
            },
            read: async (_, inputs) => {
                const found = await apis.send(new sdk.GetIntegrationCommand(at(inputs)));
                const { restApi, resourceId, httpMethod } = inputs;
                return {
                    inputs: {
                        restApi,
                        resourceId,
                        httpMethod,
                        type: found.type,
                        integrationHttpMethod: found.httpMethod,
                        uri: found.uri,
                        credentials: found.credentials,
                        passthroughBehavior: found.passthroughBehavior,
                        requestParameters: filled(found.requestParameters),
                        requestTemplates: filled(found.requestTemplates),
                    },
                };
            },
            update: (_, inputs, before) =>
                apis.send(new sdk.UpdateIntegrationCommand({ ...at(inputs), patchOperations: changed(integrationPaths(inputs), integrationPaths(before)) })),
            remove: (_, inputs) => apis.send(new sdk.DeleteIntegrationCommand(at(inputs))),
        }),
        "aws:apigateway/methodResponse:MethodResponse": handler(methodResponse, {
            create: async (inputs) => {
                await putResponse(inputs);
                return idOf(inputs, inputs.statusCode);
            },
            read: async (_, inputs) => {
                const found = await apis.send(new sdk.GetMethodResponseCommand({ ...at(inputs), statusCode: inputs.statusCode }));
                return { inputs: { ...inputs, statusCode: found.statusCode, responseParameters: filled(found.responseParameters) } };
            },
            update: (_, inputs) => putResponse(inputs),
            remove: (_, inputs) => apis.send(new sdk.DeleteMethodResponseCommand({ ...at(inputs), statusCode: inputs.statusCode })),
        }),
        "aws:apigateway/integrationResponse:IntegrationResponse": handler(integrationResponse, {
            create: async (inputs) => {
                await putAnswer(inputs);
                return idOf(inputs, inputs.statusCode);
            },
            read: async (_, inputs) => {
                const found = await apis.send(new sdk.GetIntegrationResponseCommand({ ...at(inputs), statusCode: inputs.statusCode }));
                const { restApi, resourceId, httpMethod } = inputs;
                const { statusCode, responseTemplates } = found;
                const selectionPattern = found.selectionPattern === "" ? undefined : found.selectionPattern;
                const responseParameters = filled(found.responseParameters);
                return { inputs: { restApi, resourceId, httpMethod, statusCode, selectionPattern, responseParameters, responseTemplates } };
            },
            update: (_, inputs) => putAnswer(inputs),
            remove: (_, inputs) => apis.send(new sdk.DeleteIntegrationResponseCommand({ ...at(inputs), statusCode: inputs.statusCode })),
        }),
    };
}
