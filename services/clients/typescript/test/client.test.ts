import { describe, expect, it } from "vitest";
import type { TidingsError } from "../src/errors.ts";
import type { Notification } from "../src/inbox.ts";
import { Fixture, delivery, frameOf, sequence, flushPromises, batchOf } from "./fakes.ts";

const MINUTE = 60_000;

describe("receiving", () => {
    it("hands over each notification once, in order of arrival", async () => {
        const fixture = await Fixture.open();
        await fixture.socket.receive(frameOf(1), batchOf(2, 3), frameOf(2), frameOf(1), frameOf(4));
        expect(fixture.handled).toEqual(["1", "2", "3", "4"]);
        expect(fixture.client.duplicates).toBe(2);
    });

    it("drops a repeated redrive and acknowledges its new sequence", async () => {
        const fixture = await Fixture.open();
        await fixture.socket.receive(frameOf(1, "a"), frameOf(2, "b"), frameOf(3, "a"));
        expect(fixture.handled).toEqual(["a", "b"]);
        await fixture.clock.pass(1000);
        expect(fixture.socket.last).toEqual({ action: "ack", sequences: [1, 2, 3].map(sequence) });
    });

    it("takes a redriven dead letter that is new to the client", async () => {
        const fixture = await Fixture.open();
        await fixture.socket.receive(frameOf(2, "b"), frameOf(3, "a"));
        expect(fixture.handled).toEqual(["b", "a"]);
    });

    it("marks a notification that arrives out of order", async () => {
        const fixture = new Fixture();
        const seen: Notification[] = [];
        fixture.client.on("notification", (notification) => seen.push(notification));
        await flushPromises();
        await fixture.socket.open();
        await fixture.socket.receive(frameOf(2), frameOf(1));
        expect(seen.map(({ outOfOrder }) => outOfOrder)).toEqual([false, true]);
        expect(seen[0]).toEqual({ ...delivery(2), outOfOrder: false });
    });

    it("ignores frames that it does not understand", async () => {
        const fixture = await Fixture.open();
        await fixture.socket.receive({ type: "hologram" }, null, 7, "text", [], { x: 1 });
        fixture.socket.onmessage?.({ data: "{" });
        await fixture.socket.receive(frameOf(1));
        expect(fixture.handled).toEqual(["1"]);
    });

    it("reports and acknowledges a notification that can't be read", async () => {
        const fixture = await Fixture.open();
        const errors: TidingsError[] = [];
        fixture.client.on("error", (error) => errors.push(error as TidingsError));
        const text = (n: number, payload: string): string =>
            JSON.stringify({ ...delivery(n, `"x${n}`), payload: 0 }).replace('"payload":0', `"payload":${payload}`);
        const good = text(2, '{"a":["]}\\"",{}]}');
        const items = [text(1, "[[["), good, text(3, '"\\u12"'), text(4, "null")];
        fixture.socket.onmessage?.({ data: `{"type":"notifications","items":[${items[1]},${items[2]},${items[3]}]}` });
        fixture.socket.onmessage?.({ data: items[0]?.replace("{", '{"type":"notification",') });
        await flushPromises();
        expect(fixture.handled).toEqual(['"x2', '"x4']);
        expect(errors.map(({ code, message }) => [code, message])).toEqual([
            ["unreadable", "the notification \"x3 can't be read"],
            ["unreadable", "the notification \"x1 can't be read"],
        ]);
        await fixture.clock.pass(1000);
        expect(fixture.socket.last).toEqual({ action: "ack", sequences: [2, 3, 4, 1].map(sequence) });
    });

    it("waits for a listener before the next one and the ack", async () => {
        const fixture = new Fixture();
        const log: string[] = [];
        let release = (): void => undefined;
        fixture.client.on("notification", async ({ id }) => {
            log.push(id);
            await new Promise<void>((resolve) => (release = resolve));
        });
        await flushPromises();
        await fixture.socket.open();
        await fixture.socket.receive(frameOf(1), frameOf(2), frameOf(1));
        await fixture.clock.pass(5000);
        expect(log).toEqual(["1"]);
        expect(fixture.socket.sent).toEqual([]);
        release();
        await fixture.clock.pass(1000);
        expect(log).toEqual(["1", "2"]);
        expect(fixture.socket.last).toEqual({ action: "ack", sequences: [sequence(1)] });
    });

    it("reports an error of a listener and goes on", async () => {
        const fixture = new Fixture();
        const errors: unknown[] = [];
        fixture.client.on("error", (error) => errors.push(error));
        fixture.client.on("notification", ({ id }) => {
            if (id === "1") throw new Error("mistake");
            fixture.handled.push(id);
        });
        await flushPromises();
        await fixture.socket.open();
        await fixture.socket.receive(frameOf(1), frameOf(2));
        expect(errors).toEqual([new Error("mistake")]);
        expect(fixture.handled).toEqual(["2"]);
    });

    it("keeps notifications until there is a listener", async () => {
        const fixture = new Fixture();
        await flushPromises();
        await fixture.socket.open();
        await fixture.socket.receive(batchOf(1, 2));
        await fixture.clock.pass(1000);
        expect([fixture.client.waiting, fixture.socket.sent]).toEqual([2, []]);
        fixture.listen();
        await flushPromises();
        expect([fixture.client.waiting, fixture.handled]).toEqual([0, ["1", "2"]]);
    });

    it("closes the connection while too many wait and loses none", async () => {
        const fixture = new Fixture({ buffer: 3 });
        await flushPromises();
        await fixture.socket.open();
        await fixture.socket.receive(batchOf(1, 2, 3, 4), frameOf(5));
        expect(fixture.socket.closed).toBe(1000);
        expect(fixture.client.state).toMatchObject({ status: "waiting", reason: { why: "behind" } });
        await fixture.environment.change({});
        expect(fixture.sockets).toHaveLength(1);
        fixture.listen();
        await flushPromises();
        expect(fixture.sockets).toHaveLength(2);
        await fixture.socket.open();
        // The gateway delivers unacknowledged and new notifications.
        await fixture.socket.receive(batchOf(1, 2), batchOf(3, 4), frameOf(5));
        expect(fixture.handled).toEqual(["1", "2", "3", "4", "5"]);
    });
});

describe("a for await loop", () => {
    it("handles a notification by asking for the next", async () => {
        const fixture = new Fixture();
        const notifications = fixture.client[Symbol.asyncIterator]();
        await flushPromises();
        await fixture.socket.open();
        await fixture.socket.receive(batchOf(1, 2));
        expect((await notifications.next()).value?.id).toBe("1");
        await fixture.clock.pass(1000);
        expect(fixture.socket.sent).toEqual([]);
        expect((await notifications.next()).value?.id).toBe("2");
        await fixture.clock.pass(1000);
        expect(fixture.socket.last).toEqual({ action: "ack", sequences: [sequence(1)] });
    });

    it("leaves unhandled notifications to another loop", async () => {
        const fixture = new Fixture();
        const first = fixture.client[Symbol.asyncIterator]();
        await flushPromises();
        await fixture.socket.open();
        await fixture.socket.receive(batchOf(1, 2, 3));
        await first.next();
        await first.return();
        const second = fixture.client[Symbol.asyncIterator]();
        expect((await second.next()).value?.id).toBe("2");
        await flushPromises();
        const third = second.next();
        await flushPromises();
        await second.return();
        expect((await third).value?.id).toBe("3");
        expect(await first.next()).toEqual({ value: undefined, done: true });
    });

    it("ends when the client is closed, which acknowledges the last", async () => {
        const fixture = new Fixture();
        const seen: string[] = [];
        const loop = (async () => {
            for await (const { id } of fixture.client) seen.push(id);
        })();
        await flushPromises();
        await fixture.socket.open();
        await fixture.socket.receive(batchOf(1, 2));
        await flushPromises();
        const closing = fixture.client.close();
        await flushPromises();
        expect(fixture.socket.last).toEqual({ action: "ack", sequences: [1, 2].map(sequence) });
        await fixture.socket.receive({ type: "ack-ok", acknowledged: 2 });
        await Promise.all([closing, loop]);
        expect(seen).toEqual(["1", "2"]);
        expect(fixture.socket.closed).toBe(1000);
        expect(fixture.client.state).toEqual({ status: "closed", reason: { why: "requested" } });
        expect([fixture.clock.pending, fixture.environment.watched]).toEqual([0, false]);
    });
});

describe("acknowledging", () => {
    it("sends batches of 25, one frame at a time", async () => {
        const fixture = await Fixture.open();
        const numbers = Array.from({ length: 60 }, (_, index) => index + 1);
        await fixture.socket.receive(batchOf(...numbers.slice(0, 30)), batchOf(...numbers.slice(30)));
        // They are handled one after the other. The first frame is sent when there are 25.
        expect(fixture.socket.sent).toHaveLength(1);
        expect(fixture.socket.sent[0]?.["sequences"]).toHaveLength(25);
        await fixture.socket.receive({ type: "ack-ok", acknowledged: 25 });
        expect(fixture.socket.sent.map(({ sequences }) => (sequences as string[]).length)).toEqual([25, 35]);
    });

    it("repeats an ack that may not have arrived", async () => {
        const fixture = await Fixture.open();
        await fixture.socket.receive(frameOf(1));
        await fixture.clock.pass(1000);
        expect(fixture.socket.sent).toHaveLength(1);
        await fixture.socket.drop();
        await fixture.clock.pass(1000);
        await fixture.socket.open();
        expect(fixture.sockets).toHaveLength(2);
        expect(fixture.socket.sent).toEqual([{ action: "ack", sequences: [sequence(1)] }]);
    });

    it("repeats an ack that was refused", async () => {
        const fixture = await Fixture.open();
        const errors: unknown[] = [];
        fixture.client.on("error", (error) => errors.push(error));
        await fixture.socket.receive(frameOf(1));
        await fixture.clock.pass(1000);
        await fixture.socket.receive({ type: "error", code: "internal", message: "not stored", requestId: "r1" });
        expect(errors).toMatchObject([{ code: "internal", requestId: "r1" }]);
        await fixture.clock.pass(1000);
        expect(fixture.socket.sent).toHaveLength(2);
    });

    it("sends no acks when they are turned off", async () => {
        const fixture = await Fixture.open({ acknowledge: false });
        expect(new URL(fixture.socket.url).searchParams.has("acknowledge")).toBe(false);
        await fixture.socket.receive(frameOf(1), frameOf(1));
        await fixture.clock.pass(5000);
        expect([fixture.handled, fixture.socket.sent]).toEqual([["1"], []]);
    });
});

describe("requests", () => {
    it("matches answers to requests, one at a time", async () => {
        const fixture = await Fixture.open();
        const first = fixture.client.send(["bob"], { text: "hello", action: "no", sessions: "no" }, { id: "m1" });
        const second = fixture.client.message({ x: 1 }, { hub: "team" }, { id: "m2" });
        const third = fixture.client.history({ of: "sessions", limit: 2 });
        await flushPromises();
        expect(fixture.socket.sent).toEqual([{ action: "sendMessage", text: "hello", sessions: ["bob"], idempotencyKey: "m1" }]);
        const results = [{ to: "bob", accepted: true }];
        // These answer no request of this client.
        await fixture.socket.receive({ type: "history", of: "sessions", items: [] }, { type: "pong" });
        await fixture.socket.receive({ type: "sent", id: "n1", idempotencyKey: "m1", results });
        expect(await first).toEqual({ id: "n1", results });
        expect(fixture.socket.last).toEqual({
            action: "message",
            data: { content: { x: 1 }, recipient: { hub: "team" } },
            idempotencyKey: "m2",
        });
        const refusal = { code: "too-many-requests", message: "slow down", requestId: "r", retryAfter: 250 };
        const refused = expect(second).rejects.toMatchObject(refusal);
        await fixture.socket.receive({ type: "error", ...refusal });
        await refused;
        expect(fixture.socket.last).toEqual({ action: "history", of: "sessions", limit: 2 });
        await fixture.socket.receive({ type: "history", of: "sessions", items: [{ connectionId: "c" }], next: "session#1" });
        expect(await third).toEqual({ items: [{ connectionId: "c" }], next: "session#1" });
    });

    it("treats an error of API Gateway itself as a refusal", async () => {
        const fixture = await Fixture.open();
        const refusal = { message: "Internal server error", requestId: "r" };
        const refused = expect(fixture.client.whoami()).rejects.toMatchObject({ code: "internal", ...refusal });
        await fixture.socket.receive({ ...refusal, connectionId: "c" });
        await refused;
    });

    it("sends acks and requests in turns", async () => {
        const fixture = await Fixture.open({ ackBatch: 1 });
        void fixture.client.broadcast("a", { id: "a", hub: "team" });
        void fixture.client.broadcast("b", { id: "b" });
        await fixture.socket.receive(frameOf(1));
        const answers = [{ type: "sent", id: "a", results: [] }, { type: "ack-ok", acknowledged: 1 }];
        for (const answer of answers) await fixture.socket.receive(answer, frameOf(2));
        expect(fixture.socket.sent.map(({ action }) => action)).toEqual(["sendmessage", "ack", "sendmessage"]);
        expect(fixture.socket.sent[0]).toEqual({ action: "sendmessage", message: "a", hub: "team", idempotencyKey: "a" });
    });

    it("waits for a connection and repeats an unanswered request", async () => {
        const fixture = new Fixture();
        const sent = fixture.client.send(["bob"], {});
        const who = fixture.client.whoami();
        await flushPromises();
        await fixture.socket.open();
        const [frame] = fixture.socket.sent;
        expect(frame).toMatchObject({ action: "sendMessage", sessions: ["bob"] });
        await fixture.socket.drop();
        await fixture.clock.pass(1000);
        await fixture.socket.open();
        expect(fixture.socket.sent).toEqual([frame]);
        await fixture.socket.receive({ type: "sent", id: frame?.["id"], results: [] });
        await sent;
        await fixture.socket.receive({ type: "whoami", userId: "alice", method: "token", connectionId: "c", hubs: [] });
        expect(await who).toEqual({ userId: "alice", method: "token", connectionId: "c", hubs: [] });
    });

    it("times out and replaces the connection", async () => {
        const fixture = await Fixture.open({ requestTimeout: 5000, answerTimeout: 60_000 });
        const late = expect(fixture.client.history()).rejects.toMatchObject({ code: "timeout" });
        await fixture.clock.pass(5000);
        await late;
        expect(fixture.socket.closed).toBeDefined();
        await fixture.clock.pass(1000);
        await fixture.socket.open();
        expect(fixture.client.state.status).toBe("open");
        // A request that was not sent yet costs no connection when it times out.
        void fixture.client.history();
        await fixture.socket.drop();
    });

    it("rejects requests when the client is closed", async () => {
        const fixture = await Fixture.open();
        const asked = expect(fixture.client.whoami()).rejects.toMatchObject({ code: "closed" });
        await fixture.client.close();
        await asked;
        await expect(fixture.client.send(["bob"], {})).rejects.toMatchObject({ code: "closed" });
    });

    it("refuses to broadcast the heartbeat text", async () => {
        const fixture = await Fixture.open();
        await expect(fixture.client.broadcast("ping")).rejects.toMatchObject({ code: "bad-request" });
        expect(fixture.socket.sent).toEqual([]);
    });
});

describe("closing the client", () => {
    it("gives up waiting for acks after 3 s", async () => {
        const fixture = await Fixture.open();
        await fixture.socket.receive(frameOf(1));
        const closing = fixture.client.close();
        await fixture.clock.pass(2999);
        expect(fixture.socket.last).toEqual({ action: "ack", sequences: [sequence(1)] });
        expect(fixture.client.state.status).toBe("open");
        await fixture.clock.pass(1);
        await closing;
        expect(fixture.client.state.status).toBe("closed");
    });

    it("abandons an attempt to connect", async () => {
        const fixture = new Fixture();
        await flushPromises();
        await fixture.client.close();
        expect(fixture.socket.closed).toBe(1000);
        await fixture.clock.pass(10 * MINUTE);
        expect([fixture.sockets.length, fixture.clock.pending]).toEqual([1, 0]);
    });

    it("does not wait for a pending credential", async () => {
        const fixture = new Fixture({ token: () => new Promise<string>(() => undefined) });
        await fixture.client.close();
        expect([fixture.sockets.length, fixture.clock.pending]).toEqual([0, 0]);
    });

    it("has nothing to close after an invalid URL", () => {
        expect(() => new Fixture({ url: "nonsense" })).toThrow(TypeError);
    });
});
