import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, test } from "vitest";

import { contract, named, type ResourceName } from "../src/contract.js";
import { checkTargets, WITHOUT_RESOURCE } from "../src/policies.js";
import { graph } from "./engine/in-process.js";
import { STACK_NAMES } from "./engine/stacks.js";
import { many, statements, type Graph } from "./graph.js";

/** What variables have to name, and permissions have to be for. */
function targets(made: Graph): Readonly<Record<ResourceName, { readonly value: unknown; readonly arn: unknown } | undefined>> {
    const table = (name: string): { value: unknown; arn: unknown } => {
        const { inputs, outputs } = made.one("dynamodb/table", name);
        return { value: inputs["name"], arn: outputs["arn"] };
    };
    const queue = (name: string): { value: unknown; arn: unknown } => {
        const { outputs } = made.one("sqs/queue", name);
        return { value: outputs["url"], arn: outputs["arn"] };
    };
    const secret = (name: string): { value: unknown; arn: unknown } | undefined => {
        const arn = made.ifAny("secretsmanager/secret").find((one) => one.name === name)?.outputs["arn"];
        return arn === undefined ? undefined : { value: arn, arn };
    };
    const stream = made.one("dynamodb/table", "connections").outputs["streamArn"];
    const key = made.one("kms/key", "tokens").outputs["arn"];
    const api = made.one("apigatewayv2/api", "clients");
    const stage = String(made.one("apigatewayv2/stage", "clients").inputs["name"]);
    return {
        connectionsTable: table("connections"),
        connectionsStream: { value: stream, arn: stream },
        mailboxTable: table("mailbox"),
        hubsTable: table("hubs"),
        ratesTable: table("rates"),
        tokensTable: table("tokens"),
        historyTable: made.of("dynamodb/table").some((one) => one.name === "history") ? table("history") : undefined,
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
    };
}

function variables(made: Graph, name: string): Readonly<Record<string, unknown>> {
    const { environment } = made.one("lambda/function", name).inputs as {
        readonly environment: { readonly variables: Readonly<Record<string, unknown>> };
    };
    return environment.variables;
}

describe.each(STACK_NAMES)("functions of %s", (stack) => {
    let made: Graph;
    beforeAll(async () => {
        made = await graph(stack);
    });

    test("are those of the contract, on arm64 and the runtime for binaries, from the archives", () => {
        expect(made.of("lambda/function").map((one) => one.name).sort()).toEqual(contract.functions.map((one) => one.name).sort());
        for (const { name, timeoutSeconds } of contract.functions) {
            const { inputs } = made.one("lambda/function", name);
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

    test("have the variables that they read, no others, each naming its own resource", () => {
        const resources = targets(made);
        for (const own of contract.functions) {
            const given = variables(made, own.name);
            const known = own.variables.map((one) => one.name);
            expect(Object.keys(given).filter((name) => !known.includes(name)), `unknown to ${own.name}`).toEqual([]);
            for (const { name, resource } of own.variables) {
                if (resource !== undefined) {
                    expect(given[name], `${own.name}: ${name}`).toBe(resources[resource]?.value);
                }
            }
        }
    });

    test("may do what the contract says, on the resources it names, and write logs and traces", () => {
        const resources = targets(made);
        for (const own of contract.functions) {
            const role = made.one("iam/role", own.name);
            expect(made.one("lambda/function", own.name).inputs["role"]).toBe(role.outputs["arn"]);
            const log = made.one("cloudwatch/logGroup", own.name);
            expect(made.statements(role.id)).toEqual([
                ...own.permissions
                    .filter(({ resource }) => resources[resource] !== undefined)
                    .map(({ resource, actions }) => ({ Effect: "Allow", Action: actions, Resource: resources[resource]?.arn })),
                { Effect: "Allow", Action: ["logs:CreateLogStream", "logs:PutLogEvents"], Resource: `${String(log.outputs["arn"])}:*` },
                { Effect: "Allow", Action: [...WITHOUT_RESOURCE.keys()], Resource: "*" },
            ]);
        }
    });

    test("no policy allows a wildcard, but for actions that AWS has no resource for", () => {
        for (const policy of made.of("iam/rolePolicy")) {
            for (const { Effect, Action, Resource } of statements(policy.inputs["policy"])) {
                expect(Effect).toBe("Allow");
                for (const action of many(Action)) {
                    expect(action, policy.name).toMatch(/^[a-z0-9-]+:[A-Za-z]+$/);
                    // The end of an ARN may be one: a log's streams, the connections of a stage.
                    const isNamed = /^arn:aws:[^*]+(:\*|\/@connections\/\*|[^*])$/.test(Resource ?? "");
                    expect(isNamed || WITHOUT_RESOURCE.has(action), `${policy.name}: ${action} on ${String(Resource)}`).toBe(true);
                }
            }
        }
    });

    test("each has a role of its own that Lambda alone may take", () => {
        const roles = contract.functions.map((one) => made.one("lambda/function", one.name).inputs["role"]);
        expect(new Set(roles).size).toBe(roles.length);
        for (const { name } of contract.functions) {
            expect(statements(made.one("iam/role", name).inputs["assumeRolePolicy"])).toEqual([
                { Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: "lambda.amazonaws.com" } },
            ]);
        }
    });

    test("logs end: every log group has a retention, and is there before what writes to it", () => {
        for (const { inputs, name } of made.of("cloudwatch/logGroup")) {
            expect(inputs["retentionInDays"], name).toBeGreaterThan(0);
        }
        for (const { name } of contract.functions) {
            const log = made.one("cloudwatch/logGroup", name);
            const one = made.one("lambda/function", name);
            expect(log.inputs["name"]).toBe(`/aws/lambda/${String(one.inputs["name"])}`);
            expect(made.waits(one, log), name).toBe(true);
            expect(made.waits(one, made.one("iam/rolePolicy", name)), name).toBe(true);
        }
    });
});

describe("a function's resources", () => {
    const own = named(contract.functions, "auth-token-issuer");
    const target = { value: pulumi.output("x"), arn: pulumi.output("x") };

    test("are all that its contract needs", () => {
        expect(() => {
            checkTargets(own, { tokensTable: target });
        }).toThrow("auth-token-issuer is not given tokenKey");
    });

    test("may lack what a deployment may do without, and nothing else", () => {
        const edge = named(contract.functions, "ws-edge");
        const needed = {
            connectionsTable: target,
            mailboxTable: target,
            hubsTable: target,
            ratesTable: target,
            notificationsQueue: target,
            connections: target,
        };
        expect(() => {
            checkTargets(edge, needed);
            checkTargets(edge, { ...needed, historyTable: target });
        }).not.toThrow();
        expect(() => {
            checkTargets(edge, { connectionsTable: target, historyTable: target });
        }).toThrow("ws-edge is not given mailboxTable");
    });

    test("are none that its contract does not know", () => {
        expect(() => {
            checkTargets(own, { tokensTable: target, tokenKey: target, mailboxTable: target });
        }).toThrow("is given mailboxTable, which its contract does not know");
    });
});
