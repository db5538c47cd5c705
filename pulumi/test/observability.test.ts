import { beforeAll, describe, expect, test } from "vitest";

import { contract } from "../src/contract.js";
import { graph } from "./engine/in-process.js";
import { STACK_NAMES } from "./engine/stacks.js";
import { json, type Graph } from "./graph.js";

/** What somebody is to be told of, by metric and dimension. */
const ALARMS = [
    ["ApproximateAgeOfOldestMessage", "notifications.fifo"],
    ["ApproximateNumberOfMessagesVisible", "dead-letters.fifo"],
    ["ApproximateNumberOfMessagesVisible", "replay-failures"],
    ["Errors", "dispatcher"],
    ["IteratorAge", "replayer"],
    ...contract.functions.map(({ name }) => ["Throttles", name] as const),
] as const;

describe.each(STACK_NAMES)("observability of %s", (stack) => {
    let made: Graph;
    beforeAll(async () => {
        made = await graph(stack);
    });

    test.each(ALARMS)("%s of %s has an alarm", (metricName, of) => {
        const alarms = made.of("cloudwatch/metricAlarm").filter(({ inputs }) => {
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

    test("alarms tell whom the configuration names", () => {
        const topics = {
            dev: [],
            prod: made.ifAny("sns/topic").map((one) => one.outputs["arn"]),
            issuer: ["arn:aws:sns:eu-central-1:123456789012:operations"],
        }[stack];
        expect(topics.length).toBe(stack === "dev" ? 0 : 1);
        for (const { inputs, name } of made.of("cloudwatch/metricAlarm")) {
            expect(inputs["alarmActions"], name).toEqual(topics);
        }
    });

    test("the dashboard shows every queue and function", () => {
        const { inputs } = made.one("cloudwatch/dashboard", "observability");
        const { widgets } = json(inputs["dashboardBody"]) as {
            readonly widgets: readonly { readonly properties: { readonly region: string; readonly metrics: readonly string[][] } }[];
        };
        const shown = new Set(widgets.flatMap((one) => one.properties.metrics.map((metric) => metric.at(-1))));
        const names = [...made.of("lambda/function"), ...made.of("sqs/queue")].map((one) => one.inputs["name"]);
        for (const name of [...names, made.one("apigatewayv2/api", "clients").id]) {
            expect(shown).toContain(name);
        }
        expect(new Set(widgets.map((one) => one.properties.region))).toEqual(new Set(["eu-central-1"]));
    });

    test("every resource that can have tags says its project and stack", () => {
        // What of these has no tags on AWS
        // (https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html).
        const untagged = new Set([
            "Account", "Alias", "Authorizer", "Dashboard", "Deployment", "Integration", "IntegrationResponse", "Method",
            "MethodResponse", "MethodSettings", "Model", "Permission", "QueuePolicy", "RedriveAllowPolicy", "RequestValidator",
            "Resource", "RolePolicy", "RolePolicyAttachment", "Route", "RouteResponse", "TopicSubscription", "UserPoolClient",
        ]);
        for (const { inputs, type, name } of made.resources.filter((one) => one.custom)) {
            const kind = type.split(":")[2] ?? "";
            const tags = untagged.has(kind) ? undefined : { project: "tidings", stack };
            expect(inputs["tags"], `${type} ${name}`).toEqual(tags);
        }
    });

    test("every component and resource is under the gateway", () => {
        const parents = new Map(made.resources.map((one) => [one.urn, one.parent]));
        for (const one of made.resources.filter((each) => !each.type.endsWith(":Stack") && !each.type.endsWith(":Gateway"))) {
            let above = one.parent;
            for (let depth = 0; depth < 4 && !above.includes("tidings:index:Gateway::"); depth += 1) {
                above = parents.get(above) ?? "";
            }
            expect(above, one.urn).toContain("tidings:index:Gateway::gateway");
        }
    });

    test("outputs say where everything is", () => {
        const { outputs } = made;
        expect(outputs["webSocketUrl"]).toBe(made.one("apigatewayv2/stage", "clients").outputs["invokeUrl"]);
        expect(outputs["tokenUrl"]).toMatch(/^https:\/\/[a-z0-9.-]+\/token$/);
        expect(outputs["producerUrl"]).toMatch(/^https:\/\/[a-z0-9.-]+\/v1\/notifications$/);
        const queue = made.one("sqs/queue", "notifications").outputs;
        expect([outputs["queueUrl"], outputs["queueArn"]]).toEqual([queue["url"], queue["arn"]]);
        expect(outputs["deadLetterUrl"]).toBe(made.one("sqs/queue", "dead-letters").outputs["url"]);
        expect(outputs["tables"]).toEqual(
            Object.fromEntries(contract.tables.filter((one) => !one.optional || stack === "issuer").map(({ name }) => [name, made.one("dynamodb/table", name).inputs["name"]])),
        );
        expect(outputs["dashboardUrl"]).toContain(`dashboards/dashboard/tidings-${stack}`);
    });
});
