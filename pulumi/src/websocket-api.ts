import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { accessLog } from "./access-logs.js";
import type { PlacedDeployment } from "./configuration.js";
import { contract } from "./contract.js";
import type { ResourceRef } from "./policies.js";
import type { ServiceFunction } from "./service-function.js";

/** Name of the stage of the WebSocket API and the producer API, and a part of their URLs. */
export const STAGE = "v1";

const CONNECT = "$connect";
const DEFAULT = "$default";
const SERVICE = "apigateway.amazonaws.com";

/**
 * Open connections of the stage, for functions that push to them (`POST`) or close them (`DELETE`). The permission to
 * manage connections applies to one method
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html).
 */
export interface Connections {
    readonly posted: ResourceRef;
    readonly deleted: ResourceRef;
}

/** Functions and resources that the API's stage depends on. */
export interface WebSocketApiArgs {
    readonly authorizer: ServiceFunction;
    readonly edge: ServiceFunction;
    /** Resources that must exist before the stage can write its access log. */
    readonly logs: readonly pulumi.Resource[];
}

/**
 * WebSocket API for clients. The constructor creates the API alone, because the edge needs its address to close
 * connections; `serve` adds authorizer, routes and stage.
 */
export class WebSocketApi extends pulumi.ComponentResource {
    readonly api: aws.apigatewayv2.Api;
    readonly connections: Connections;

    constructor(
        name: string,
        private readonly deployment: PlacedDeployment,
        opts: pulumi.ComponentResourceOptions,
    ) {
        super("tidings:index:WebSocketApi", name, {}, opts);
        this.api = new aws.apigatewayv2.Api(
            name,
            { name: `${deployment.prefix}-clients`, protocolType: "WEBSOCKET", routeSelectionExpression: "$request.body.action" },
            { parent: this },
        );
        // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
        const value = pulumi.interpolate`${this.api.apiEndpoint.apply(httpUrl)}/${STAGE}`;
        const ref = (method: string): ResourceRef => ({ value, arn: pulumi.interpolate`${this.api.executionArn}/${STAGE}/${method}/@connections/*` });
        this.connections = { posted: ref("POST"), deleted: ref("DELETE") };
    }

    /** Connects the API with its functions, deploys it, and returns its URL. */
    serve(args: WebSocketApiArgs): pulumi.Output<string> {
        const url = this.stage([...this.routes(args), ...args.logs]);
        this.registerOutputs({ url });
        return url;
    }

    /** Creates the authorizer that accepts or refuses handshakes. */
    private authorizer(service: ServiceFunction): aws.apigatewayv2.Authorizer {
        const authorizer = new aws.apigatewayv2.Authorizer(
            "handshake",
            {
                apiId: this.api.id,
                name: `${this.deployment.prefix}-handshake`,
                authorizerType: "REQUEST",
                authorizerUri: service.function.invokeArn,
                // No identity sources: with one, API Gateway would itself refuse requests without it, with 401
                // (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html).
            },
            { parent: this },
        );
        service.allow("handshake", SERVICE, pulumi.interpolate`${this.api.executionArn}/authorizers/${authorizer.id}`);
        return authorizer;
    }

    private routes({ authorizer, edge }: WebSocketApiArgs): readonly pulumi.Resource[] {
        const parent = { parent: this };
        const handshake = this.authorizer(authorizer);
        const integration = new aws.apigatewayv2.Integration(
            "edge",
            {
                apiId: this.api.id,
                integrationType: "AWS_PROXY",
                integrationMethod: "POST",
                integrationUri: edge.function.invokeArn,
            },
            parent,
        );
        return contract.routes.flatMap((routeKey): pulumi.Resource[] => {
            const name = routeKey.replace("$", "");
            const route = new aws.apigatewayv2.Route(
                name,
                {
                    apiId: this.api.id,
                    routeKey,
                    target: pulumi.interpolate`integrations/${integration.id}`,
                    ...(routeKey === CONNECT ? { authorizationType: "CUSTOM", authorizerId: handshake.id } : {}),
                    ...(routeKey === DEFAULT ? { routeResponseSelectionExpression: DEFAULT } : {}),
                },
                parent,
            );
            const permission = edge.allow(name, SERVICE, pulumi.interpolate`${this.api.executionArn}/${STAGE}/${routeKey}`);
            if (routeKey !== DEFAULT) {
                return [route, permission];
            }
            // Without a route response, clients get no answers to their frames
            // (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-response.html).
            const args = { apiId: this.api.id, routeId: route.id, routeResponseKey: DEFAULT };
            return [route, permission, new aws.apigatewayv2.RouteResponse(name, args, parent)];
        });
    }

    private stage(dependsOn: readonly pulumi.Resource[]): pulumi.Output<string> {
        const { webSocket: { rate, burst }, connect } = this.deployment.settings;
        const stage = new aws.apigatewayv2.Stage(
            "clients",
            {
                apiId: this.api.id,
                name: STAGE,
                autoDeploy: true,
                ...accessLog("clients", "webSocket", this.deployment, { parent: this }),
                defaultRouteSettings: {
                    throttlingRateLimit: rate,
                    throttlingBurstLimit: burst,
                    detailedMetricsEnabled: true,
                    // Data traces would log frames, and URLs with tokens.
                    dataTraceEnabled: false,
                    loggingLevel: "OFF",
                },
                // A flood of handshakes by strangers does not use up what connected clients may send.
                routeSettings: [
                    {
                        routeKey: CONNECT,
                        throttlingRateLimit: connect.rate,
                        throttlingBurstLimit: connect.burst,
                        detailedMetricsEnabled: true,
                        dataTraceEnabled: false,
                        loggingLevel: "OFF",
                    },
                ],
            },
            { parent: this, dependsOn: [...dependsOn] },
        );
        return stage.invokeUrl;
    }
}

/** Returns the HTTP URL of a WebSocket URL. */
function httpUrl(url: string): string {
    return url.replace(/^ws/, "http");
}
