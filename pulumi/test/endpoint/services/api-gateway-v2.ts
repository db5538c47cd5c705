import * as sdk from "@aws-sdk/client-apigatewayv2";

import { apiUrl, arn, required, webSocketUrl, type Endpoint } from "../endpoint.js";
import { handler, tags, type Handlers } from "../handler.js";
import { exactly, flag, list, number, oneOf, optional, text } from "../read.js";

const api = exactly({
    name: text,
    protocolType: oneOf("HTTP", "WEBSOCKET"),
    routeSelectionExpression: optional(text),
    corsConfiguration: optional(exactly({ allowMethods: list(text), allowHeaders: list(text), allowOrigins: list(text) })),
    tags,
});
const authorizer = exactly({
    apiId: text,
    name: text,
    authorizerType: oneOf("JWT", "REQUEST"),
    authorizerUri: optional(text),
    identitySources: optional(list(text)),
    jwtConfiguration: optional(exactly({ issuer: text, audiences: list(text) })),
});
const integration = exactly({
    apiId: text,
    integrationType: oneOf("AWS_PROXY"),
    integrationMethod: text,
    integrationUri: text,
    payloadFormatVersion: optional(text),
});
const route = exactly({
    apiId: text,
    routeKey: text,
    target: text,
    authorizationType: optional(oneOf("CUSTOM", "JWT")),
    authorizerId: optional(text),
    routeResponseSelectionExpression: optional(text),
});
const routeResponse = exactly({ apiId: text, routeId: text, routeResponseKey: text });
const stage = exactly({
    apiId: text,
    name: text,
    autoDeploy: flag,
    accessLogSettings: exactly({ destinationArn: text, format: text }),
    defaultRouteSettings: exactly({
        throttlingRateLimit: number,
        throttlingBurstLimit: number,
        detailedMetricsEnabled: flag,
        dataTraceEnabled: optional(flag),
        loggingLevel: optional(oneOf("OFF")),
    }),
    routeSettings: optional(
        list(
            exactly({
                routeKey: text,
                throttlingRateLimit: number,
                throttlingBurstLimit: number,
                detailedMetricsEnabled: flag,
                dataTraceEnabled: flag,
                loggingLevel: oneOf("OFF"),
            }),
        ),
    ),
    tags,
});

/** Returns the handlers of API Gateway's HTTP and WebSocket APIs. */
export function apiGatewayV2(endpoint: Endpoint): Handlers {
    const apis = new sdk.ApiGatewayV2Client(endpoint.client);
    /** Looks up the protocol of an API and returns its URL. */
    const address = async (id: string): Promise<string> => {
        const { ProtocolType: protocol } = await apis.send(new sdk.GetApiCommand({ ApiId: id }));
        const url = apiUrl(endpoint.url, id);
        return protocol === "WEBSOCKET" ? webSocketUrl(url) : url;
    };
    return {
        "aws:apigatewayv2/api:Api": handler(api, async (inputs) => {
            const cors = inputs.corsConfiguration;
            const created = await apis.send(
                new sdk.CreateApiCommand({
                    Name: inputs.name,
                    ProtocolType: inputs.protocolType,
                    RouteSelectionExpression: inputs.routeSelectionExpression,
                    CorsConfiguration: cors && {
                        AllowMethods: cors.allowMethods,
                        AllowHeaders: cors.allowHeaders,
                        AllowOrigins: cors.allowOrigins,
                    },
                    Tags: inputs.tags,
                }),
            );
            const id = required(created.ApiId, "API");
            const url = apiUrl(endpoint.functionsUrl, id);
            // Functions that push use this output, so it has their address of the endpoint.
            const apiEndpoint = inputs.protocolType === "WEBSOCKET" ? webSocketUrl(url) : url;
            return { id, outputs: { apiEndpoint, executionArn: arn(endpoint, "execute-api", id) } };
        }),
        "aws:apigatewayv2/authorizer:Authorizer": handler(authorizer, async (inputs) => {
            const jwt = inputs.jwtConfiguration;
            const created = await apis.send(
                new sdk.CreateAuthorizerCommand({
                    ApiId: inputs.apiId,
                    Name: inputs.name,
                    AuthorizerType: inputs.authorizerType,
                    AuthorizerUri: inputs.authorizerUri,
                    IdentitySource: inputs.identitySources ?? [],
                    JwtConfiguration: jwt && { Issuer: jwt.issuer, Audience: jwt.audiences },
                }),
            );
            return { id: required(created.AuthorizerId, "authorizer") };
        }),
        "aws:apigatewayv2/integration:Integration": handler(integration, async (inputs) => {
            const created = await apis.send(
                new sdk.CreateIntegrationCommand({
                    ApiId: inputs.apiId,
                    IntegrationType: inputs.integrationType,
                    IntegrationMethod: inputs.integrationMethod,
                    IntegrationUri: inputs.integrationUri,
                    PayloadFormatVersion: inputs.payloadFormatVersion,
                }),
            );
            return { id: required(created.IntegrationId, "integration") };
        }),
        "aws:apigatewayv2/route:Route": handler(route, async (inputs) => {
            const created = await apis.send(
                new sdk.CreateRouteCommand({
                    ApiId: inputs.apiId,
                    RouteKey: inputs.routeKey,
                    Target: inputs.target,
                    AuthorizationType: inputs.authorizationType,
                    AuthorizerId: inputs.authorizerId,
                    RouteResponseSelectionExpression: inputs.routeResponseSelectionExpression,
                }),
            );
            return { id: required(created.RouteId, "route") };
        }),
        "aws:apigatewayv2/routeResponse:RouteResponse": handler(routeResponse, async (inputs) => {
            const created = await apis.send(
                new sdk.CreateRouteResponseCommand({
                    ApiId: inputs.apiId,
                    RouteId: inputs.routeId,
                    RouteResponseKey: inputs.routeResponseKey,
                }),
            );
            return { id: required(created.RouteResponseId, "route response") };
        }),
        "aws:apigatewayv2/stage:Stage": handler(stage, async (inputs) => {
            const { accessLogSettings: log, defaultRouteSettings: settings } = inputs;
            await apis.send(
                new sdk.CreateStageCommand({
                    ApiId: inputs.apiId,
                    StageName: inputs.name,
                    AutoDeploy: inputs.autoDeploy,
                    AccessLogSettings: { DestinationArn: log.destinationArn, Format: log.format },
                    DefaultRouteSettings: {
                        ThrottlingRateLimit: settings.throttlingRateLimit,
                        ThrottlingBurstLimit: settings.throttlingBurstLimit,
                        DetailedMetricsEnabled: settings.detailedMetricsEnabled,
                        DataTraceEnabled: settings.dataTraceEnabled,
                        LoggingLevel: settings.loggingLevel,
                    },
                    RouteSettings: Object.fromEntries(
                        (inputs.routeSettings ?? []).map((route) => [
                            route.routeKey,
                            {
                                ThrottlingRateLimit: route.throttlingRateLimit,
                                ThrottlingBurstLimit: route.throttlingBurstLimit,
                                DetailedMetricsEnabled: route.detailedMetricsEnabled,
                                DataTraceEnabled: route.dataTraceEnabled,
                                LoggingLevel: route.loggingLevel,
                            },
                        ]),
                    ),
                    Tags: inputs.tags,
                }),
            );
            // On an emulator the path has the name of the stage, even for `$default`.
            return { id: inputs.name, outputs: { invokeUrl: `${await address(inputs.apiId)}/${inputs.name}` } };
        }),
    };
}
