import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { beforeAll, describe, expect, test } from "vitest";

import { contract, findByName } from "../src/contract.js";
import { ACTIONS_WITHOUT_RESOURCE, ROLE_SERVICES } from "../src/policies.js";
import { asList, parseJson, statements, type Graph, type Statement } from "./graph.js";
import { programGraph } from "./mocks/in-process.js";
import { STACK_NAMES } from "./mocks/stacks.js";
import { actionOf, ADAPTERS, CALLS_OF_LAMBDA, callsIn, SHARED, verbOf } from "./policies/calls.js";
import { resourceArns } from "./policies/resources.js";

/** Interpreter with policy-sentry and parliament, which scripts/pulumi-check installs. */
const PYTHON = process.env["TIDINGS_POLICY_PYTHON"] ?? "python3";

const KEY = "kms/key operations policy: parliament: ";

/**
 * Findings that are accepted, each with the reason. AWS asks for this policy of a key for logs
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html).
 */
const ACCEPTED: Readonly<Record<string, string>> = {
    [`${KEY}UNKNOWN_CONDITION_FOR_ACTION: Unknown condition kms:EncryptionContext:aws:logs:arn for action kms:DescribeCustomKeyStores`]:
        "kms:Describe* is as AWS writes it; this call has no key, so the policy of a key can't allow it",
    [`${KEY}UNKNOWN_CONDITION_FOR_ACTION: Unknown condition kms:EncryptionContext:aws:logs:arn for action kms:DescribeKey`]:
        "kms:Describe* is as AWS writes it",
    [`${KEY}MISMATCHED_TYPE: Type mismatch: ArnLike requires a value of type Arn but given String`]:
        "the encryption context of logs is the ARN of the group",
};

interface Policy {
    readonly name: string;
    readonly kind: "identity" | "trust" | "resource";
    readonly document: unknown;
}

/** Returns every policy of a graph. Permissions of functions are policies too, of which the program writes no document. */
function policiesOf(graph: Graph): readonly Policy[] {
    return graph.resources.filter(({ custom }) => custom).flatMap(({ type, name, inputs }): readonly Policy[] => {
        const path = type.replace(/^aws:([^:]+):.*$/, "$1");
        if (path === "lambda/permission") {
            const { action: Action, principal: Service, sourceArn, function: invoked } = inputs;
            const functions = graph.allOf("lambda/function").filter((one) => one.inputs["name"] === invoked);
            const Condition = { ArnLike: { "aws:SourceArn": sourceArn } };
            const Statement = functions.map(({ outputs }) => ({ Effect: "Allow", Action, Principal: { Service }, Resource: outputs["arn"], Condition }));
            return [{ name: `${path} ${name}`, kind: "resource", document: { Version: "2012-10-17", Statement } }];
        }
        const documents = Object.entries(inputs).filter(([, value]) => typeof value === "string" && value.includes('"Statement"'));
        return documents.map(([key, value]) => {
            const kind = key === "assumeRolePolicy" ? "trust" : path === "iam/rolePolicy" ? "identity" : "resource";
            return { name: `${path} ${name} ${key}`, kind, document: parseJson(value) };
        });
    });
}

/** Checks policies with `check.py` and returns what it finds. */
function findingsOf(policies: readonly Policy[]): readonly string[] {
    const checked = spawnSync(PYTHON, ["-W", "ignore", join(__dirname, "policies/check.py")], { encoding: "utf8", input: JSON.stringify(policies) });
    if (checked.error !== undefined || checked.status !== 0) {
        throw new Error(`can't check policies with ${PYTHON}; scripts/pulumi-check installs what it needs\n${checked.stderr}`, { cause: checked.error });
    }
    return JSON.parse(checked.stdout) as readonly string[];
}

/** Returns true if statements allow an action on an ARN. */
function allows(allowed: readonly Statement[], action: string, arn: string): boolean {
    const matches = (pattern: string, text: string): boolean =>
        new RegExp(`^${pattern.split("*").map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&")).join(".*")}$`).test(text);
    return allowed.some(
        ({ Effect, Action, Resource = "", Condition }) =>
            Effect === "Allow" && Condition === undefined && asList(Action).includes(action) && matches(Resource, arn),
    );
}

describe.each(STACK_NAMES)("policies of %s", (stack) => {
    let graph: Graph;
    beforeAll(async () => {
        graph = await programGraph(stack);
    });

    test("are right by the service authorization reference and by parliament", () => {
        const policies = policiesOf(graph);
        const ofKind = (kind: string): number => policies.filter((policy) => policy.kind === kind).length;
        expect(ofKind("identity")).toBe(graph.allOf("iam/rolePolicy").length);
        expect(ofKind("trust")).toBe(graph.allOf("iam/role").length);
        expect(ofKind("resource")).toBeGreaterThan(graph.allOf("lambda/permission").length);
        const hasOperationsKey = graph.anyOf("kms/key").some(({ name }) => name === "operations");
        expect(hasOperationsKey).toBe(stack !== "dev");
        expect([...findingsOf(policies)].sort()).toEqual(hasOperationsKey ? Object.keys(ACCEPTED).sort() : []);
    });

    test("let a service assume a role without a condition that its documentation does not name", () => {
        for (const { name, inputs } of graph.allOf("iam/role")) {
            for (const { Principal, Condition } of statements(inputs["assumeRolePolicy"])) {
                expect(Object.keys(ROLE_SERVICES), name).toContain((Principal as { readonly Service: string }).Service);
                expect(Condition, name).toBeUndefined();
            }
        }
    });

    test("allow every call of the functions", () => {
        const arns = resourceArns(graph);
        for (const [file, adapters] of Object.entries(ADAPTERS)) {
            for (const { functions, calls } of adapters) {
                for (const [functionName, call, resource] of functions.flatMap((one) =>
                    Object.entries(calls).flatMap(([name, resources]) => resources.map((of) => [one, name, of] as const)),
                )) {
                    const arn = arns[resource](verbOf(call));
                    const allowed = graph.roleStatements(graph.resource("iam/role", functionName).id);
                    expect(arn === undefined || allows(allowed, actionOf(call), arn), `${file}: ${call} on ${String(arn)}`).toBe(true);
                }
            }
        }
    });
});

test("the list of calls is that of the sources", () => {
    const ofFunctions = ["auth-token", "dispatcher", "replayer", "ws-edge"].map((service) => callsIn(`${service}/lambda/src`));
    const listed = Object.entries(ADAPTERS).map(([file, adapters]) => [file, [...new Set(adapters.flatMap(({ calls }) => Object.keys(calls)))].sort()]);
    expect(Object.assign({}, ...ofFunctions)).toEqual(Object.fromEntries(listed));
    const shared = Object.entries(SHARED).map(([file, { call }]) => [`shared/aws/src/${file}`, [call]]);
    expect(callsIn("shared/aws/src")).toEqual(Object.fromEntries(shared));
});

test("the contract allows nothing that no call needs", () => {
    const needed = new Set([
        ...Object.values(ADAPTERS).flat().flatMap(({ functions, calls }) =>
            functions.flatMap((one) => Object.entries(calls).flatMap(([call, resources]) => resources.map((resource) => `${one}: ${actionOf(call)} on ${resource}`))),
        ),
        ...CALLS_OF_LAMBDA.flatMap(({ functionName, resource, actions }) => actions.map((action) => `${functionName}: ${action} on ${resource}`)),
    ]);
    const allowed = contract.functions.flatMap(({ name, permissions }) =>
        permissions.flatMap(({ resource, actions }) => actions.map((action) => `${name}: ${action} on ${resource}`)),
    );
    expect(allowed.filter((one) => !needed.has(one))).toEqual([]);
    expect([...needed].filter((one) => !allowed.includes(one))).toEqual([]);
});

test("only actions without resources are allowed on all", () => {
    const { permissions } = findByName(contract.functions, "replayer");
    expect(permissions.flatMap(({ actions }) => actions).filter((action) => ACTIONS_WITHOUT_RESOURCE.has(action))).toEqual(["dynamodb:ListStreams"]);
});

describe("the check of policies finds", () => {
    const QUEUE = "arn:aws:sqs:eu-central-1:123456789012:q";
    const TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table/t";
    const GROUP = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/f";
    const WRONG = [
        ["sqs:SendMessages", QUEUE, "there is no action sqs:SendMessages"],
        ["sqs:SendMessageBatch", QUEUE, "there is no action sqs:SendMessageBatch"],
        ["queue:SendMessage", QUEUE, "there is no action queue:SendMessage"],
        ["sqs:SendMessage", TABLE, `sqs:SendMessage supports no resource like ${TABLE}`],
        ["sqs:SendMessage", `${QUEUE}/*`, `sqs:SendMessage supports no resource like ${QUEUE}/*`],
        ["sqs:SendMessage", "*", "sqs:SendMessage on * instead of the resources that it supports"],
        ["dynamodb:GetRecords", TABLE, `dynamodb:GetRecords supports no resource like ${TABLE}`],
        ["dynamodb:ListStreams", `${TABLE}/stream/1`, `dynamodb:ListStreams supports no resource like ${TABLE}/stream/1`],
        ["logs:PutLogEvents", GROUP, `logs:PutLogEvents supports no resource like ${GROUP}`],
    ] as const;
    const RIGHT = [
        ["sqs:SendMessage", QUEUE],
        ["sqs:Send*", QUEUE],
        ["dynamodb:Query", TABLE],
        ["dynamodb:GetRecords", `${TABLE}/stream/2026-01-01T00:00:00.000`],
        ["dynamodb:ListStreams", "*"],
        ["logs:PutLogEvents", `${GROUP}:*`],
        ["execute-api:ManageConnections", "arn:aws:execute-api:eu-central-1:123456789012:a/v1/DELETE/@connections/*"],
    ] as const;
    let findings: readonly string[];
    beforeAll(() => {
        // All at once, because starting the check takes a second.
        findings = findingsOf(
            [...WRONG, ...RIGHT].map(([Action, Resource]) => ({
                name: `${Action} on ${Resource}`,
                kind: "identity",
                document: { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, Resource }] },
            })),
        );
    });
    const about = (action: string, resource: string): readonly string[] => findings.filter((finding) => finding.startsWith(`${action} on ${resource}: `));

    test.each(WRONG)("%s on %s", (action, resource, finding) => {
        expect(about(action, resource)).toContain(`${action} on ${resource}: ${finding}`);
    });

    test.each(RIGHT)("nothing in %s on %s", (action, resource) => {
        expect(about(action, resource)).toEqual([]);
    });
});
