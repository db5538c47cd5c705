import { beforeAll, describe, expect, test } from "vitest";

import { contract } from "../src/contract.js";
import { graph } from "./engine/in-process.js";
import { STACK_NAMES } from "./engine/stacks.js";
import { json, statements, type Graph } from "./graph.js";

describe.each(STACK_NAMES)("doors of %s", (stack) => {
    let made: Graph;
    let clients: { readonly id: string; readonly executionArn: string };
    beforeAll(async () => {
        made = await graph(stack);
        const api = made.one("apigatewayv2/api", "clients");
        clients = { id: api.id, executionArn: String(api.outputs["executionArn"]) };
    });

    function allows(functionName: string, sourceArn: string): boolean {
        const name = made.one("lambda/function", functionName).inputs["name"];
        return made.of("lambda/permission").some((one) => {
            const { principal, action, function: of, sourceArn: source } = one.inputs;
            return (
                of === name && source === sourceArn && principal === "apigateway.amazonaws.com" && action === "lambda:InvokeFunction"
            );
        });
    }

    test("every route of the contract has an integration with the edge and a permission", () => {
        const api = made.one("apigatewayv2/api", "clients").inputs;
        expect(api["protocolType"]).toBe("WEBSOCKET");
        expect(api["routeSelectionExpression"]).toBe("$request.body.action");
        const routes = made.of("apigatewayv2/route").filter((one) => one.inputs["apiId"] === clients.id);
        expect(routes.map((one) => one.inputs["routeKey"]).sort()).toEqual([...contract.routes].sort());
        const integration = made.one("apigatewayv2/integration", "edge");
        expect(integration.inputs).toMatchObject({
            integrationType: "AWS_PROXY",
            integrationMethod: "POST",
            integrationUri: made.one("lambda/function", "ws-edge").outputs["invokeArn"],
        });
        const stage = String(made.one("apigatewayv2/stage", "clients").inputs["name"]);
        for (const { inputs } of routes) {
            expect(inputs["target"]).toBe(`integrations/${integration.id}`);
            const routeKey = String(inputs["routeKey"]);
            expect(allows("ws-edge", `${clients.executionArn}/${stage}/${routeKey}`), routeKey).toBe(true);
        }
    });

    test("stages are deployed when all routes are there", () => {
        const stage = made.one("apigatewayv2/stage", "clients");
        for (const route of made.of("apigatewayv2/route").filter((one) => one.inputs["apiId"] === clients.id)) {
            expect(made.waits(stage, route), route.name).toBe(true);
        }
        expect(made.waits(made.one("apigatewayv2/stage", "tokens"), made.one("apigatewayv2/route", "token"))).toBe(true);
        const deployment = made.one("apigateway/deployment", "producers");
        for (const part of [...made.of("apigateway/integration"), ...made.of("apigateway/integrationResponse")]) {
            expect(made.waits(deployment, part), part.name).toBe(true);
        }
    });

    test("handshakes are decided by our authorizer, which has no identity sources", () => {
        const authorizer = made.one("apigatewayv2/authorizer", "handshake");
        expect(authorizer.inputs).toMatchObject({
            apiId: clients.id,
            authorizerType: "REQUEST",
            authorizerUri: made.one("lambda/function", "auth-token-authorizer").outputs["invokeArn"],
        });
        expect(authorizer.inputs["identitySources"] ?? []).toEqual([]);
        expect(made.one("apigatewayv2/route", "connect").inputs).toMatchObject({
            authorizationType: "CUSTOM",
            authorizerId: authorizer.id,
        });
        expect(allows("auth-token-authorizer", `${clients.executionArn}/authorizers/${authorizer.id}`)).toBe(true);
    });

    test("frames are answered: the default route has a route response", () => {
        const route = made.one("apigatewayv2/route", "default");
        expect(route.inputs["routeResponseSelectionExpression"]).toBe("$default");
        expect(made.one("apigatewayv2/routeResponse", "default").inputs).toMatchObject({
            apiId: clients.id,
            routeId: route.id,
            routeResponseKey: "$default",
        });
    });

    test("connect tokens are for users of the issuer alone", () => {
        const { method, path } = contract.tokenDoor;
        const api = made.one("apigatewayv2/api", "tokens");
        const authorizer = made.one("apigatewayv2/authorizer", "users");
        expect(made.one("apigatewayv2/route", "token").inputs).toMatchObject({
            apiId: api.id,
            routeKey: `${method} ${path}`,
            authorizationType: "JWT",
            authorizerId: authorizer.id,
        });
        const pool = made.ifAny("cognito/userPool")[0];
        const users =
            pool === undefined
                ? { issuer: "https://login.example.com/realms/main", audiences: ["tidings"] }
                : { issuer: `https://${String(pool.outputs["endpoint"])}`, audiences: [made.one("cognito/userPoolClient", "users").id] };
        expect(pool === undefined).toBe(stack === "issuer");
        expect(authorizer.inputs).toMatchObject({
            authorizerType: "JWT",
            identitySources: ["$request.header.Authorization"],
            jwtConfiguration: users,
        });
        expect(allows("auth-token-issuer", `${String(api.outputs["executionArn"])}/$default/${method}${path}`)).toBe(true);
    });

    test("producers are known by IAM, and their bodies are validated", () => {
        const { inputs } = made.one("apigateway/method", "send");
        expect(inputs).toMatchObject({
            httpMethod: contract.producerDoor.method,
            authorization: "AWS_IAM",
            requestModels: { "application/json": made.one("apigateway/model", "notification").inputs["name"] },
            requestValidatorId: made.one("apigateway/requestValidator", "body").id,
        });
        expect(`/${String(made.one("apigateway/resource", "notifications").inputs["pathPart"])}`).toBe(contract.producerDoor.path);
        expect(made.one("apigateway/requestValidator", "body").inputs["validateRequestBody"]).toBe(true);
    });

    test("notifications of producers go to the queue, by a role that may do nothing else", () => {
        const queue = made.one("sqs/queue", "notifications");
        const role = made.one("iam/role", "producers");
        const { inputs } = made.one("apigateway/integration", "send");
        expect(inputs).toMatchObject({
            type: "AWS",
            integrationHttpMethod: "POST",
            credentials: role.outputs["arn"],
            passthroughBehavior: "NEVER",
            uri: `arn:aws:apigateway:eu-central-1:sqs:path/123456789012/${String(queue.inputs["name"])}`,
        });
        const { "application/json": template } = inputs["requestTemplates"] as Readonly<Record<string, string>>;
        expect(template).toContain("Action=SendMessage&MessageGroupId=$util.urlEncode($input.path('$.userId'))&");
        expect(template).toContain('&MessageDeduplicationId=$util.urlEncode("$!id")');
        expect(made.statements(role.id)).toEqual([{ Effect: "Allow", Action: "sqs:SendMessage", Resource: queue.outputs["arn"] }]);
    });

    test("an error of the queue is never answered as a success", () => {
        const answers = made.of("apigateway/integrationResponse").map((one) => one.inputs);
        const answer = (status: number): unknown => {
            const matches = ({ selectionPattern }: (typeof answers)[number]): boolean =>
                typeof selectionPattern === "string" && new RegExp(`^(?:${selectionPattern})$`).test(String(status));
            return (answers.find(matches) ?? answers.find((one) => one["selectionPattern"] === undefined))?.["statusCode"];
        };
        expect([200, 400, 403, 404, 429, 500, 503, 302].map(answer)).toEqual(["202", "400", "503", "503", "503", "503", "503", "503"]);
        const declared = made.of("apigateway/methodResponse").map((one) => one.inputs["statusCode"]);
        expect(declared.sort()).toEqual(["202", "400", "503"]);
    });

    test("the history is read by whom IAM lets, through the edge, where there is one", () => {
        const { method, path } = contract.historyDoor;
        const [door] = made.ifAny("apigateway/method").filter((one) => one.name === "history");
        expect(door === undefined).toBe(stack !== "issuer");
        expect("historyUrl" in made.outputs).toBe(stack === "issuer");
        if (door === undefined) {
            return;
        }
        expect(door.inputs).toMatchObject({ httpMethod: method, authorization: "AWS_IAM" });
        const api = made.one("apigateway/restApi", "producers");
        const parts = ["history-history", "history-userId", "history-kind"].map((name) => made.one("apigateway/resource", name));
        expect(parts.map((one) => `/${String(one.inputs["pathPart"])}`).join("")).toBe(path);
        const parents = [api.outputs["rootResourceId"], ...parts.map((one) => one.id)];
        expect(parts.map((one) => one.inputs["parentId"])).toEqual(parents.slice(0, -1));
        expect(door.inputs["resourceId"]).toBe(parents.at(-1));
        const integration = made.one("apigateway/integration", "history");
        expect(integration.inputs).toMatchObject({
            resourceId: parents.at(-1),
            httpMethod: method,
            type: "AWS_PROXY",
            integrationHttpMethod: "POST",
            uri: made.one("lambda/function", "ws-edge").outputs["invokeArn"],
        });
        expect(made.waits(integration, door)).toBe(true);
        const invoke = `${String(api.outputs["executionArn"])}/v1/${method}/history/*/*`;
        expect(allows("ws-edge", invoke)).toBe(true);
        expect(made.outputs["historyInvokeArn"]).toBe(invoke);
        expect(String(made.outputs["historyUrl"])).toMatch(/\/v1\/history$/);
    });

    test("nothing is public but the three doors", () => {
        expect(made.ifAny("lambda/functionUrl"), "function URLs").toEqual([]);
        for (const { inputs, name } of made.of("lambda/permission")) {
            expect(inputs["principal"], name).toBe("apigateway.amazonaws.com");
            // The variables of the history's path are asterisks, as parts of their own.
            const variables = name === "history" ? "/\\*/\\*" : "";
            expect(inputs["sourceArn"], name).toMatch(new RegExp(`^arn:aws:execute-api:[^*]+${variables}$`));
            expect(inputs["functionUrlAuthType"]).toBeUndefined();
        }
        const apis = [...made.of("apigatewayv2/api"), ...made.of("apigateway/restApi")];
        expect(apis.map((one) => one.name).sort()).toEqual(["clients", "producers", "tokens"]);
        // All routes that are not reached through an open connection ask who it is.
        for (const { inputs, name } of made.of("apigatewayv2/route")) {
            const within = inputs["apiId"] === clients.id && inputs["routeKey"] !== "$connect";
            expect(inputs["authorizationType"] ?? "NONE", name).toMatch(within ? /^NONE$/ : /^(CUSTOM|JWT)$/);
        }
        for (const { inputs } of made.of("apigateway/method")) {
            expect(inputs["authorization"]).toBe("AWS_IAM");
        }
    });

    test("all doors are throttled", () => {
        const settings = [
            ...made.of("apigatewayv2/stage").map((one) => one.inputs["defaultRouteSettings"]),
            ...made.of("apigateway/methodSettings").map((one) => one.inputs["settings"]),
        ] as readonly Readonly<Record<string, unknown>>[];
        expect(settings.length).toBe(3);
        for (const one of settings) {
            expect(one["throttlingRateLimit"]).toBeGreaterThan(0);
            expect(one["throttlingBurstLimit"]).toBeGreaterThan(0);
        }
    });

    test("requests are logged without what tokens and notifications come in", () => {
        const stages = [...made.of("apigatewayv2/stage"), ...made.of("apigateway/stage")];
        expect(stages.length).toBe(3);
        for (const { inputs, name } of stages) {
            const { format, destinationArn } = inputs["accessLogSettings"] as { readonly format: string; readonly destinationArn: string };
            expect(destinationArn).toBe(made.one("cloudwatch/logGroup", name).outputs["arn"]);
            expect(json(format)).toMatchObject({ requestId: "$context.requestId", status: "$context.status" });
            expect(format).not.toMatch(/querystring|token|context\.path|authorizer|header|body|\$input|\$stageVariables/i);
        }
        for (const { inputs } of [...made.of("apigatewayv2/stage")]) {
            const { dataTraceEnabled, loggingLevel } = inputs["defaultRouteSettings"] as Readonly<Record<string, unknown>>;
            expect([dataTraceEnabled ?? false, loggingLevel ?? "OFF"]).toEqual([false, "OFF"]);
        }
        const rest = made.one("apigateway/methodSettings", "producers").inputs["settings"];
        expect(rest).toMatchObject({ dataTraceEnabled: false, loggingLevel: "OFF" });
    });

    test("API Gateway may write logs before a stage does, unless another stack sees to it", () => {
        const account = made.ifAny("apigateway/account")[0];
        expect(account === undefined).toBe(stack === "issuer");
        if (account !== undefined) {
            for (const stage of [made.one("apigatewayv2/stage", "clients"), made.one("apigateway/stage", "producers")]) {
                expect(made.waits(stage, account), stage.name).toBe(true);
            }
            const role = made.one("iam/role", "api-gateway-logs");
            expect(account.inputs["cloudwatchRoleArn"]).toBe(role.outputs["arn"]);
            expect(statements(role.inputs["assumeRolePolicy"])[0]?.Principal).toEqual({ Service: "apigateway.amazonaws.com" });
        }
    });
});
