import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { clientConfiguration } from "../endpoint/endpoint.js";
import type { EngineStack, Project } from "../endpoint/project.js";
import { handlers } from "../endpoint/provider.js";
import { replacedBy } from "../endpoint/schema/replacement.js";
import { differences, plain } from "../endpoint/values.js";
import { PROGRAM, stackValues } from "../mocks/stacks.js";
import { changes, custom, drift, expectNoChange, failure, kindOf, label } from "./observations.js";
import type { Outside } from "./outside.js";
import { everything, REGION, setUp, type Setup } from "./setup.js";
import { EVERY_OTHER_TYPE, REPLACED_INTEGRATION, variant } from "./variant.js";

let setup: Setup;
let project: Project;
let outside: Outside;
let archives: Setup["archives"];

beforeAll(async () => {
    setup = await setUp();
    ({ project, outside, archives } = setup);
});

afterAll(() => {
    setup.end();
});

/** Returns the types of which the provider can update a resource. */
function updatable(): readonly string[] {
    const unused = { client: clientConfiguration(setup.url, REGION), account: "", url: setup.url, functionsUrl: setup.url };
    return Object.entries(handlers(unused)).flatMap(([type, { canUpdate }]) => (canUpdate ? [type] : []));
}

/** Steps of the life of the stack `one`, each of which begins where the one before ended. */
describe("a stack", () => {
    let one: EngineStack;

    test("is as the endpoint has it", async () => {
        one = await project.stack("one", everything(archives.before));
        await one.up();
        expect(await drift(one)).toEqual([]);
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
            everything(archives.after, {
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
        project.use(variant(setup.root, EVERY_OTHER_TYPE));
        (await expectAsTheSchemaSays()).forEach((type) => updated.add(type));
        // AWS knows one key of a route response, and the type has no other input to change
        // (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-response.html).
        const missing = [...updatable()].filter((type) => !updated.has(type));
        expect(missing, "types that nothing updated").toEqual(["aws:apigatewayv2/routeResponse:RouteResponse"]);
    });

    test("answers producers after its integration was replaced", async () => {
        project.use(variant(setup.root, REPLACED_INTEGRATION));
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
        one = await project.stack("one", everything(archives.before));
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

});

describe("a production stack", () => {
    let safe: EngineStack;

    test("can't be destroyed", async () => {
        safe = await project.stack("safe", stackValues("prod", { "tidings:archives": archives.before }));
        await safe.up();
        await expectNoChange(safe);
        const { messages } = await failure(safe.destroy());
        expect(messages.join("\n")).toMatch(/protect/);
        expect(await outside.hasTable("tidings-safe-mailbox")).toBe(true);
    });

    test("is destroyed by the steps of docs/how-to/deploy.md", async () => {
        safe.configure(stackValues("prod", { "tidings:archives": archives.before, "tidings:production": false }));
        await failure(safe.up());
        safe.unprotect();
        await safe.up();
        await safe.destroy();
        expect(await outside.named("tidings-safe")).toEqual([]);
    });
});

/** Sends a notification as a producer and returns the status of the answer. */
async function send(url: string): Promise<number> {
    const authorization = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=00";
    const body = JSON.stringify({ userId: "alice", id: "order-1", payload: { state: "shipped" } });
    const { status } = await fetch(url, { method: "POST", headers: { "content-type": "application/json", authorization }, body });
    return status;
}
