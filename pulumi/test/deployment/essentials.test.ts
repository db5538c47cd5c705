import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { EngineStack } from "../endpoint/project.js";
import { stackValues } from "../mocks/stacks.js";
import { changes, custom, expectNoChange, failure, label } from "./observations.js";
import type { Outside } from "./outside.js";
import { everything, REGION, setUp, type Setup } from "./setup.js";

let setup: Setup;
let outside: Outside;

beforeAll(async () => {
    setup = await setUp();
    ({ outside } = setup);
});

afterAll(() => {
    setup.end();
});

/** Steps of the life of the stack `one`, each of which begins where the one before ended. */
describe("a stack", () => {
    let one: EngineStack;
    const queueUrl = async (): Promise<string> => String((await one.outputs())["queueUrl"]);

    test("is created from nothing, and has no changes then", async () => {
        one = await setup.project.stack("one", everything(setup.archives.before));
        const done = await one.up();
        expect(done.messages).toEqual([expect.stringContaining("replaces the role with which API Gateway writes logs")]);
        const created = custom(await one.resources());
        expect(changes(done).filter((change) => change.startsWith("aws:"))).toEqual(created.map(({ urn }) => `${label(urn)}: create`).sort());
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

    test("changes the number of its queues with the next epoch alone", async () => {
        const queues = (changed: Readonly<Record<string, number>>): void => {
            one.configure(everything(setup.archives.before, changed));
        };
        queues({ "tidings:queues": 2 });
        const { messages } = await failure(one.up());
        expect(messages.join("\n")).toContain("tidings:queues has 2, and the stack is deployed with 1");
        queues({ "tidings:queues": 2, "tidings:queueEpoch": 1, "tidings:producerRate": 1, "tidings:producerBurst": 1 });
        const changed = changes(await one.up());
        expect(changed).toContain("aws:sqs/queue:Queue notifications-1: create");
        expect(changed).toContain("aws:sqs/queue:Queue notifications: update");
        // A deployment of the API is a copy of its methods, of which there are more now.
        const gone = changed.filter((change) => change.includes("delete") || change.includes("replace"));
        expect(gone).toEqual(["aws:apigateway/deployment:Deployment producers: create-replacement, replace, delete-replaced"]);
        await expectNoChange(one);
        const outputs = (await one.outputs()) as { readonly producerQueuesUrl: string; readonly queueUrls: readonly string[] };
        const answers = await Promise.all([1, 2, 3].map((n) => send(`${outputs.producerQueuesUrl}/1/notifications`, { userId: "alice", id: `n-${n}`, payload: n })));
        const accepted = answers.filter(({ status }) => status === 202);
        expect(accepted.length).toBeGreaterThan(0);
        expect(await Promise.all(outputs.queueUrls.map((url) => outside.messages(url)))).toEqual([0, accepted.length]);
        // The others are above the rate.
        const throttled = answers.filter(({ status }) => status !== 202);
        expect(throttled.length).toBeGreaterThan(0);
        for (const { status, retryAfter, body } of throttled) {
            expect([status, retryAfter]).toEqual([429, "1"]);
            expect(JSON.parse(body)).toMatchObject({ type: "urn:tidings:problem:too-many-requests", status: 429 });
        }
        queues({ "tidings:queues": 1, "tidings:queueEpoch": 1 });
        const refused = await failure(one.preview());
        expect(refused.messages.join("\n")).toContain("raise tidings:queueEpoch above 1");
        queues({ "tidings:queues": 1, "tidings:queueEpoch": 2 });
        const unconfirmed = await failure(one.preview());
        expect(unconfirmed.messages.join("\n")).toContain("are deleted with their notifications and dead letters");
        queues({ "tidings:queues": 1, "tidings:queueEpoch": 2, "tidings:emptiedForEpoch": 2 });
        await one.up();
        await expectNoChange(one);
    });

    test("is destroyed, but for the role that writes the logs of the account", async () => {
        const kinds = ["REST API", "alarm", "api", "dashboard", "function", "key", "log group", "queue", "role", "rule", "secret", "table", "topic"];
        expect(kindsOf(await outside.named("tidings-one"))).toEqual(kinds);
        await one.destroy();
        expect(await outside.named("tidings-one")).toEqual([]);
        expect((await outside.named("tidings-api-gateway-logs-")).length).toBeGreaterThan(0);
        expect(await outside.logsRole()).toContain("role/tidings-api-gateway-logs-");
    });
});

describe("a refusal", () => {
    test.each([
        ["a missing archive", "four", { "tidings:archives": "/nowhere" }, "/nowhere/auth-token-issuer.zip does not exist; run scripts/build-lambdas to build it"],
        ["a wrong value", "four", { "tidings:memoryMib": 1 }, "tidings:memoryMib has 1; expected 128 to 10240"],
        ["a reserved concurrency that the account lacks", "four", { "tidings:reservedConcurrency": ["dispatcher=950"] }, 'Lambda\'s quota "Concurrent executions" is 1000'],
        ["a stack's name that AWS refuses", "four.five", {}, "the stack's name four.five can't be part of names on AWS"],
    ])("of %s is a sentence, and nothing is created", async (_, name, more, sentence) => {
        const stack = await setup.project.stack(name, stackValues("dev", { "tidings:archives": setup.archives.before, ...more }));
        const { messages } = await failure(stack.up());
        expect(messages.join("\n")).toContain(sentence);
        expect(messages.join("\n"), "no stack trace").not.toMatch(/^\s+at /m);
        expect(custom(await stack.resources())).toEqual([]);
    });
});

/** An answer of the producer API. */
interface Answer {
    readonly status: number;
    readonly retryAfter: string | undefined;
    readonly body: string;
}

/** Posts a notification with a signature. */
async function send(url: string, notification: object): Promise<Answer> {
    const signed = ["--aws-sigv4", `aws:amz:${REGION}:execute-api`, "--user", "test:test"];
    const post = ["-H", "content-type: application/json", "-d", JSON.stringify(notification), url];
    const { stdout } = await promisify(execFile)("curl", ["-s", "-i", ...signed, ...post]);
    const [head = "", body = ""] = stdout.split("\r\n\r\n");
    return { status: Number(head.split(" ")[1]), retryAfter: /^retry-after: (.*)$/im.exec(head)?.[1], body };
}

/** Returns the kinds of things that {@link Outside.named} has found. */
function kindsOf(found: readonly string[]): readonly string[] {
    const kinds = found.map((one) => one.slice(0, one.lastIndexOf(" ")));
    return [...new Set(kinds)];
}
