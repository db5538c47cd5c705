import { DeleteQueueCommand, ReceiveMessageCommand, SQSClient, type Message } from "@aws-sdk/client-sqs";
import { beforeAll, describe, expect, test } from "vitest";

import { adapt, adaptations } from "../endpoint/adaptations.js";
import { connect, makeClient, required, type Endpoint } from "../endpoint/endpoint.js";
import { handlers } from "../endpoint/provider.js";
import type { Graph } from "../graph.js";
import { programGraph } from "../mocks/in-process.js";
import { fakeAws } from "../mocks/provider.js";
import { uniqueId, type Provider } from "../mocks/recorder.js";

const REGION = "eu-central-1";

/** Services whose resources are made on the endpoint. All others have made-up ids and outputs. */
const MADE = /^aws:(apigateway|iam|sqs|sns|secretsmanager)\//;

/** Belongs to the account, not to the stack. */
const ACCOUNT = "aws:apigateway/account:Account";

/** Returns a provider that makes the resources of some services on an endpoint. */
function partlyOn(endpoint: Endpoint): Provider {
    const byType = handlers(endpoint);
    const changes = adaptations(endpoint);
    return async (type, name, inputs) => {
        const handler = MADE.test(type) && type !== ACCOUNT ? byType[type] : undefined;
        if (handler === undefined) {
            return fakeAws(type, name, inputs);
        }
        const { id, outputs = {} } = await handler.create(adapt(changes, type, inputs), `${type} ${name}`);
        return { id, outputs: { ...inputs, ...outputs } };
    };
}

/** The program's producer API and queue on the endpoint. */
class Producer {
    private readonly queues: SQSClient;
    private readonly url: string;
    private readonly queueUrl: string;

    constructor(endpoint: Endpoint, graph: Graph) {
        this.queues = makeClient(SQSClient, endpoint.client);
        this.url = String(graph.outputs["producerUrl"]);
        this.queueUrl = String(graph.outputs["queueUrl"]);
    }

    /** Posts a body and returns the status, the headers and the answer. */
    async post(body: string, contentType = "application/json"): Promise<{ status: number; headers: Headers; answer: Record<string, unknown> }> {
        const answer = await fetch(this.url, { method: "POST", headers: { "content-type": contentType }, body });
        return { status: answer.status, headers: answer.headers, answer: (await answer.json()) as Record<string, unknown> };
    }

    /** Deletes the queue, so that it answers 400 with a code that is not the producer's fault. */
    async deleteQueue(): Promise<void> {
        await this.queues.send(new DeleteQueueCommand({ QueueUrl: this.queueUrl }));
    }

    /** Returns the messages that are visible, and makes them invisible. */
    async receive(): Promise<readonly Message[]> {
        const { Messages = [] } = await this.queues.send(
            new ReceiveMessageCommand({ QueueUrl: this.queueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ["All"] }),
        );
        return Messages;
    }

    /** Posts a notification, which must be accepted, and returns its message and the request's id. */
    async accepted(notification: object): Promise<{ group: unknown; deduplication: unknown; body: unknown; requestId: unknown }> {
        const { status, answer } = await this.post(JSON.stringify(notification));
        expect([status, typeof answer["requestId"]]).toEqual([202, "string"]);
        const [message, ...others] = await this.receive();
        expect(others).toEqual([]);
        const { Attributes: attributes = {}, Body: body = "" } = required(message, "message");
        return {
            group: attributes.MessageGroupId,
            deduplication: attributes.MessageDeduplicationId,
            body: JSON.parse(body) as unknown,
            requestId: answer["requestId"],
        };
    }
}

let graph: Graph;
let producer: Producer;

beforeAll(async () => {
    const url = required(process.env["AWS_ENDPOINT_URL"], "AWS_ENDPOINT_URL");
    const endpoint = await connect(url, REGION, url);
    graph = await programGraph("prod", { "tidings:handshakeMethods": ["token", "hmac"] }, { provider: partlyOn(endpoint), stackName: `opinion-${uniqueId(8)}` });
    producer = new Producer(endpoint, graph);
});

test("queues, topics, secrets, roles and the API of a stack are made", () => {
    const types = new Set(graph.resources.filter(({ custom, type }) => custom && MADE.test(type)).map(({ type }) => type.split("/")[0]));
    expect([...types].sort()).toEqual(["aws:apigateway", "aws:iam", "aws:secretsmanager", "aws:sns", "aws:sqs"]);
});

describe("the producer API", () => {
    test("queues a notification for its user by its id", async () => {
        const notification = { userId: "alice", id: "order-1042", payload: { state: "shipped & paid" } };
        expect(await producer.accepted(notification)).toMatchObject({ group: "alice", deduplication: "order-1042", body: notification });
        expect((await producer.post(JSON.stringify(notification))).status).toBe(202);
        expect(await producer.receive(), "the repetition is dropped").toEqual([]);
    });

    test("gives a notification without an id that of the request", async () => {
        const { deduplication, requestId } = await producer.accepted({ userId: "bob", message: "hello" });
        expect(deduplication).toBe(requestId);
    });

    test("encodes a user that the queue can't carry", async () => {
        const userId = "Zoë Ångström?>";
        const { group } = await producer.accepted({ userId, id: "encoded", payload: 1 });
        expect(group).toBe(`u8:${Buffer.from(userId).toString("base64url")}`);
    });

    test.each([
        ["without a user", { payload: 1 }],
        ["without a payload", { userId: "alice" }],
        ["with an unknown field", { userId: "alice", payload: 1, colour: "blue" }],
        ["with a time in seconds", { userId: "alice", payload: 1, expiresAt: 1_700_000_000 }],
    ])("refuses a notification %s", async (_, notification) => {
        expect((await producer.post(JSON.stringify(notification))).status).toBe(400);
        expect(await producer.receive()).toEqual([]);
    });

    test("says why it refuses a notification", async () => {
        const { answer } = await producer.post("{}");
        expect(answer["message"]).toContain("it needs userId and one of payload and message");
    });

    test("answers 400 to what the queue refuses", async () => {
        const { status, answer } = await producer.post(JSON.stringify({ userId: "alice", id: "large", payload: "x".repeat(1_100_000) }));
        expect([status, answer["message"]]).toEqual([400, "the queue refuses this notification"]);
    });

    test("answers 415 to a body that is not JSON", async () => {
        expect((await producer.post("userId=alice&payload=1", "application/x-www-form-urlencoded")).status).toBe(415);
        expect(await producer.receive()).toEqual([]);
    });

    // The last test, because the queue is gone after it.
    test("answers 503 when the queue fails and the producer is not to blame", async () => {
        await producer.deleteQueue();
        const { status, headers, answer } = await producer.post(JSON.stringify({ userId: "alice", id: "late", payload: 1 }));
        expect(answer).toMatchObject({ type: "urn:tidings:problem:unavailable", status: 503, message: "not accepted; send it again" });
        expect([status, headers.get("retry-after"), headers.get("content-type")]).toEqual([503, "1", "application/problem+json"]);
    });
});
