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
            const [dimension] = Object.values(inputs["dimensions"] as Readonly<Record<string, unknown>>);
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
