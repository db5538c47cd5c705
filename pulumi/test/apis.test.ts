import { createHash } from "node:crypto";

import { beforeAll, describe, expect, test } from "vitest";

import { contract } from "../src/contract.js";
import { REFUSED_TEMPLATE } from "../src/producer-api.js";
import type { Properties } from "./mocks/recorder.js";
import { programGraph } from "./mocks/in-process.js";
import { STACK_NAMES } from "./mocks/stacks.js";
import { parseJson, statements, type Graph } from "./graph.js";

/** Returns the SHA-256 of an object's JSON with sorted members. */
function fingerprint(inputs: Properties): string {
    const sorted = (value: unknown): unknown => {
        if (typeof value !== "object" || value === null || Array.isArray(value)) {
            return value;
        }
        const members = Object.keys(value).sort().map((name) => [name, sorted((value as Properties)[name])]);
        return Object.fromEntries(members);
    };
    return createHash("sha256").update(JSON.stringify(sorted(inputs))).digest("hex");
}

describe.each(STACK_NAMES)("APIs of %s", (stack) => {
    let graph: Graph;
    let clients: { readonly id: string; readonly executionArn: string };
    beforeAll(async () => {
        graph = await programGraph(stack);
        const api = graph.resource("apigatewayv2/api", "clients");
        clients = { id: api.id, executionArn: String(api.outputs["executionArn"]) };
    });

    function allows(functionName: string, sourceArn: string): boolean {
        const name = graph.resource("lambda/function", functionName).inputs["name"];
        return graph.allOf("lambda/permission").some(({ inputs }) => {
            const { principal, action, function: invoked, sourceArn: source } = inputs;
            return (
                invoked === name && source === sourceArn && principal === "apigateway.amazonaws.com" && action === "lambda:InvokeFunction"
            );
        });
    }

    test("every WebSocket route invokes the edge", () => {
        const api = graph.resource("apigatewayv2/api", "clients").inputs;
        expect(api["protocolType"]).toBe("WEBSOCKET");
        expect(api["routeSelectionExpression"]).toBe("$request.body.action");
        const routes = graph.allOf("apigatewayv2/route").filter(({ inputs }) => inputs["apiId"] === clients.id);
        expect(routes.map(({ inputs }) => inputs["routeKey"]).sort()).toEqual([...contract.routes].sort());
        const integration = graph.resource("apigatewayv2/integration", "edge");
        expect(integration.inputs).toMatchObject({
            integrationType: "AWS_PROXY",
            integrationMethod: "POST",
            integrationUri: graph.resource("lambda/function", "ws-edge").outputs["invokeArn"],
        });
        const stage = String(graph.resource("apigatewayv2/stage", "clients").inputs["name"]);
        for (const { inputs } of routes) {
            expect(inputs["target"]).toBe(`integrations/${integration.id}`);
            const routeKey = String(inputs["routeKey"]);
            expect(allows("ws-edge", `${clients.executionArn}/${stage}/${routeKey}`), routeKey).toBe(true);
        }
    });

    test("stages are deployed after all their routes", () => {
        const stage = graph.resource("apigatewayv2/stage", "clients");
        for (const route of graph.allOf("apigatewayv2/route").filter(({ inputs }) => inputs["apiId"] === clients.id)) {
            expect(graph.waitsFor(stage, route), route.name).toBe(true);
        }
        expect(graph.waitsFor(graph.resource("apigatewayv2/stage", "tokens"), graph.resource("apigatewayv2/route", "token"))).toBe(true);
        const deployment = graph.resource("apigateway/deployment", "producers");
        for (const part of [...graph.allOf("apigateway/integration"), ...graph.allOf("apigateway/integrationResponse")]) {
            expect(graph.waitsFor(deployment, part), part.name).toBe(true);
        }
    });

    test("an authorizer without identity sources decides handshakes", () => {
        const authorizer = graph.resource("apigatewayv2/authorizer", "handshake");
        expect(authorizer.inputs).toMatchObject({
            apiId: clients.id,
            authorizerType: "REQUEST",
            authorizerUri: graph.resource("lambda/function", "auth-token-authorizer").outputs["invokeArn"],
        });
        expect(authorizer.inputs["identitySources"] ?? []).toEqual([]);
        expect(graph.resource("apigatewayv2/route", "connect").inputs).toMatchObject({
            authorizationType: "CUSTOM",
            authorizerId: authorizer.id,
        });
        expect(allows("auth-token-authorizer", `${clients.executionArn}/authorizers/${authorizer.id}`)).toBe(true);
    });

    test("the default route answers frames", () => {
        const route = graph.resource("apigatewayv2/route", "default");
        expect(route.inputs["routeResponseSelectionExpression"]).toBe("$default");
        expect(graph.resource("apigatewayv2/routeResponse", "default").inputs).toMatchObject({
            apiId: clients.id,
            routeId: route.id,
            routeResponseKey: "$default",
        });
    });

    test("only the issuer's users get connect tokens", () => {
        const { method, path } = contract.tokenRoute;
        const api = graph.resource("apigatewayv2/api", "tokens");
        const authorizer = graph.resource("apigatewayv2/authorizer", "users");
        for (const [name, routeKey] of [["token", `${method} ${path}`], ["token-get", `GET ${path}`]] as const) {
            expect(graph.resource("apigatewayv2/route", name).inputs).toMatchObject({
                apiId: api.id,
                routeKey,
                authorizationType: "JWT",
                authorizerId: authorizer.id,
            });
        }
        const pool = graph.anyOf("cognito/userPool")[0];
        const users =
            pool === undefined
                ? { issuer: "https://login.example.com/realms/main", audiences: ["tidings"] }
                : { issuer: `https://${String(pool.outputs["endpoint"])}`, audiences: [graph.resource("cognito/userPoolClient", "users").id] };
        expect(pool === undefined).toBe(stack === "issuer");
        expect(authorizer.inputs).toMatchObject({
            authorizerType: "JWT",
            identitySources: ["$request.header.Authorization"],
            jwtConfiguration: users,
        });
        expect(allows("auth-token-issuer", `${String(api.outputs["executionArn"])}/$default/${method}${path}`)).toBe(true);
        expect(allows("auth-token-issuer", `${String(api.outputs["executionArn"])}/$default/GET${path}`)).toBe(true);
    });

    test("producers authenticate with IAM, and bodies are validated", () => {
        const { inputs } = graph.resource("apigateway/method", "send");
        expect(inputs).toMatchObject({
            httpMethod: contract.producerRoute.method,
            authorization: "AWS_IAM",
            requestModels: { "application/json": graph.resource("apigateway/model", "notification").inputs["name"] },
            requestValidatorId: graph.resource("apigateway/requestValidator", "body").id,
        });
        expect(`/${String(graph.resource("apigateway/resource", "notifications").inputs["pathPart"])}`).toBe(contract.producerRoute.path);
        expect(graph.resource("apigateway/requestValidator", "body").inputs["validateRequestBody"]).toBe(true);
    });

    test.each([
        ["BAD_REQUEST_BODY", "refused-body", "400", "bad-request", ["userId", "known are", "whenOffline", "milliseconds"]],
        ["THROTTLED", "throttled", "429", "too-many-requests", ["producerRate", "send it again"]],
        ["INTEGRATION_FAILURE", "integration-failed", "503", "unavailable", ["send it again", "the same id"]],
        ["INTEGRATION_TIMEOUT", "integration-timed-out", "503", "unavailable", ["send it again", "the same id"]],
        ["DEFAULT_5XX", "failed", "503", "unavailable", ["send it again", "the same id"]],
    ])("API Gateway's own answer %s is a problem document, with a time to wait if it passes", (responseType, name, statusCode, code, parts) => {
        const answer = graph.resource("apigateway/response", name);
        const contentType = { "gatewayresponse.header.Content-Type": "'application/problem+json'" };
        // A constant is in quotes
        // (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gatewayResponse-definition.html).
        const wait = statusCode === "400" ? {} : { "gatewayresponse.header.Retry-After": "'1'" };
        expect(answer.inputs).toMatchObject({ responseType, statusCode });
        expect(answer.inputs["responseParameters"]).toEqual({ ...contentType, ...wait });
        const body = (answer.inputs["responseTemplates"] as Record<string, string>)["application/json"] ?? "";
        const problem = parseJson(body) as Record<string, unknown>;
        expect(problem).toMatchObject({ requestId: "$context.requestId", type: `urn:tidings:problem:${code}`, status: Number(statusCode), detail: problem["message"] });
        // Variables are substituted, but conditions and methods are not evaluated.
        expect(body.match(/[$#][\w.]+/g)).toEqual(["$context.requestId"]);
        for (const part of parts) expect(problem["message"]).toContain(part);
        expect(graph.waitsFor(graph.resource("apigateway/deployment", "producers"), answer)).toBe(true);
    });

    test("producers' requests go to the queue with a minimal role", () => {
        const queue = graph.resource("sqs/queue", "notifications");
        const role = graph.resource("iam/role", "producers");
        const { inputs } = graph.resource("apigateway/integration", "send");
        expect(inputs).toMatchObject({
            type: "AWS",
            integrationHttpMethod: "POST",
            credentials: role.outputs["arn"],
            passthroughBehavior: "NEVER",
            uri: `arn:aws:apigateway:eu-central-1:sqs:path/123456789012/${String(queue.inputs["name"])}`,
        });
        const { "application/json": template } = inputs["requestTemplates"] as Readonly<Record<string, string>>;
        expect(template).toContain("&MessageGroupId=$util.urlEncode($group)&");
        expect(template).toContain('&MessageDeduplicationId=$util.urlEncode("$!id")');
        expect(graph.roleStatements(role.id)).toEqual([{ Effect: "Allow", Action: "sqs:SendMessage", Resource: queue.outputs["arn"] }]);
    });

    test("an error of the queue is not answered as a success", () => {
        const answers = graph.allOf("apigateway/integrationResponse").map(({ inputs }) => inputs);
        const answer = (status: number): unknown => {
            const matches = ({ selectionPattern }: (typeof answers)[number]): boolean =>
                typeof selectionPattern === "string" && new RegExp(`^(?:${selectionPattern})$`).test(String(status));
            return (answers.find(matches) ?? answers.find(({ selectionPattern }) => selectionPattern === undefined))?.["statusCode"];
        };
        expect([200, 400, 403, 404, 429, 500, 503, 302].map(answer)).toEqual(["202", "400", "503", "503", "503", "503", "503", "503"]);
        const declared = graph.allOf("apigateway/methodResponse").map(({ inputs }) => inputs["statusCode"]);
        expect(declared.sort()).toEqual(["202", "400", "503"]);
    });

    test("producers are told when to send again, in a problem document", () => {
        const contentType = "method.response.header.Content-Type";
        const retryAfter = "method.response.header.Retry-After";
        const parameters = (type: string, status: string): unknown => graph.resource(type, `send-${status}`).inputs["responseParameters"];
        expect(parameters("apigateway/integrationResponse", "503")).toEqual({ [contentType]: "'application/problem+json'", [retryAfter]: "'1'" });
        expect(parameters("apigateway/methodResponse", "503")).toEqual({ [contentType]: false, [retryAfter]: false });
        expect(parameters("apigateway/integrationResponse", "400")).toEqual({ [contentType]: "'application/problem+json'" });
        expect(parameters("apigateway/methodResponse", "400")).toEqual({ [contentType]: false });
        const bodyOf = (status: string): string =>
            (graph.resource("apigateway/integrationResponse", `send-${status}`).inputs["responseTemplates"] as Record<string, string>)["application/json"] ?? "";
        expect(parseJson(bodyOf("503"))).toMatchObject({ type: "urn:tidings:problem:unavailable", status: 503, message: "not accepted; send it again" });
        // templates.test.ts renders it.
        expect(bodyOf("400")).toBe(REFUSED_TEMPLATE);
    });

    test("the edge answers the history to IAM principals, if it is on", () => {
        const { method, path } = contract.historyRoute;
        const [read] = graph.anyOf("apigateway/method").filter(({ name }) => name === "history");
        expect(read === undefined).toBe(stack !== "issuer");
        expect("historyUrl" in graph.outputs).toBe(stack === "issuer");
        if (read === undefined) {
            return;
        }
        expect(read.inputs).toMatchObject({ httpMethod: method, authorization: "AWS_IAM" });
        const api = graph.resource("apigateway/restApi", "producers");
        const parts = ["history-history", "history-userId", "history-kind"].map((name) => graph.resource("apigateway/resource", name));
        expect(parts.map(({ inputs }) => `/${String(inputs["pathPart"])}`).join("")).toBe(path);
        const parents = [api.outputs["rootResourceId"], ...parts.map(({ id }) => id)];
        expect(parts.map(({ inputs }) => inputs["parentId"])).toEqual(parents.slice(0, -1));
        expect(read.inputs["resourceId"]).toBe(parents.at(-1));
        const integration = graph.resource("apigateway/integration", "history");
        expect(integration.inputs).toMatchObject({
            resourceId: parents.at(-1),
            httpMethod: method,
            type: "AWS_PROXY",
            integrationHttpMethod: "POST",
            uri: graph.resource("lambda/function", "ws-edge").outputs["invokeArn"],
        });
        expect(graph.waitsFor(integration, read)).toBe(true);
        const invoke = `${String(api.outputs["executionArn"])}/v1/${method}/history/*/*`;
        expect(allows("ws-edge", invoke)).toBe(true);
        expect(graph.outputs["historyInvokeArn"]).toBe(invoke);
        expect(String(graph.outputs["historyUrl"])).toMatch(/\/v1\/history$/);
    });

    test("only the three APIs are public", () => {
        expect(graph.anyOf("lambda/functionUrl"), "function URLs").toEqual([]);
        // The schedule's permission has a test in queue.test.ts.
        for (const { inputs, name } of graph.allOf("lambda/permission").filter(({ name: other }) => other !== "sweep")) {
            expect(inputs["principal"], name).toBe("apigateway.amazonaws.com");
            // Variables in the history's path are asterisks in the ARN.
            const variables = name === "history" ? "/\\*/\\*" : "";
            expect(inputs["sourceArn"], name).toMatch(new RegExp(`^arn:aws:execute-api:[^*]+${variables}$`));
            expect(inputs["functionUrlAuthType"]).toBeUndefined();
        }
        const apis = [...graph.allOf("apigatewayv2/api"), ...graph.allOf("apigateway/restApi")];
        expect(apis.map(({ name }) => name).sort()).toEqual(["clients", "producers", "tokens"]);
        // Every route needs authorization, except those reached through an open connection.
        for (const { inputs, name } of graph.allOf("apigatewayv2/route")) {
            const within = inputs["apiId"] === clients.id && inputs["routeKey"] !== "$connect";
            expect(inputs["authorizationType"] ?? "NONE", name).toMatch(within ? /^NONE$/ : /^(CUSTOM|JWT)$/);
        }
        for (const { inputs } of graph.allOf("apigateway/method")) {
            expect(inputs["authorization"]).toBe("AWS_IAM");
        }
    });

    test("a change of any part of the producer API deploys it again", () => {
        const { triggers } = graph.resource("apigateway/deployment", "producers").inputs as { readonly triggers: Readonly<Record<string, string>> };
        const kinds = ["resource", "model", "requestValidator", "response", "method", "integration", "methodResponse", "integrationResponse"];
        const parts = kinds.flatMap((kind) => graph.allOf(`apigateway/${kind}`));
        const expected = parts.map(({ type, name, inputs }) => [`${String(type.split(":")[2])} ${name}`, fingerprint(inputs)]);
        expect(triggers).toEqual(Object.fromEntries(expected));
        const deployment = graph.resource("apigateway/deployment", "producers");
        parts.forEach((part) => { expect(graph.waitsFor(deployment, part), part.name).toBe(true); });
    });

    test("logs of the HTTP API are where its log policy covers them", () => {
        expect(graph.resource("cloudwatch/logGroup", "tokens").inputs["name"]).toBe(`/aws/vendedlogs/apigateway/tidings-${stack}-tokens`);
    });

    test("all APIs are throttled", () => {
        const settings = [
            ...graph.allOf("apigatewayv2/stage").map(({ inputs }) => inputs["defaultRouteSettings"]),
            ...graph.allOf("apigateway/methodSettings").map(({ inputs }) => inputs["settings"]),
        ] as readonly Readonly<Record<string, unknown>>[];
        expect(settings.length).toBe(3);
        for (const limits of settings) {
            expect(limits["throttlingRateLimit"]).toBeGreaterThan(0);
            expect(limits["throttlingBurstLimit"]).toBeGreaterThan(0);
        }
    });

    test("access logs have no tokens and no notifications", () => {
        const stages = [...graph.allOf("apigatewayv2/stage"), ...graph.allOf("apigateway/stage")];
        const logged = stages.filter(({ inputs }) => inputs["accessLogSettings"] !== undefined);
        expect(logged.map(({ name }) => name).sort()).toEqual(stack === "dev" ? ["tokens"] : ["clients", "producers", "tokens"]);
        for (const { inputs, name } of logged) {
            const { format, destinationArn } = inputs["accessLogSettings"] as { readonly format: string; readonly destinationArn: string };
            expect(destinationArn).toBe(graph.resource("cloudwatch/logGroup", name).outputs["arn"]);
            expect(parseJson(format)).toMatchObject({ requestId: "$context.requestId", status: "$context.status" });
            expect(format).not.toMatch(/querystring|token|context\.path|authorizer|header|body|\$input|\$stageVariables/i);
        }
        for (const { inputs } of [...graph.allOf("apigatewayv2/stage")]) {
            const { dataTraceEnabled, loggingLevel } = inputs["defaultRouteSettings"] as Readonly<Record<string, unknown>>;
            expect([dataTraceEnabled ?? false, loggingLevel ?? "OFF"]).toEqual([false, "OFF"]);
        }
        const rest = graph.resource("apigateway/methodSettings", "producers").inputs["settings"];
        expect(rest).toMatchObject({ dataTraceEnabled: false, loggingLevel: "OFF" });
    });

    test("stages wait for API Gateway's role to write logs", () => {
        const account = graph.anyOf("apigateway/account")[0];
        expect(account === undefined).toBe(stack !== "issuer");
        if (account !== undefined) {
            for (const stage of [graph.resource("apigatewayv2/stage", "clients"), graph.resource("apigateway/stage", "producers")]) {
                expect(graph.waitsFor(stage, account), stage.name).toBe(true);
            }
            const role = graph.resource("iam/role", "api-gateway-logs");
            const kept = [account, role, graph.resource("iam/rolePolicyAttachment", "api-gateway-logs")];
            expect(kept.map(({ retainOnDelete }) => retainOnDelete), "other APIs of the account need them").toEqual([true, true, true]);
            expect(role.inputs["name"], "a second stack makes another role").toBeUndefined();
            expect(account.inputs["cloudwatchRoleArn"]).toBe(role.outputs["arn"]);
            expect(statements(role.inputs["assumeRolePolicy"])).toMatchObject([{ Principal: { Service: "apigateway.amazonaws.com" } }]);
        }
    });
});
