import { beforeAll, describe, expect, test } from "vitest";

import { contract } from "../src/contract.js";
import { programGraph } from "./mocks/in-process.js";
import { STACK_NAMES } from "./mocks/stacks.js";
import { parseJson, type Graph } from "./graph.js";

/** Metrics and resources that must have an alarm. */
const ALARMS = [
    ["ApproximateAgeOfOldestMessage", "notifications.fifo"],
    ["ApproximateNumberOfMessagesVisible", "dead-letters.fifo"],
    ["ApproximateNumberOfMessagesVisible", "replay-failures"],
    ["Errors", "dispatcher"],
    ["IteratorAge", "replayer"],
    ...contract.functions.map(({ name }) => ["Throttles", name] as const),
] as const;

describe.each(STACK_NAMES)("observability of %s", (stack) => {
    let graph: Graph;
    beforeAll(async () => {
        graph = await programGraph(stack);
    });

    test.each(ALARMS)("%s of %s has an alarm", (metricName, of) => {
        const alarms = graph.allOf("cloudwatch/metricAlarm").filter(({ inputs }) => {
            const [dimension] = Object.values((inputs["dimensions"] ?? {}) as Readonly<Record<string, unknown>>);
            return inputs["metricName"] === metricName && dimension === `tidings-${stack}-${of}`;
        });
        expect(alarms.length).toBe(1);
        for (const { inputs } of alarms) {
            expect(inputs["comparisonOperator"]).toBe("GreaterThanThreshold");
            expect(inputs["treatMissingData"]).toBe("notBreaching");
            const isAge = metricName.includes("Age");
            expect(inputs["threshold"]).toSatisfy((threshold: number) => (isAge ? threshold > 0 : threshold === 0));
        }
    });

    /** Returns the only alarm on a metric with these dimensions. */
    function alarmOn(metricName: string, dimensions: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
        const found = graph.allOf("cloudwatch/metricAlarm").filter(
            ({ inputs }) => inputs["metricName"] === metricName && JSON.stringify(inputs["dimensions"]) === JSON.stringify(dimensions),
        );
        expect(found.length).toBe(1);
        return found[0]?.inputs ?? {};
    }

    test("errors of each API have an alarm", () => {
        const id = (name: string): string => graph.resource("apigatewayv2/api", name).id;
        const watched = [
            alarmOn("ExecutionError", { ApiId: id("clients") }),
            alarmOn("5xx", { ApiId: id("tokens") }),
            alarmOn("5XXError", { ApiName: `tidings-${stack}-producers`, Stage: "v1" }),
        ];
        for (const inputs of watched) {
            expect(inputs).toMatchObject({ namespace: "AWS/ApiGateway", statistic: "Sum", threshold: 0, evaluationPeriods: 3, treatMissingData: "notBreaching" });
        }
    });

    interface Query {
        readonly id: string;
        readonly expression?: string;
        readonly returnData?: boolean;
        readonly metric?: { readonly namespace: string; readonly metricName: string; readonly dimensions: object; readonly stat: string; readonly period: number };
    }

    /** Returns the share of failures that an alarm computes from sums of its metrics. */
    function share(alarm: string, sums: Readonly<Record<string, number | undefined>>): number {
        const queries = graph.resource("cloudwatch/metricAlarm", alarm).inputs["metricQueries"] as readonly Query[];
        const { expression = "" } = queries.find(({ returnData }) => returnData === true) ?? {};
        const values = queries.flatMap(({ id, metric }) => (metric === undefined ? [] : [[id, sums[metric.metricName]] as const]));
        // The functions of CloudWatch's expressions that the alarms use.
        const functions = { IF: (condition: boolean, one: number, other: number) => (condition ? one : other), FILL: (value: number | undefined, other: number) => value ?? other };
        const names = [...Object.keys(functions), ...values.map(([id]) => id)];
        // eslint-disable-next-line @typescript-eslint/no-implied-eval -- an expression of this program
        const compute = new Function(...names, `return ${expression};`) as (...operands: unknown[]) => number;
        return compute(...Object.values(functions), ...values.map(([, value]) => value));
    }

    test.each([
        ["failed-deliveries", "AWS/SQS", { QueueName: "notifications.fifo" }, ["NumberOfMessagesReceived", "NumberOfMessagesDeleted"]],
        ["refused-handshakes", "AWS/ApiGateway", undefined, ["IntegrationError", "ConnectCount"]],
        ["auth-token-authorizer-errors", "AWS/Lambda", { FunctionName: "auth-token-authorizer" }, ["Errors", "Invocations"]],
    ])("%s has an alarm on a share", (alarm, namespace, dimensions, metricNames) => {
        const { inputs } = graph.resource("cloudwatch/metricAlarm", alarm);
        const metrics = (inputs["metricQueries"] as readonly Query[]).flatMap(({ metric }) => (metric === undefined ? [] : [metric]));
        expect(metrics.map(({ metricName }) => metricName)).toEqual(metricNames);
        const named = Object.fromEntries(Object.entries(dimensions ?? {}).map(([key, name]) => [key, `tidings-${stack}-${name}`]));
        const expected = dimensions === undefined ? { ApiId: graph.resource("apigatewayv2/api", "clients").id } : named;
        for (const metric of metrics) {
            expect(metric).toMatchObject({ namespace, dimensions: expected, stat: "Sum", period: 300 });
        }
        expect(inputs).toMatchObject({ comparisonOperator: "GreaterThanThreshold", treatMissingData: "notBreaching", datapointsToAlarm: 2 });
    });

    test("a dispatcher that delivers nothing sets off an alarm, without an error of Lambda", () => {
        const threshold = Number(graph.resource("cloudwatch/metricAlarm", "failed-deliveries").inputs["threshold"]);
        const of = (received: number, deleted?: number): number => share("failed-deliveries", { NumberOfMessagesReceived: received, NumberOfMessagesDeleted: deleted });
        expect(of(40)).toBeGreaterThan(threshold);
        expect(of(40, 0)).toBeGreaterThan(threshold);
        expect(of(40, 39)).toBeLessThan(threshold);
        expect(of(0, 0)).toBeLessThan(threshold);
    });

    test.each([
        ["refused-handshakes", "IntegrationError", "ConnectCount"],
        ["auth-token-authorizer-errors", "Errors", "Invocations"],
    ])("%s go off when every handshake fails, and not for a single client", (alarm, failed, all) => {
        const threshold = Number(graph.resource("cloudwatch/metricAlarm", alarm).inputs["threshold"]);
        expect(share(alarm, { [failed]: 20, [all]: 20 })).toBeGreaterThan(threshold);
        expect(share(alarm, { [failed]: 1, [all]: 1 })).toBeLessThan(threshold);
        expect(share(alarm, { [failed]: 5, [all]: 100 })).toBeLessThan(threshold);
        expect(share(alarm, { [all]: 100 })).toBeLessThan(threshold);
    });

    test("alarms notify the topics of the configuration", () => {
        const topics = {
            dev: [],
            prod: graph.anyOf("sns/topic").map(({ outputs }) => outputs["arn"]),
            issuer: ["arn:aws:sns:eu-central-1:123456789012:operations"],
        }[stack];
        expect(topics.length).toBe(stack === "dev" ? 0 : 1);
        for (const { inputs, name } of graph.allOf("cloudwatch/metricAlarm")) {
            expect(inputs["alarmActions"], name).toEqual(topics);
        }
    });

    test("the dashboard shows every queue and function", () => {
        const { inputs } = graph.resource("cloudwatch/dashboard", "observability");
        const { widgets } = parseJson(inputs["dashboardBody"]) as {
            readonly widgets: readonly { readonly properties: { readonly region: string; readonly metrics: readonly string[][] } }[];
        };
        const shown = new Set(widgets.flatMap(({ properties }) => properties.metrics.map((metric) => metric.at(-1))));
        const names = [...graph.allOf("lambda/function"), ...graph.allOf("sqs/queue")].map(({ inputs }) => inputs["name"]);
        for (const name of [...names, graph.resource("apigatewayv2/api", "clients").id]) {
            expect(shown).toContain(name);
        }
        expect(new Set(widgets.map(({ properties }) => properties.region))).toEqual(new Set(["eu-central-1"]));
    });

    test("every taggable resource has the tags project and stack", () => {
        // Resource types without tags on AWS
        // (https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html).
        const untagged = new Set([
            "Account", "Alias", "Authorizer", "Dashboard", "Deployment", "EventTarget", "Integration", "IntegrationResponse", "Method",
            "MethodResponse", "MethodSettings", "Model", "Permission", "QueuePolicy", "RedriveAllowPolicy", "RequestValidator",
            "Resource", "Response", "RolePolicy", "RolePolicyAttachment", "Route", "RouteResponse", "TopicSubscription", "UserPoolClient",
        ]);
        for (const { inputs, type, name } of graph.resources.filter(({ custom }) => custom)) {
            const kind = type.split(":")[2] ?? "";
            const tags = untagged.has(kind) ? undefined : { project: "tidings", stack };
            expect(inputs["tags"], `${type} ${name}`).toEqual(tags);
        }
    });

    test("every component and resource is under the gateway", () => {
        const parents = new Map(graph.resources.map(({ urn, parent }) => [urn, parent]));
        const below = graph.resources.filter(({ type }) => !type.endsWith(":Stack") && !type.endsWith(":Gateway"));
        for (const { urn, parent } of below) {
            let ancestor = parent;
            for (let depth = 0; depth < 4 && !ancestor.includes("tidings:index:Gateway::"); depth += 1) {
                ancestor = parents.get(ancestor) ?? "";
            }
            expect(ancestor, urn).toContain("tidings:index:Gateway::gateway");
        }
    });

    test("outputs have the addresses of all resources", () => {
        const { outputs } = graph;
        expect(outputs["webSocketUrl"]).toBe(graph.resource("apigatewayv2/stage", "clients").outputs["invokeUrl"]);
        expect(outputs["tokenUrl"]).toMatch(/^https:\/\/[a-z0-9.-]+\/token$/);
        expect(outputs["producerUrl"]).toMatch(/^https:\/\/[a-z0-9.-]+\/v1\/notifications$/);
        const queue = graph.resource("sqs/queue", "notifications").outputs;
        expect([outputs["queueUrl"], outputs["queueArn"]]).toEqual([queue["url"], queue["arn"]]);
        expect(outputs["deadLetterUrl"]).toBe(graph.resource("sqs/queue", "dead-letters").outputs["url"]);
        expect(outputs["tables"]).toEqual(
            Object.fromEntries(contract.tables.filter(({ optional }) => !optional || stack === "issuer").map(({ name }) => [name, graph.resource("dynamodb/table", name).inputs["name"]])),
        );
        expect(outputs["dashboardUrl"]).toContain(`dashboards/dashboard/tidings-${stack}`);
    });
});
