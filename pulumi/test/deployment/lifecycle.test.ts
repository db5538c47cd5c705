import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { clientConfiguration } from "../endpoint/endpoint.js";
import { NO_OMISSIONS } from "../endpoint/omissions.js";
import { forget, Project, UpdateError, type Done, type EngineStack, type StateResource } from "../endpoint/project.js";
import { handlers } from "../endpoint/provider.js";
import { replacedBy } from "../endpoint/schema/replacement.js";
import type { Settings } from "../endpoint/settings.js";
import { differences, plain } from "../endpoint/values.js";
import { PROGRAM, stackValues, type Configuration } from "../mocks/stacks.js";
import { packArchives } from "./archives.js";
import { startEmulator, type Emulator } from "./emulator.js";
import { Outside } from "./outside.js";
import { EVERY_OTHER_TYPE, REPLACED_INTEGRATION, variant } from "./variant.js";

const REGION = "us-east-1";

let emulator: Emulator;
let root: string;
let project: Project;
let outside: Outside;
let archives: { readonly before: string; readonly after: string };

beforeAll(async () => {
    // By default, the emulator's account is as large as this machine.
    emulator = await startEmulator({ LAMBDA_ACCOUNT_CONCURRENCY: "1000" });
    root = mkdtempSync(join(tmpdir(), "tidings-project-"));
    const settings: Settings = { url: emulator.url, region: REGION, functionsUrl: emulator.url, omit: NO_OMISSIONS };
    project = new Project(root, settings);
    outside = new Outside(clientConfiguration(emulator.url, REGION));
    archives = { before: packArchives("1"), after: packArchives("2") };
});

afterAll(() => {
    emulator.stop();
    forget(root);
});

/** Returns the configuration of `dev` with every optional resource. */
function everything(changes: Configuration = {}): Configuration {
    return stackValues("dev", {
        "tidings:archives": archives.before,
        "tidings:history": true,
        "tidings:handshakeMethods": ["token", "hmac"],
        "tidings:alarmEmail": "operations@example.com",
        "tidings:apiGatewayLogs": "account",
        ...changes,
    });
}

/** Returns the resources that an update changed, with what it did, as `type name: operations`. */
function changes({ operations }: Done): readonly string[] {
    const changed = [...operations].map(([urn, ops]) => [label(urn), ops.filter((op) => op !== "same" && op !== "refresh" && op !== "read")] as const);
    return changed.flatMap(([resource, ops]) => (ops.length === 0 ? [] : [`${resource}: ${ops.join(", ")}`])).sort();
}

function label(urn: string): string {
    const [, , types = "", name = ""] = urn.split("::");
    return `${types.split("$").at(-1) ?? ""} ${name}`;
}

function custom(resources: readonly StateResource[]): readonly StateResource[] {
    return resources.filter((resource) => resource.custom && resource.type.startsWith("aws:"));
}

/** Refreshes a stack and returns the inputs that the endpoint had otherwise than the state. */
async function drift(stack: EngineStack): Promise<readonly string[]> {
    const before = custom(await stack.resources());
    await stack.refresh();
    const after = new Map(custom(await stack.resources()).map(({ urn, inputs = {} }) => [urn, inputs]));
    return before.flatMap(({ urn, inputs = {} }) => {
        const found = after.get(urn);
        const told = (name: string): string => `${label(urn)}.${name}: ${JSON.stringify(inputs[name])} is ${JSON.stringify(found?.[name])}`;
        return found === undefined ? [`${label(urn)} is gone`] : differences(inputs, found).map(told);
    });
}

async function expectNoChange(stack: EngineStack): Promise<void> {
    expect(changes(await stack.preview())).toEqual([]);
}

/** Returns the types of which the provider can update a resource. */
function updatable(): readonly string[] {
    const unused = { client: clientConfiguration(emulator.url, REGION), account: "", url: emulator.url, functionsUrl: emulator.url };
    return Object.entries(handlers(unused)).flatMap(([type, { canUpdate }]) => (canUpdate ? [type] : []));
}

async function failure(update: Promise<Done>): Promise<Done> {
    const error: unknown = await update.then(() => undefined, (thrown: unknown) => thrown);
    if (!(error instanceof UpdateError)) {
        throw new Error(`the update should have failed: ${String(error)}`);
    }
    return error.done;
}

/** Steps of the life of the stack `one`, each of which begins where the one before ended. */
describe("a stack", () => {
    let one: EngineStack;
    const queueUrl = async (): Promise<string> => String((await one.outputs())["queueUrl"]);

    test("is created from nothing, and has no changes then", async () => {
        one = await project.stack("one", everything());
        const done = await one.up();
        expect(done.messages).toEqual([expect.stringContaining("replaces the role with which API Gateway writes logs")]);
        const created = custom(await one.resources());
        expect(changes(done).filter((change) => change.startsWith("aws:"))).toEqual(created.map(({ urn }) => `${label(urn)}: create`).sort());
        await expectNoChange(one);
    });

    test("is as the endpoint has it", async () => {
        expect(await drift(one)).toEqual([]);
        await expectNoChange(one);
    });

    test("learns what was changed behind its back, and mends it", async () => {
        await outside.setVisibility(await queueUrl(), 77);
        await outside.setMemory("tidings-one-dispatcher", 1024);
        await outside.deleteAlarm("tidings-one-dead-letters");
        await one.refresh();
        const found = new Map(custom(await one.resources()).map(({ urn, inputs }) => [label(urn), inputs]));
        expect(found.get("aws:sqs/queue:Queue notifications")?.["visibilityTimeoutSeconds"]).toBe(77);
        expect(found.get("aws:lambda/function:Function dispatcher")?.["memorySize"]).toBe(1024);
        expect(found.has("aws:cloudwatch/metricAlarm:MetricAlarm dead-letters")).toBe(false);
        expect(changes(await one.up())).toEqual([
            "aws:cloudwatch/metricAlarm:MetricAlarm dead-letters: create",
            "aws:lambda/function:Function dispatcher: update",
            "aws:sqs/queue:Queue notifications: update",
        ]);
        expect(await outside.visibility(await queueUrl())).not.toBe(77);
        await expectNoChange(one);
    });

    test("has a second one beside it, which leaves it alone", async () => {
        const two = await project.stack("two", stackValues("dev", { "tidings:archives": archives.before }));
        await two.up();
        await expectNoChange(two);
        await expectNoChange(one);
    });

    /** Runs an update, checks what it did against the schema, and returns the types that it updated. */
    async function expectAsTheSchemaSays(): Promise<ReadonlySet<string>> {
        const before = new Map(custom(await one.resources()).map((resource) => [resource.urn, resource]));
        const { operations } = await one.up();
        const after = new Map(custom(await one.resources()).map((resource) => [resource.urn, resource]));
        const updated = new Set<string>();
        for (const [urn, { type, inputs = {} }] of after) {
            const ops = operations.get(urn) ?? [];
            const old = before.get(urn);
            const changed = old === undefined ? [] : differences(plain(old.inputs ?? {}), plain(inputs));
            const isReplaced = changed.some((input) => replacedBy(type).includes(input));
            expect(kindOf(ops), `${label(urn)} by ${changed.join(", ")}`).toBe(old === undefined ? "create" : isReplaced ? "replace" : changed.length > 0 ? "update" : "same");
            if (kindOf(ops) === "update") {
                updated.add(type);
            }
        }
        await expectNoChange(one);
        expect(await drift(one), "the endpoint has what the state says").toEqual([]);
        return updated;
    }

    const updated = new Set<string>();

    test("is updated or replaced by its configuration, as the schema says", async () => {
        const code = await outside.codeOf("tidings-one-dispatcher");
        one.configure(
            everything({
                "tidings:archives": archives.after,
                "tidings:memoryMib": 512,
                "tidings:logRetentionDays": 14,
                "tidings:settings": ["TIDINGS_LOG=info"],
                "tidings:unknownFields": "ignore",
                "tidings:allowedOrigins": ["https://app.example.com"],
                "tidings:handshakeMethods": ["token", "jwt", "hmac"],
                "tidings:mfa": "required",
                "tidings:webSocketRate": 1999,
                "tidings:connectRate": 499,
                "tidings:tokenRate": 499,
                "tidings:producerRate": 999,
                "tidings:oldestMessageAlarmSeconds": 299,
                "tidings:dispatcherMaximumConcurrency": 7,
                "tidings:reservedConcurrency": ["ws-edge=20"],
                "tidings:alarmEmail": "others@example.com",
            }),
        );
        (await expectAsTheSchemaSays()).forEach((type) => updated.add(type));
        expect(await outside.codeOf("tidings-one-dispatcher")).not.toBe(code);
    });

    test("is updated or replaced by its program, as the schema says", async () => {
        project.use(variant(EVERY_OTHER_TYPE));
        (await expectAsTheSchemaSays()).forEach((type) => updated.add(type));
        // AWS knows one key of a route response, and the type has no other input to change
        // (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-response.html).
        const missing = [...updatable()].filter((type) => !updated.has(type));
        expect(missing, "types that nothing updated").toEqual(["aws:apigatewayv2/routeResponse:RouteResponse"]);
    });

    test("answers producers after its integration was replaced", async () => {
        project.use(variant(REPLACED_INTEGRATION));
        const { operations } = await one.up();
        const replaced = [...operations].filter(([, ops]) => kindOf(ops) === "replace").map(([urn]) => label(urn));
        expect(replaced).toEqual(expect.arrayContaining(["aws:apigateway/integration:Integration send", "aws:apigateway/deployment:Deployment producers"]));
        await expectNoChange(one);
        expect(await drift(one), "nothing is gone that the state has").toEqual([]);
        expect(await send(String((await one.outputs())["producerUrl"]))).toBe(202);
    });

    test("can be destroyed and made again, beside another that stays whole", async () => {
        await one.destroy();
        expect(await outside.named("tidings-one")).toEqual([]);
        const two = await project.stack("two", stackValues("dev", { "tidings:archives": archives.before }));
        project.use(PROGRAM);
        await expectNoChange(two);
        expect(await drift(two)).toEqual([]);
        one = await project.stack("one", everything());
        await one.up();
        await expectNoChange(one);
    });
});

describe("an update that fails", () => {
    test("says why, and continues when the cause is gone", async () => {
        const three = await project.stack("three", stackValues("dev", { "tidings:archives": archives.before }));
        await outside.createRole("tidings-three-dispatcher");
        const { messages } = await failure(three.up());
        expect(messages.join("\n")).toContain("aws:iam/role:Role dispatcher: ");
        const made = custom(await three.resources()).map(({ urn }) => urn);
        expect(made.length).toBeGreaterThan(10);
        await outside.deleteRole("tidings-three-dispatcher");
        const done = await three.up();
        expect(changes(done).filter((change) => made.some((urn) => change.startsWith(`${label(urn)}: `)))).toEqual([]);
        await expectNoChange(three);
        await three.destroy();
        expect(await outside.named("tidings-three")).toEqual([]);
    });

    test.each([
        ["a missing archive", "four", { "tidings:archives": "/nowhere" }, "/nowhere/auth-token-issuer.zip does not exist; run scripts/build-lambdas to build it"],
        ["a wrong value", "four", { "tidings:memoryMib": 1 }, "tidings:memoryMib has 1; expected 128 to 10240"],
        ["a reserved concurrency that the account lacks", "four", { "tidings:reservedConcurrency": ["dispatcher=950"] }, 'Lambda\'s quota "Concurrent executions" is 1000'],
        ["a stack's name that AWS refuses", "four.five", {}, "the stack's name four.five can't be part of names on AWS"],
    ])("tells of %s in a sentence, before it creates anything", async (_, name, more, sentence) => {
        const stack = await project.stack(name, stackValues("dev", { "tidings:archives": archives.before, ...more }));
        const { messages } = await failure(stack.up());
        expect(messages.join("\n")).toContain(sentence);
        expect(messages.join("\n"), "no stack trace").not.toMatch(/^\s+at /m);
        expect(custom(await stack.resources())).toEqual([]);
    });
});

describe("a production stack", () => {
    test("can't be destroyed", async () => {
        const safe = await project.stack("safe", stackValues("prod", { "tidings:archives": archives.before }));
        await safe.up();
        await expectNoChange(safe);
        const { messages } = await failure(safe.destroy());
        expect(messages.join("\n")).toMatch(/protect/);
        expect(await outside.hasTable("tidings-safe-mailbox")).toBe(true);
    });
});

test("the role of API Gateway's logs outlives its stack", async () => {
    const one = await project.stack("one", everything());
    await one.destroy();
    expect((await outside.named("tidings-api-gateway-logs-")).length).toBeGreaterThan(0);
    expect(await outside.logsRole()).toContain("role/tidings-api-gateway-logs-");
});

/** Sends a notification as a producer and returns the status of the answer. */
async function send(url: string): Promise<number> {
    const authorization = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=00";
    const body = JSON.stringify({ userId: "alice", id: "order-1", payload: { state: "shipped" } });
    const { status } = await fetch(url, { method: "POST", headers: { "content-type": "application/json", authorization }, body });
    return status;
}

/** Returns what an update did to a resource in all. */
function kindOf(operations: readonly string[]): string {
    const done = operations.filter((op) => op !== "same");
    if (done.some((op) => op.includes("replace"))) {
        return "replace";
    }
    return done[0] ?? "same";
}
