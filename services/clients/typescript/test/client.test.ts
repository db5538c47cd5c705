import { describe, expect, it } from "vitest";
import type { Notification } from "../src/inbox.ts";
import { World, delivery, one, sequence, settle, several } from "./fakes.ts";

const MINUTE = 60_000;

describe("receiving", () => {
    it("hands over each once, in order of arrival", async () => {
        const world = await World.open();
        await world.socket.receive(one(1), several(2, 3), one(2), one(1), one(4));
        expect(world.taken).toEqual(["1", "2", "3", "4"]);
        expect(world.client.duplicates).toBe(2);
    });

    it("drops a redriven dead letter that arrived before, and acknowledges its new sequence", async () => {
        const world = await World.open();
        await world.socket.receive(one(1, "a"), one(2, "b"), one(3, "a"));
        expect(world.taken).toEqual(["a", "b"]);
        await world.clock.pass(1000);
        expect(world.socket.last).toEqual({ action: "ack", sequences: [1, 2, 3].map(sequence) });
    });

    it("takes a redriven dead letter that did not, although its sequence is new and later ones arrived", async () => {
        const world = await World.open();
        await world.socket.receive(one(2, "b"), one(3, "a"));
        expect(world.taken).toEqual(["b", "a"]);
    });

    it("says when a later one came before", async () => {
        const world = new World();
        const seen: Notification[] = [];
        world.client.on("notification", (notification) => seen.push(notification));
        await settle();
        await world.socket.open();
        await world.socket.receive(one(2), one(1));
        expect(seen.map(({ outOfOrder }) => outOfOrder)).toEqual([false, true]);
        expect(seen[0]).toEqual({ ...delivery(2), outOfOrder: false });
    });

    it("passes over what it does not understand", async () => {
        const world = await World.open();
        await world.socket.receive({ type: "hologram" }, null, 7, "text", [], { x: 1 });
        world.socket.onmessage?.({ data: "{" });
        await world.socket.receive(one(1));
        expect(world.taken).toEqual(["1"]);
    });

    it("gives a listener the next one when it is done with the one before, and acknowledges then", async () => {
        const world = new World();
        const log: string[] = [];
        let release = (): void => undefined;
        world.client.on("notification", async ({ id }) => {
            log.push(id);
            await new Promise<void>((resolve) => (release = resolve));
        });
        await settle();
        await world.socket.open();
        await world.socket.receive(one(1), one(2), one(1));
        await world.clock.pass(5000);
        expect(log).toEqual(["1"]);
        expect(world.socket.sent).toEqual([]);
        release();
        await world.clock.pass(1000);
        expect(log).toEqual(["1", "2"]);
        expect(world.socket.last).toEqual({ action: "ack", sequences: [sequence(1)] });
    });

    it("tells of a listener's mistake, and goes on", async () => {
        const world = new World();
        const errors: unknown[] = [];
        world.client.on("error", (error) => errors.push(error));
        world.client.on("notification", ({ id }) => {
            if (id === "1") throw new Error("mistake");
            world.taken.push(id);
        });
        await settle();
        await world.socket.open();
        await world.socket.receive(one(1), one(2));
        expect(errors).toEqual([new Error("mistake")]);
        expect(world.taken).toEqual(["2"]);
    });

    it("keeps what nobody listens for", async () => {
        const world = new World();
        await settle();
        await world.socket.open();
        await world.socket.receive(several(1, 2));
        await world.clock.pass(1000);
        expect([world.client.waiting, world.socket.sent]).toEqual([2, []]);
        world.listen();
        await settle();
        expect([world.client.waiting, world.taken]).toEqual([0, ["1", "2"]]);
    });

    it("closes the connection while too many wait, and loses none", async () => {
        const world = new World({ buffer: 3 });
        await settle();
        await world.socket.open();
        await world.socket.receive(several(1, 2, 3, 4), one(5));
        expect(world.socket.closed).toBe(1000);
        expect(world.client.state).toMatchObject({ status: "waiting", reason: { why: "behind" } });
        await world.environment.change({});
        expect(world.sockets).toHaveLength(1);
        world.listen();
        await settle();
        expect(world.sockets).toHaveLength(2);
        await world.socket.open();
        // What was not acknowledged comes again, and what came meanwhile.
        await world.socket.receive(several(1, 2), several(3, 4), one(5));
        expect(world.taken).toEqual(["1", "2", "3", "4", "5"]);
    });
});

describe("a for await loop", () => {
    it("takes one when it comes back for the next", async () => {
        const world = new World();
        const notifications = world.client[Symbol.asyncIterator]();
        await settle();
        await world.socket.open();
        await world.socket.receive(several(1, 2));
        expect((await notifications.next()).value?.id).toBe("1");
        await world.clock.pass(1000);
        expect(world.socket.sent).toEqual([]);
        expect((await notifications.next()).value?.id).toBe("2");
        await world.clock.pass(1000);
        expect(world.socket.last).toEqual({ action: "ack", sequences: [sequence(1)] });
    });

    it("leaves what it did not get to another one", async () => {
        const world = new World();
        const first = world.client[Symbol.asyncIterator]();
        await settle();
        await world.socket.open();
        await world.socket.receive(several(1, 2, 3));
        await first.next();
        await first.return();
        const second = world.client[Symbol.asyncIterator]();
        expect((await second.next()).value?.id).toBe("2");
        await settle();
        const third = second.next();
        await settle();
        await second.return();
        expect((await third).value?.id).toBe("3");
        expect(await first.next()).toEqual({ value: undefined, done: true });
    });

    it("ends with the client, which acknowledges the last", async () => {
        const world = new World();
        const seen: string[] = [];
        const loop = (async () => {
            for await (const { id } of world.client) seen.push(id);
        })();
        await settle();
        await world.socket.open();
        await world.socket.receive(several(1, 2));
        await settle();
        const closing = world.client.close();
        await settle();
        expect(world.socket.last).toEqual({ action: "ack", sequences: [1, 2].map(sequence) });
        await world.socket.receive({ type: "ack-ok", acknowledged: 2 });
        await Promise.all([closing, loop]);
        expect(seen).toEqual(["1", "2"]);
        expect(world.socket.closed).toBe(1000);
        expect(world.client.state).toEqual({ status: "closed", reason: { why: "requested" } });
        expect([world.clock.pending, world.environment.watched]).toEqual([0, false]);
    });
});

describe("acknowledging", () => {
    it("sends 25 at once, one frame at a time", async () => {
        const world = await World.open();
        const numbers = Array.from({ length: 60 }, (_, index) => index + 1);
        await world.socket.receive(several(...numbers.slice(0, 30)), several(...numbers.slice(30)));
        // Taken one after the other: the first frame goes when there are 25.
        expect(world.socket.sent).toHaveLength(1);
        expect(world.socket.sent[0]?.["sequences"]).toHaveLength(25);
        await world.socket.receive({ type: "ack-ok", acknowledged: 25 });
        expect(world.socket.sent.map(({ sequences }) => (sequences as string[]).length)).toEqual([25, 35]);
    });

    it("says it again over the next connection when it may not have arrived", async () => {
        const world = await World.open();
        await world.socket.receive(one(1));
        await world.clock.pass(1000);
        expect(world.socket.sent).toHaveLength(1);
        await world.socket.drop();
        await world.clock.pass(1000);
        await world.socket.open();
        expect(world.sockets).toHaveLength(2);
        expect(world.socket.sent).toEqual([{ action: "ack", sequences: [sequence(1)] }]);
    });

    it("says it again when it was refused", async () => {
        const world = await World.open();
        const errors: unknown[] = [];
        world.client.on("error", (error) => errors.push(error));
        await world.socket.receive(one(1));
        await world.clock.pass(1000);
        await world.socket.receive({ type: "error", code: "internal", message: "not stored", requestId: "r1" });
        expect(errors).toMatchObject([{ code: "internal", requestId: "r1" }]);
        await world.clock.pass(1000);
        expect(world.socket.sent).toHaveLength(2);
    });

    it("is left out when it is not wanted", async () => {
        const world = await World.open({ acknowledge: false });
        expect(new URL(world.socket.url).searchParams.has("acknowledge")).toBe(false);
        await world.socket.receive(one(1), one(1));
        await world.clock.pass(5000);
        expect([world.taken, world.socket.sent]).toEqual([["1"], []]);
    });
});

describe("asking", () => {
    it("matches answers to what was asked, one at a time", async () => {
        const world = await World.open();
        const first = world.client.send(["bob"], { text: "hello", action: "no", sessions: "no" }, { id: "m1" });
        const second = world.client.message({ x: 1 }, { hub: "team" }, { id: "m2" });
        const third = world.client.history({ of: "sessions", limit: 2 });
        await settle();
        expect(world.socket.sent).toEqual([{ action: "sendMessage", text: "hello", sessions: ["bob"], id: "m1" }]);
        const results = [{ to: "bob", accepted: true }];
        // Answers nothing of ours.
        await world.socket.receive({ type: "history", of: "sessions", items: [] }, { type: "pong" });
        await world.socket.receive({ type: "sent", id: "n1", idempotencyKey: "m1", results });
        expect(await first).toEqual({ id: "n1", results });
        expect(world.socket.last).toEqual({
            action: "message",
            data: { content: { x: 1 }, recipient: { hub: "team" } },
            id: "m2",
        });
        const refusal = { code: "too-many-requests", message: "slow down", requestId: "r", retryAfter: 250 };
        const refused = expect(second).rejects.toMatchObject(refusal);
        await world.socket.receive({ type: "error", ...refusal });
        await refused;
        expect(world.socket.last).toEqual({ action: "history", of: "sessions", limit: 2 });
        await world.socket.receive({ type: "history", of: "sessions", items: [{ connectionId: "c" }], next: "session#1" });
        expect(await third).toEqual({ items: [{ connectionId: "c" }], next: "session#1" });
    });

    it("takes API Gateway's own words for a refusal", async () => {
        const world = await World.open();
        const refusal = { message: "Internal server error", requestId: "r" };
        const refused = expect(world.client.whoami()).rejects.toMatchObject({ code: "internal", ...refusal });
        await world.socket.receive({ ...refusal, connectionId: "c" });
        await refused;
    });

    it("gives acknowledgements and requests their turns", async () => {
        const world = await World.open({ ackBatch: 1 });
        void world.client.broadcast("a", { id: "a", hub: "team" });
        void world.client.broadcast("b", { id: "b" });
        await world.socket.receive(one(1));
        const answers = [{ type: "sent", id: "a", results: [] }, { type: "ack-ok", acknowledged: 1 }];
        for (const answer of answers) await world.socket.receive(answer, one(2));
        expect(world.socket.sent.map(({ action }) => action)).toEqual(["sendmessage", "ack", "sendmessage"]);
        expect(world.socket.sent[0]).toEqual({ action: "sendmessage", message: "a", hub: "team", id: "a" });
    });

    it("waits for a connection, and asks again over the next when there was no answer", async () => {
        const world = new World();
        const sent = world.client.send(["bob"], {});
        const who = world.client.whoami();
        await settle();
        await world.socket.open();
        const [frame] = world.socket.sent;
        expect(frame).toMatchObject({ action: "sendMessage", sessions: ["bob"] });
        await world.socket.drop();
        await world.clock.pass(1000);
        await world.socket.open();
        expect(world.socket.sent).toEqual([frame]);
        await world.socket.receive({ type: "sent", id: frame?.["id"], results: [] });
        await sent;
        await world.socket.receive({ type: "whoami", userId: "alice", method: "token", connectionId: "c", hubs: [] });
        expect(await who).toEqual({ userId: "alice", method: "token", connectionId: "c", hubs: [] });
    });

    it("gives up in time, and the connection with it: a late answer would be taken for another one's", async () => {
        const world = await World.open({ requestTimeout: 5000, answerTimeout: 60_000 });
        const late = expect(world.client.history()).rejects.toMatchObject({ code: "timeout" });
        await world.clock.pass(5000);
        await late;
        expect(world.socket.closed).toBeDefined();
        await world.clock.pass(1000);
        await world.socket.open();
        expect(world.client.state.status).toBe("open");
        // One that waited for its turn, or for a connection, costs none.
        void world.client.history();
        await world.socket.drop();
    });

    it("rejects when the client is closed", async () => {
        const world = await World.open();
        const asked = expect(world.client.whoami()).rejects.toMatchObject({ code: "closed" });
        await world.client.close();
        await asked;
        await expect(world.client.send(["bob"], {})).rejects.toMatchObject({ code: "closed" });
    });

    it("refuses a text that gateways take for a heartbeat", async () => {
        const world = await World.open();
        await expect(world.client.broadcast("ping")).rejects.toMatchObject({ code: "bad-request" });
        expect(world.socket.sent).toEqual([]);
    });
});

describe("closing the client", () => {
    it("does not wait for ever", async () => {
        const world = await World.open();
        await world.socket.receive(one(1));
        const closing = world.client.close();
        await world.clock.pass(2999);
        expect(world.socket.last).toEqual({ action: "ack", sequences: [sequence(1)] });
        expect(world.client.state.status).toBe("open");
        await world.clock.pass(1);
        await closing;
        expect(world.client.state.status).toBe("closed");
    });

    it("gives an attempt up", async () => {
        const world = new World();
        await settle();
        await world.client.close();
        expect(world.socket.closed).toBe(1000);
        await world.clock.pass(10 * MINUTE);
        expect([world.sockets.length, world.clock.pending]).toEqual([1, 0]);
    });

    it("lets go of a credential that is not there yet", async () => {
        const world = new World({ token: () => new Promise<string>(() => undefined) });
        await world.client.close();
        expect([world.sockets.length, world.clock.pending]).toEqual([0, 0]);
    });

    it("is not needed when it could not begin", () => {
        expect(() => new World({ url: "nonsense" })).toThrow(TypeError);
    });
});
