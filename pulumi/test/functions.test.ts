import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, test } from "vitest";

import { contract, findByName, type ResourceName } from "../src/contract.js";
import { checkResources, ACTIONS_WITHOUT_RESOURCE } from "../src/policies.js";
import { programGraph } from "./mocks/in-process.js";
import { STACK_NAMES } from "./mocks/stacks.js";
import { asList, statements, type Graph } from "./graph.js";

/** Returns the expected value and ARN of each kind of resource; undefined for one that the stack does not have. */
function expectedResources(graph: Graph): Readonly<Record<ResourceName, { readonly value: unknown; readonly arn: unknown } | undefined>> {
    const table = (name: string): { value: unknown; arn: unknown } => {
        const { inputs, outputs } = graph.resource("dynamodb/table", name);
        return { value: inputs["name"], arn: outputs["arn"] };
    };
    const queue = (name: string): { value: unknown; arn: unknown } => {
        const { outputs } = graph.resource("sqs/queue", name);
        return { value: outputs["url"], arn: outputs["arn"] };
    };
    const secret = (name: string): { value: unknown; arn: unknown } | undefined => {
        const arn = graph.anyOf("secretsmanager/secret").find((resource) => resource.name === name)?.outputs["arn"];
        return arn === undefined ? undefined : { value: arn, arn };
    };
    const stream = graph.resource("dynamodb/table", "connections").outputs["streamArn"];
    const key = graph.resource("kms/key", "tokens").outputs["arn"];
    const api = graph.resource("apigatewayv2/api", "clients");
    const stage = String(graph.resource("apigatewayv2/stage", "clients").inputs["name"]);
    return {
        connectionsTable: table("connections"),
        connectionsStream: { value: stream, arn: stream },
        mailboxTable: table("mailbox"),
        hubsTable: table("hubs"),
        ratesTable: table("rates"),
        tokensTable: table("tokens"),
        historyTable: graph.allOf("dynamodb/table").some(({ name }) => name === "history") ? table("history") : undefined,
        notificationsQueue: queue("notifications"),
        deadLetterQueue: queue("dead-letters"),
        replayFailureQueue: queue("replay-failures"),
        tokenKey: { value: key, arn: key },
        jwtSecret: secret("jwt"),
        hmacSecret: secret("hmac"),
        connections: {
            value: `https://${api.id}.execute-api.eu-central-1.amazonaws.com/${stage}`,
            arn: `${String(api.outputs["executionArn"])}/${stage}/POST/@connections/*`,
        },
        connectionDeletions: {
            value: undefined,
            arn: `${String(api.outputs["executionArn"])}/${stage}/DELETE/@connections/*`,
        },
    };
}

describe.each(STACK_NAMES)("functions of %s", (stack) => {
    let graph: Graph;
    beforeAll(async () => {
        graph = await programGraph(stack);
    });

    test("have runtime, architecture and archive of their contract", () => {
        expect(graph.allOf("lambda/function").map(({ name }) => name).sort()).toEqual(contract.functions.map(({ name }) => name).sort());
        for (const { name, timeoutSeconds } of contract.functions) {
            const { inputs } = graph.resource("lambda/function", name);
            expect(inputs).toMatchObject({
                runtime: "provided.al2023",
                architectures: ["arm64"],
                handler: "bootstrap",
                timeout: timeoutSeconds,
                tracingConfig: { mode: "Active" },
            });
            expect((inputs["code"] as { readonly path: string }).path.endsWith(`/${name}.zip`)).toBe(true);
        }
    });

    test("have exactly their variables, with the right resources", () => {
        const resources = expectedResources(graph);
        for (const spec of contract.functions) {
            const environment = graph.environment(spec.name);
            const known = spec.variables.map(({ name }) => name);
            expect(Object.keys(environment).filter((name) => !known.includes(name)), `unknown to ${spec.name}`).toEqual([]);
            for (const { name, resource } of spec.variables) {
                if (resource !== undefined) {
                    expect(environment[name], `${spec.name}: ${name}`).toBe(resources[resource]?.value);
                }
            }
        }
    });

    test("have exactly the permissions of their contract", () => {
        const resources = expectedResources(graph);
        for (const spec of contract.functions) {
            const role = graph.resource("iam/role", spec.name);
            expect(graph.resource("lambda/function", spec.name).inputs["role"]).toBe(role.outputs["arn"]);
            const log = graph.resource("cloudwatch/logGroup", spec.name);
            const withResource = (actions: readonly string[]): readonly string[] => actions.filter((action) => action !== "dynamodb:ListStreams");
            const onAll = spec.name === "replayer" ? ["dynamodb:ListStreams"] : [];
            expect(graph.roleStatements(role.id)).toEqual([
                ...spec.permissions
                    .filter(({ resource }) => resources[resource] !== undefined)
                    .map(({ resource, actions }) => ({ Effect: "Allow", Action: withResource(actions), Resource: resources[resource]?.arn })),
                { Effect: "Allow", Action: ["logs:CreateLogStream", "logs:PutLogEvents"], Resource: `${String(log.outputs["arn"])}:*` },
                { Effect: "Allow", Action: [...onAll, "xray:PutTraceSegments", "xray:PutTelemetryRecords"], Resource: "*" },
            ]);
        }
    });

    test("policies have no avoidable wildcards", () => {
        for (const policy of graph.allOf("iam/rolePolicy")) {
            for (const { Effect, Action, Resource } of statements(policy.inputs["policy"])) {
                expect(Effect).toBe("Allow");
                for (const action of asList(Action)) {
                    expect(action, policy.name).toMatch(/^[a-z0-9-]+:[A-Za-z]+$/);
                    // An ARN may end with a wildcard for the streams of a log group or the connections of a stage.
                    const isNamed = /^arn:aws:[^*]+(:\*|\/@connections\/\*|[^*])$/.test(Resource ?? "");
                    expect(isNamed || ACTIONS_WITHOUT_RESOURCE.has(action), `${policy.name}: ${action} on ${String(Resource)}`).toBe(true);
                }
            }
        }
    });

    test("each have their own role, which only Lambda may assume", () => {
        const roles = contract.functions.map(({ name }) => graph.resource("lambda/function", name).inputs["role"]);
        expect(new Set(roles).size).toBe(roles.length);
        for (const { name } of contract.functions) {
            expect(statements(graph.resource("iam/role", name).inputs["assumeRolePolicy"])).toEqual([
                {
                    Effect: "Allow",
                    Action: "sts:AssumeRole",
                    Principal: { Service: "lambda.amazonaws.com" },
                },
            ]);
        }
    });

    test("have a log group with retention before their first log", () => {
        for (const { inputs, name } of graph.allOf("cloudwatch/logGroup")) {
            expect(inputs["retentionInDays"], name).toBeGreaterThan(0);
        }
        for (const { name } of contract.functions) {
            const log = graph.resource("cloudwatch/logGroup", name);
            const lambda = graph.resource("lambda/function", name);
            expect(log.inputs["name"]).toBe(`/aws/lambda/${String(lambda.inputs["name"])}`);
            expect(graph.waitsFor(lambda, log), name).toBe(true);
            expect(graph.waitsFor(lambda, graph.resource("iam/rolePolicy", name)), name).toBe(true);
        }
    });
});

describe("the check of a function's resources", () => {
    const issuer = findByName(contract.functions, "auth-token-issuer");
    const resource = { value: pulumi.output("x"), arn: pulumi.output("x") };

    test("refuses a missing resource", () => {
        expect(() => {
            checkResources(issuer, { tokensTable: resource });
        }).toThrow("auth-token-issuer lacks resources of its contract: tokenKey");
    });

    test("allows an optional resource to be missing", () => {
        const edge = findByName(contract.functions, "ws-edge");
        const needed = {
            connectionsTable: resource,
            mailboxTable: resource,
            hubsTable: resource,
            ratesTable: resource,
            notificationsQueue: resource,
            connections: resource,
            connectionDeletions: resource,
        };
        expect(() => {
            checkResources(edge, needed);
            checkResources(edge, { ...needed, historyTable: resource });
        }).not.toThrow();
        expect(() => {
            checkResources(edge, { connectionsTable: resource, historyTable: resource });
        }).toThrow("ws-edge lacks resources of its contract: mailboxTable");
    });

    test("refuses a resource that the contract does not list", () => {
        expect(() => {
            checkResources(issuer, { tokensTable: resource, tokenKey: resource, mailboxTable: resource });
        }).toThrow("has resources that its contract does not list: mailboxTable");
    });
});

test("an environment above 4 KB is refused before anything is made", async () => {
    // The region of the mocks' addresses.
    const sixteen = { "aws:region": "eu-central-1", "tidings:queues": 16, "tidings:dispatcherMaximumConcurrency": 50, "tidings:history": true };
    const named = (length: number): Promise<Graph> => programGraph("dev", sixteen, { stackName: "s".repeat(length) });
    await expect(named(34)).rejects.toThrow(/^the environment of dispatcher has 4[0-9]{3} bytes, and Lambda takes 4096/);
    const { variables } = (await named(20)).resource("lambda/function", "dispatcher").inputs["environment"] as { readonly variables: object };
    expect(JSON.stringify(variables).length).toBeLessThanOrEqual(4096);
});
