// Tests against a real server process. They wait for events, never for a fixed time.
import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../src/clock.ts";
import { isOpen, listen, network, received, serve, stateOf, upTo } from "./harness.ts";

/** Returns a pseudo-random generator of numbers in [0, 1) (mulberry32). */
function randomOf(seed: number): () => number {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
}

describe("with a gateway", { timeout: 120_000 }, () => {
    it("receives held and new notifications, acknowledged ones once", async () => {
        const server = await serve();
        await server.produce("alice", 0, 60);
        const client = listen(server, "alice");
        const { numbers, until } = received(client);
        await until(60);
        await server.produce("alice", 60, 100);
        await until(100);
        await client.close();
        expect(numbers).toEqual(upTo(100));
        await server.produce("alice", 100, 101);
        const again = received(listen(server, "alice", { tokenIn: "subprotocol" }));
        await again.until(1);
        expect(again.numbers).toEqual([100]);
    });

    it("gets an unacknowledged notification again in the next client", async () => {
        const server = await serve();
        await server.produce("alice", 0, 3);
        const client = listen(server, "alice", { ackBatch: 1 });
        const notifications = client[Symbol.asyncIterator]();
        await notifications.next();
        const { value } = await notifications.next();
        expect(value?.payload).toEqual({ n: 1 });
        // 0 is handled and 1 is not, as after a crash of the application. The answer to this request comes after that
        // to the acknowledgement.
        await client.whoami();
        const other = received(listen(server, "alice"));
        await other.until(2);
        expect(other.numbers).toEqual([1, 2]);
    });

    it("survives kill -9 of the server", async () => {
        const server = await serve();
        const proxy = await network(server);
        const client = listen(server, "alice", { port: proxy.port });
        const { numbers, until } = received(client);
        for (let round = 0; round < 3; round += 1) {
            await server.produce("alice", round * 100, round * 100 + 100);
            await until(round * 100 + 50);
            await server.kill();
            await stateOf(client, ({ status }) => status === "waiting");
            await server.start();
            proxy.target = server.port;
        }
        await server.produce("alice", 300, 310);
        await until(310);
        expect(numbers).toEqual(upTo(310));
    });

    it("replaces a half-open connection", async () => {
        const server = await serve();
        const proxy = await network(server);
        const client = listen(server, "alice", { port: proxy.port, heartbeat: 100, answerTimeout: 300 });
        const { numbers, until } = received(client);
        const reasons: string[] = [];
        client.on("state", (state) => state.status === "waiting" && reasons.push(state.reason.why));
        await stateOf(client, isOpen);
        await server.produce("alice", 0, 10);
        await until(10);
        proxy.freeze();
        await server.produce("alice", 10, 20);
        await until(20);
        expect(numbers).toEqual(upTo(20));
        expect(reasons).toContain("silent");
    });

    it("works with a clock that is hours off or jumps", async () => {
        const server = await serve("[handshake]\nopen = true\n");
        let ahead = -5 * 3_600_000;
        const clock: Clock = { ...systemClock, now: () => Date.now() + ahead };
        const expiresAt = Date.now() + 600_000;
        const token = async (): Promise<{ token: string; expiresAt: number }> => ({
            token: await server.token("alice"),
            expiresAt,
        });
        const client = listen(server, "alice", { clock, token });
        const { numbers, until } = received(client);
        await stateOf(client, isOpen);
        await server.produce("alice", 0, 100);
        ahead = 5 * 3_600_000;
        await until(100);
        const proxy = await network(server);
        const other = listen(server, "bob", { clock, token: async () => ({ token: await server.token("bob"), expiresAt }), port: proxy.port });
        const theirs = received(other);
        await stateOf(other, isOpen);
        await server.produce("bob", 0, 100);
        await theirs.until(100);
        expect([numbers, theirs.numbers]).toEqual([upTo(100), upTo(100)]);
        // The credential seems to have expired hours ago, yet the connection is not replaced all the time.
        expect(proxy.connections).toBe(1);
    });

    it("rotates connections under load without a gap", async () => {
        const server = await serve();
        const proxy = await network(server);
        const client = listen(server, "alice", { port: proxy.port, rotateAfter: 100, overlap: 20 });
        const { numbers, until } = received(client);
        await stateOf(client, isOpen);
        const others: string[] = [];
        client.on("state", ({ status }) => status !== "open" && others.push(status));
        for (let at = 0; at < 3000 || proxy.connections < 8; at += 20) {
            await server.produce("alice", at, at + 20);
            await until(at - 200);
        }
        const total = numbers.length;
        await server.produce("alice", 1_000_000, 1_000_001);
        while (numbers.at(-1) !== 1_000_000) await until(numbers.length + 1);
        expect(numbers.slice(0, -1)).toEqual(upTo(numbers.length - 1));
        expect(total).toBeGreaterThan(2500);
        expect(others).toEqual([]);
        expect(proxy.connections).toBeGreaterThanOrEqual(8);
    });

    it("receives 10,000 once, in order, over cut connections", async () => {
        const count = 10_000;
        const server = await serve();
        const proxy = await network(server);
        const random = randomOf(7);
        const client = listen(server, "alice", { port: proxy.port, random, rotateAfter: 400, overlap: 20 });
        const { numbers, until } = received(client);
        const producing = (async () => {
            for (let at = 0; at < count; at += 250) await server.produce("alice", at, at + 250);
        })();
        let cuts = 0;
        for (let next = 0; ; ) {
            next += 1 + Math.floor(random() * 400);
            if (next >= count) break;
            await until(next);
            proxy.cut();
            cuts += 1;
            // Reconnect first, so that each cut ends another connection.
            await stateOf(client, (state) => !isOpen(state));
            await stateOf(client, isOpen);
        }
        await producing;
        await until(count);
        expect(numbers).toEqual(upTo(count));
        expect(cuts).toBeGreaterThan(30);
        expect(proxy.connections).toBeGreaterThan(20);
        // Everything is acknowledged once there is a connection, so the next client gets nothing old.
        await client.whoami();
        await client.close();
        await server.produce("alice", count, count + 1);
        const after = received(listen(server, "alice"));
        await after.until(1);
        expect(after.numbers).toEqual([count]);
    });

    it("sends messages, makes requests and is refused", async () => {
        const server = await serve(
            '[client_messages]\npolicy = "same-hub"\nrate_per_user = "6/1h"\n[hubs]\neveryone = "all"\n[history]\nenabled = true\n',
        );
        const [alice, bob] = [listen(server, "alice"), listen(server, "bob")];
        const bobs = bob[Symbol.asyncIterator]();
        await Promise.all([stateOf(alice, isOpen), stateOf(bob, isOpen)]);
        expect(await alice.whoami()).toMatchObject({ userId: "alice", method: "token", hubs: ["all"] });

        const [sent, said, shouted] = await Promise.all([
            alice.send(["bob"], { text: "hello" }),
            alice.message({ x: 1 }, { user: "bob" }),
            alice.broadcast("everyone?"),
        ]);
        expect(sent.results).toEqual([{ to: "bob", accepted: true }]);
        expect([said.results, shouted.results]).toMatchObject([[{ accepted: true }], [{ accepted: true }]]);
        const payloads = [];
        for (let n = 0; n < 3; n += 1) {
            const { value } = await bobs.next();
            payloads.push(value?.payload);
            expect(value?.id).toBe([sent, said, shouted][n]?.id);
        }
        expect(payloads).toMatchObject([
            { action: "sendMessage", text: "hello" },
            { action: "message", data: { content: { x: 1 }, sender: "alice" } },
            { text: "everyone?", sender: "alice", hub: "all" },
        ]);

        expect(await alice.members({ limit: 1 })).toEqual({ hub: "all", users: ["alice"], next: "alice" });
        expect(await bob.members({ hub: "all", after: "alice" })).toEqual({ hub: "all", users: ["bob"] });
        await expect(alice.members({ hub: "team" })).rejects.toMatchObject({ code: "forbidden" });
        await expect(alice.message("hello", { user: " nobody" })).rejects.toMatchObject({ code: "bad-request" });
        const { items } = await alice.history({ of: "sessions" });
        expect(items).toMatchObject([{ method: "token" }]);
        await expect(alice.history()).rejects.toMatchObject({
            code: "too-many-requests",
            retryAfter: expect.any(Number) as number,
            requestId: expect.any(String) as string,
        });
    });
});
