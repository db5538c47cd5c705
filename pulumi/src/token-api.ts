import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { accessLog } from "./access-logs.js";
import type { PlacedDeployment } from "./configuration.js";
import { contract } from "./contract.js";
import type { Issuer } from "./identity.js";
import type { ServiceFunction } from "./service-function.js";

// The stage whose name is not part of its URL
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-stages.html).
const STAGE = "$default";

/** Components that the API depends on. */
export interface TokenApiArgs {
    readonly service: ServiceFunction;
    readonly issuer: Issuer;
}

/** Method with which clients of serverless-async-messaging-gateway ask for a token. It answers as the route's own. */
const OTHER_METHOD = "GET";

/** HTTP API that exchanges a user's JSON Web Token for a connect token. */
export class TokenApi extends pulumi.ComponentResource {
    readonly url: pulumi.Output<string>;
    readonly apiId: pulumi.Output<string>;

    constructor(name: string, deployment: PlacedDeployment, args: TokenApiArgs, opts: pulumi.ComponentResourceOptions) {
        super("tidings:index:TokenApi", name, {}, opts);
        const { prefix, settings } = deployment;
        const { method, path } = contract.tokenRoute;
        const parent = { parent: this };
        const cors = { allowMethods: [method, OTHER_METHOD], allowHeaders: ["authorization"], allowOrigins: [...settings.allowedOrigins] };
        const api = new aws.apigatewayv2.Api(
            name,
            {
                name: `${prefix}-tokens`,
                protocolType: "HTTP",
                ...(settings.allowedOrigins.length === 0 ? {} : { corsConfiguration: cors }),
            },
            parent,
        );
        this.apiId = api.id;
        // https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
        const authorizer = new aws.apigatewayv2.Authorizer(
            "users",
            {
                apiId: api.id,
                name: `${prefix}-users`,
                authorizerType: "JWT",
                // The token, with or without `Bearer` before it.
                identitySources: ["$request.header.Authorization"],
                jwtConfiguration: { issuer: args.issuer.issuer, audiences: args.issuer.audiences },
            },
            parent,
        );
        const integration = new aws.apigatewayv2.Integration(
            "issuer",
            {
                apiId: api.id,
                integrationType: "AWS_PROXY",
                integrationMethod: "POST",
                integrationUri: args.service.function.invokeArn,
                // https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
                payloadFormatVersion: "2.0",
            },
            parent,
        );
        const routes = [method, OTHER_METHOD].flatMap((each) => {
            const suffix = each === method ? "" : `-${each.toLowerCase()}`;
            const route = new aws.apigatewayv2.Route(
                `token${suffix}`,
                {
                    apiId: api.id,
                    routeKey: `${each} ${path}`,
                    target: pulumi.interpolate`integrations/${integration.id}`,
                    authorizationType: "JWT",
                    authorizerId: authorizer.id,
                },
                parent,
            );
            const source = pulumi.interpolate`${api.executionArn}/${STAGE}/${each}${path}`;
            return [route, args.service.allow(`token${suffix}`, "apigateway.amazonaws.com", source)];
        });
        const { rate, burst } = settings.token;
        const stage = new aws.apigatewayv2.Stage(
            "tokens",
            {
                apiId: api.id,
                name: STAGE,
                autoDeploy: true,
                ...accessLog("tokens", "http", deployment, parent),
                defaultRouteSettings: { throttlingRateLimit: rate, throttlingBurstLimit: burst, detailedMetricsEnabled: true },
            },
            { ...parent, dependsOn: routes },
        );
        this.url = stage.invokeUrl.apply((url) => `${url.replace(/\/$/, "")}${path}`);
        this.registerOutputs({ url: this.url });
    }
}
