import * as sdk from "@aws-sdk/client-apigatewayv2";

import { apiUrl, arn, makeClient, required, webSocketUrl, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handlers } from "../handler.js";
import { exactly, list, oneOf, optional, text } from "../read.js";
import { stageHandler } from "./api-gateway-v2/stage.js";

const api = exactly({
    name: text,
    protocolType: oneOf("HTTP", "WEBSOCKET"),
    routeSelectionExpression: optional(text),
    corsConfiguration: optional(exactly({ allowMethods: list(text), allowHeaders: list(text), allowOrigins: list(text) })),
    tags,
});
type Api = ReturnType<typeof api>;
const authorizer = exactly({
    apiId: text,
    name: text,
    authorizerType: oneOf("JWT", "REQUEST"),
    authorizerUri: optional(text),
    identitySources: optional(list(text)),
    jwtConfiguration: optional(exactly({ issuer: text, audiences: list(text) })),
});
type Authorizer = ReturnType<typeof authorizer>;
const integration = exactly({
    apiId: text,
    integrationType: oneOf("AWS_PROXY"),
    integrationMethod: text,
    integrationUri: text,
    payloadFormatVersion: optional(text),
});
type Integration = ReturnType<typeof integration>;
const route = exactly({
    apiId: text,
    routeKey: text,
    target: text,
    authorizationType: optional(oneOf("CUSTOM", "JWT")),
    authorizerId: optional(text),
    routeResponseSelectionExpression: optional(text),
});
type Route = ReturnType<typeof route>;
const routeResponse = exactly({ apiId: text, routeId: text, routeResponseKey: text });

/** Protocol of APIs with a selection expression of their own. */
const WEBSOCKET = "WEBSOCKET";

function cors({ corsConfiguration: settings }: Api): sdk.Cors | undefined {
    return settings && { AllowMethods: settings.allowMethods, AllowHeaders: settings.allowHeaders, AllowOrigins: settings.allowOrigins };
}

function authorizerSettings(inputs: Authorizer) {
    const jwt = inputs.jwtConfiguration;
    return {
        ApiId: inputs.apiId,
        Name: inputs.name,
        AuthorizerType: inputs.authorizerType,
        AuthorizerUri: inputs.authorizerUri,
        IdentitySource: inputs.identitySources ?? [],
        JwtConfiguration: jwt && { Issuer: jwt.issuer, Audience: jwt.audiences },
    };
}

function integrationSettings(inputs: Integration) {
    return {
        ApiId: inputs.apiId,
        IntegrationType: inputs.integrationType,
        IntegrationMethod: inputs.integrationMethod,
        IntegrationUri: inputs.integrationUri,
        PayloadFormatVersion: inputs.payloadFormatVersion,
    };
}

function routeSettings(inputs: Route) {
    return {
        ApiId: inputs.apiId,
        RouteKey: inputs.routeKey,
        Target: inputs.target,
        AuthorizationType: inputs.authorizationType,
        AuthorizerId: inputs.authorizerId,
        RouteResponseSelectionExpression: inputs.routeResponseSelectionExpression,
    };
}

/** Returns the handlers of API Gateway's HTTP and WebSocket APIs. */
export function apiGatewayV2(endpoint: Endpoint): Handlers {
    const apis = makeClient(sdk.ApiGatewayV2Client, endpoint.client);
    return {
        "aws:apigatewayv2/api:Api": handler(api, {
            create: async (inputs) => {
                const created = await apis.send(
                    new sdk.CreateApiCommand({
                        Name: inputs.name,
                        ProtocolType: inputs.protocolType,
                        RouteSelectionExpression: inputs.routeSelectionExpression,
                        CorsConfiguration: cors(inputs),
                        Tags: inputs.tags,
                    }),
                );
                const id = required(created.ApiId, "API");
                const url = apiUrl(endpoint.functionsUrl, id);
                // Functions that push use this output, so it has their address of the endpoint.
                const apiEndpoint = inputs.protocolType === WEBSOCKET ? webSocketUrl(url) : url;
                return { id, outputs: { apiEndpoint, executionArn: arn(endpoint, "execute-api", id) } };
            },
            read: async (ApiId) => {
                const found = await apis.send(new sdk.GetApiCommand({ ApiId }));
                const { AllowMethods: allowMethods, AllowHeaders: allowHeaders, AllowOrigins: allowOrigins } = found.CorsConfiguration ?? {};
                return {
                    inputs: {
                        name: found.Name,
                        protocolType: found.ProtocolType,
                        routeSelectionExpression: found.RouteSelectionExpression,
                        corsConfiguration: allowOrigins === undefined ? undefined : { allowMethods, allowHeaders, allowOrigins },
                    },
                };
            },
            update: async (ApiId, inputs, before) => {
                if (inputs.corsConfiguration === undefined && before.corsConfiguration !== undefined) {
                    await apis.send(new sdk.DeleteCorsConfigurationCommand({ ApiId }));
                }
                const { name: Name, routeSelectionExpression: RouteSelectionExpression } = inputs;
                await apis.send(new sdk.UpdateApiCommand({ ApiId, Name, RouteSelectionExpression, CorsConfiguration: cors(inputs) }));
            },
            remove: (ApiId) => apis.send(new sdk.DeleteApiCommand({ ApiId })),
        }),
        "aws:apigatewayv2/authorizer:Authorizer": handler(authorizer, {
            create: async (inputs) => {
                const created = await apis.send(new sdk.CreateAuthorizerCommand(authorizerSettings(inputs)));
                return { id: required(created.AuthorizerId, "authorizer") };
            },
            read: async (AuthorizerId, { apiId }) => {
                const found = await apis.send(new sdk.GetAuthorizerCommand({ ApiId: apiId, AuthorizerId }));
                const { Issuer: issuer, Audience: audiences } = found.JwtConfiguration ?? {};
                const sources = found.IdentitySource ?? [];
                return {
                    inputs: {
                        apiId,
                        name: found.Name,
                        authorizerType: found.AuthorizerType,
                        authorizerUri: found.AuthorizerUri,
                        identitySources: sources.length === 0 ? undefined : sources,
                        jwtConfiguration: issuer === undefined ? undefined : { issuer, audiences },
                    },
                };
            },
            update: (AuthorizerId, inputs) => apis.send(new sdk.UpdateAuthorizerCommand({ AuthorizerId, ...authorizerSettings(inputs) })),
            remove: (AuthorizerId, { apiId: ApiId }) => apis.send(new sdk.DeleteAuthorizerCommand({ ApiId, AuthorizerId })),
        }),
        "aws:apigatewayv2/integration:Integration": handler(integration, {
            create: async (inputs) => {
                const created = await apis.send(new sdk.CreateIntegrationCommand(integrationSettings(inputs)));
                return { id: required(created.IntegrationId, "integration") };
            },
            read: async (IntegrationId, { apiId }) => {
                const found = await apis.send(new sdk.GetIntegrationCommand({ ApiId: apiId, IntegrationId }));
                return {
                    inputs: {
                        apiId,
                        integrationType: found.IntegrationType,
                        integrationMethod: found.IntegrationMethod,
                        integrationUri: found.IntegrationUri,
                        payloadFormatVersion: found.PayloadFormatVersion,
                    },
                };
            },
            update: (IntegrationId, inputs) => apis.send(new sdk.UpdateIntegrationCommand({ IntegrationId, ...integrationSettings(inputs) })),
            remove: (IntegrationId, { apiId: ApiId }) => apis.send(new sdk.DeleteIntegrationCommand({ ApiId, IntegrationId })),
        }),
        "aws:apigatewayv2/route:Route": handler(route, {
            create: async (inputs) => {
                const created = await apis.send(new sdk.CreateRouteCommand(routeSettings(inputs)));
                return { id: required(created.RouteId, "route") };
            },
            read: async (RouteId, { apiId }) => {
                const found = await apis.send(new sdk.GetRouteCommand({ ApiId: apiId, RouteId }));
                return {
                    inputs: {
                        apiId,
                        routeKey: found.RouteKey,
                        target: found.Target,
                        authorizationType: found.AuthorizationType === "NONE" ? undefined : found.AuthorizationType,
                        authorizerId: found.AuthorizerId,
                        routeResponseSelectionExpression: found.RouteResponseSelectionExpression,
                    },
                };
            },
            update: (RouteId, inputs) => apis.send(new sdk.UpdateRouteCommand({ RouteId, ...routeSettings(inputs) })),
            remove: (RouteId, { apiId: ApiId }) => apis.send(new sdk.DeleteRouteCommand({ ApiId, RouteId })),
        }),
        "aws:apigatewayv2/routeResponse:RouteResponse": handler(routeResponse, {
            create: async ({ apiId: ApiId, routeId: RouteId, routeResponseKey: RouteResponseKey }) => {
                const created = await apis.send(new sdk.CreateRouteResponseCommand({ ApiId, RouteId, RouteResponseKey }));
                return { id: required(created.RouteResponseId, "route response") };
            },
            read: async (RouteResponseId, { apiId, routeId }) => {
                const found = await apis.send(new sdk.GetRouteResponseCommand({ ApiId: apiId, RouteId: routeId, RouteResponseId }));
                return { inputs: { apiId, routeId, routeResponseKey: found.RouteResponseKey } };
            },
            update: (RouteResponseId, { apiId: ApiId, routeId: RouteId, routeResponseKey: RouteResponseKey }) =>
                apis.send(new sdk.UpdateRouteResponseCommand({ ApiId, RouteId, RouteResponseId, RouteResponseKey })),
            remove: (RouteResponseId, { apiId: ApiId, routeId: RouteId }) =>
                apis.send(new sdk.DeleteRouteResponseCommand({ ApiId, RouteId, RouteResponseId })),
        }),
        "aws:apigatewayv2/stage:Stage": stageHandler(apis, endpoint),
    };
}
