import { describe, expect, it } from "vitest";
import { TidingsError } from "../src/errors.ts";
import { FakeSocket, World, one, sequence, settle, several } from "./fakes.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const pong = { type: "pong" };

/** Answers the heartbeats of a world's latest socket for as long as that takes. */
async function live(world: World, milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 1000) {
        await world.clock.pass(1000);
        if (world.socket.last?.["action"] === "ping") await world.socket.receive(pong);
    }
}

describe("connecting", () => {
    it("asks for what the client needs, with a credential for each attempt", async () => {
        const world = await World.open();
        const query = new URL(world.socket.url).searchParams;
        expect(Object.fromEntries(query)).toEqual({ acknowledge: "true", protocol: "tidings.v1", token: "token-1" });
        await world.socket.drop();
        await world.clock.pass(1000);
        expect(new URL(world.socket.url).searchParams.get("token")).toBe("token-2");
    });

    it("tries again after delays that grow, and says when", async () => {
        const world = new World();
        const delays: number[] = [];
        for (let attempt = 0; attempt < 9; attempt += 1) {
            await settle();
            await world.socket.drop();
            const { state } = world.client;
            if (state.status !== "waiting" || state.nextAttemptAt === undefined) throw new Error(state.status);
            expect(state.reason).toEqual({ why: "refused", code: 1006 });
            delays.push(state.nextAttemptAt - world.clock.now());
            await world.clock.pass(delays.at(-1) ?? 0);
        }
        // Half of each bound, by the random numbers of this world.
        expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 7500, 7500]);
        expect(world.sockets).toHaveLength(10);
    });

    it("forgets failures only when a connection lasted", async () => {
        const world = new World();
        const lose = async (): Promise<unknown> => {
            await world.socket.drop(1001, "going away");
            const { state } = world.client;
            await world.clock.pass(1000);
            return state.status === "waiting" && state.failures;
        };
        await settle();
        await world.socket.open();
        expect(await lose()).toBe(1);
        await world.socket.open();
        expect(await lose()).toBe(2);
        await world.socket.open();
        await world.clock.pass(15_000);
        expect(await lose()).toBe(1);
    });

    it("says why a connection ended", async () => {
        const world = await World.open();
        await world.socket.drop(1008, "the credential has expired");
        expect(world.client.state).toMatchObject({
            status: "waiting",
            reason: { why: "closed", code: 1008, message: "the credential has expired" },
        });
    });

    it("gives up a handshake, and a credential, that take too long", async () => {
        let stuck = true;
        const world = new World({ token: () => (stuck ? new Promise<string>(() => undefined) : Promise.resolve("t")) });
        await world.clock.pass(10_000);
        expect(world.client.state).toMatchObject({ status: "waiting", reason: { why: "no-token" } });
        stuck = false;
        await world.clock.pass(100);
        expect(world.sockets).toHaveLength(1);
        await world.clock.pass(10_000);
        expect(world.client.state).toMatchObject({ status: "waiting", reason: { why: "refused" } });
        expect(world.socket.closed).toBeDefined();
    });

    it("asks again for a credential that it did not get, and ends when there is none", async () => {
        const failures = [new Error("network"), new TidingsError("forbidden", "logged out")];
        const world = new World({ token: () => Promise.reject(failures.shift() ?? new Error("none left")) });
        const notifications = world.client[Symbol.asyncIterator]();
        const next = expect(notifications.next()).rejects.toMatchObject({ code: "forbidden" });
        const asked = expect(world.client.whoami()).rejects.toMatchObject({ code: "closed" });
        await settle();
        expect(world.client.state).toMatchObject({ status: "waiting", reason: { why: "no-token" } });
        await world.clock.pass(1000);
        expect(world.client.state).toMatchObject({ status: "closed", reason: { why: "forbidden" } });
        await Promise.all([next, asked]);
        expect(await notifications.next()).toEqual({ value: undefined, done: true });
        await world.clock.pass(HOUR);
        expect([world.sockets.length, world.clock.pending]).toEqual([0, 0]);
    });

    it("tries again when no WebSocket could be made", async () => {
        const world = new World({
            WebSocket: class extends FakeSocket {
                constructor(url: string) {
                    super(url);
                    throw new SyntaxError("insecure");
                }
            },
        });
        await settle();
        expect(world.client.state).toMatchObject({ status: "waiting", reason: { why: "refused" } });
    });

    it("shows every state", async () => {
        const world = await World.open();
        await world.socket.drop();
        await world.clock.pass(1000);
        await world.socket.open();
        await world.client.close();
        expect(world.states).toEqual(["open", "waiting", "connecting", "open", "closed"]);
    });
});

describe("heartbeat", () => {
    it("asks every minute in which nothing else was sent", async () => {
        const world = await World.open();
        await world.clock.pass(59_999);
        expect(world.socket.sent).toEqual([]);
        await world.clock.pass(1);
        expect(world.socket.sent).toEqual([{ action: "ping" }]);
        await world.socket.receive(pong, one(1));
        await world.clock.pass(1000);
        await world.socket.receive({ type: "ack-ok", acknowledged: 1 });
        await world.clock.pass(59_000);
        expect(world.socket.sent).toHaveLength(2);
        await world.clock.pass(1000);
        expect(world.socket.sent).toHaveLength(3);
    });

    it("gives up a connection over which nothing comes, and not one over which something does", async () => {
        const world = await World.open();
        await world.clock.pass(MINUTE + 9000);
        await world.socket.receive(one(1));
        await world.clock.pass(10_999);
        expect(world.client.state.status).toBe("open");
        await world.clock.pass(1);
        expect(world.client.state).toMatchObject({ status: "waiting", reason: { why: "silent" } });
    });

    it("is slower in a hidden page, and asks at once when the page is shown", async () => {
        const world = await World.open();
        await world.environment.change({ isHidden: true });
        await world.clock.pass(5 * MINUTE - 1);
        expect(world.socket.sent).toEqual([]);
        await world.environment.change({ isHidden: false });
        expect(world.socket.sent).toEqual([{ action: "ping" }]);
    });
});

describe("network and page", () => {
    it("waits without attempts while there is no network, and tries at once when there is", async () => {
        const world = await World.open();
        await world.environment.change({ isOnline: false });
        // The network may be back before anything was lost.
        expect(world.socket.last).toEqual({ action: "ping" });
        await world.clock.pass(10_000);
        expect(world.client.state).toEqual({ status: "waiting", reason: { why: "silent" }, failures: 1 });
        await world.clock.pass(HOUR);
        expect(world.sockets).toHaveLength(1);
        await world.environment.change({ isHidden: true, isOnline: true });
        expect(world.sockets).toHaveLength(2);
    });

    it("begins without one", async () => {
        const world = new World();
        world.environment.isOnline = false;
        await settle();
        await world.socket.drop();
        await world.clock.pass(HOUR);
        expect(world.client.state).toMatchObject({ status: "waiting", reason: { why: "refused" } });
        expect(world.client.state).not.toHaveProperty("nextAttemptAt");
        await world.environment.change({ isOnline: true });
        expect(world.sockets).toHaveLength(2);
    });

    it("does not wait any longer when the page is shown", async () => {
        const world = await World.open();
        await world.socket.drop();
        await world.environment.change({ isHidden: true });
        expect(world.sockets).toHaveLength(1);
        await world.environment.change({ isHidden: false });
        expect(world.sockets).toHaveLength(2);
    });
});

describe("rotation", () => {
    const rotateAfter = 6_040_000;
    // Half of the tenth that is left to chance; not when a heartbeat is due.
    const AGE = 5_738_000;

    async function rotating(): Promise<{ world: World; old: FakeSocket; fresh: FakeSocket }> {
        const world = await World.open({ rotateAfter });
        const old = world.socket;
        await live(world, AGE - 1000);
        expect(world.sockets).toHaveLength(1);
        await world.clock.pass(1000);
        expect(world.sockets).toHaveLength(2);
        return { world, old, fresh: world.socket };
    }

    it("opens a new connection, and closes the old one when everything has arrived over it", async () => {
        const { world, old, fresh } = await rotating();
        await fresh.open();
        await old.receive(one(1));
        // What the new one brings waits for what the old one may still bring.
        await fresh.receive(several(1, 2, 3));
        expect(world.taken).toEqual(["1"]);
        await world.clock.pass(1000);
        expect([old.last, fresh.sent, old.closed]).toEqual([{ action: "ping" }, [], undefined]);
        await old.receive(one(2));
        expect(world.taken).toEqual(["1", "2"]);
        await old.receive(pong);
        expect(old.closed).toBe(1000);
        expect(world.taken).toEqual(["1", "2", "3"]);
        // The acknowledgement that was due meanwhile, and those of what came since, its duplicates included.
        await fresh.receive({ type: "ack-ok", acknowledged: 2 });
        await world.clock.pass(1000);
        const sequences = fresh.sent.flatMap((frame) => frame["sequences"] as string[]);
        expect(new Set(sequences)).toEqual(new Set([1, 2, 3].map(sequence)));
        expect(world.client.state.status).toBe("open");
        expect(world.states.filter((state) => state !== "open")).toEqual([]);
    });

    it("closes the old one by the answer to its last ping, not to one before", async () => {
        const { world, old, fresh } = await rotating();
        await world.environment.change({});
        await fresh.open();
        await world.clock.pass(1000);
        const pings = old.sent.length;
        await old.receive(pong);
        expect([old.sent.length, old.closed]).toEqual([pings + 1, undefined]);
        await old.receive(pong);
        expect(old.closed).toBe(1000);
    });

    it("takes the new one at once when the old one ends meanwhile", async () => {
        const { world, old, fresh } = await rotating();
        const asked = world.client.whoami();
        expect(old.last).toEqual({ action: "whoami" });
        await fresh.open();
        await fresh.receive(one(1));
        await old.drop(1001, "the connection is too old");
        expect(world.taken).toEqual(["1"]);
        expect(fresh.sent).toEqual([{ action: "whoami" }]);
        const answer = { userId: "alice", method: "token", connectionId: "c", hubs: [] };
        await fresh.receive({ type: "whoami", ...answer });
        expect(await asked).toEqual(answer);
    });

    it("takes the new one when the old one turns out to be dead", async () => {
        const { world, old, fresh } = await rotating();
        await fresh.open();
        await fresh.receive(one(1));
        await world.clock.pass(1000 + 9999);
        expect(world.taken).toEqual([]);
        await world.clock.pass(1);
        expect([world.taken, old.closed !== undefined, world.client.state.status]).toEqual([["1"], true, "open"]);
    });

    it("keeps the old one when there is no new one, and tries again", async () => {
        const { world, old, fresh } = await rotating();
        await fresh.drop();
        expect(world.client.state.status).toBe("open");
        await old.receive(one(1));
        expect(world.taken).toEqual(["1"]);
        await world.clock.pass(200);
        expect(world.sockets).toHaveLength(3);
        await world.socket.open();
        // What arrived over a new one that is lost before its turn comes again, as nothing was acknowledged.
        await world.socket.receive(one(2));
        await world.socket.drop();
        expect(world.taken).toEqual(["1"]);
        await world.clock.pass(1000);
        expect(world.sockets).toHaveLength(4);
        await world.socket.open();
        await world.socket.receive(one(2));
        await old.drop();
        expect(world.taken).toEqual(["1", "2"]);
    });

    it("lets the attempt go on when the old one ends before", async () => {
        const { world, old, fresh } = await rotating();
        await old.drop();
        expect(world.client.state.status).toBe("connecting");
        await fresh.open();
        expect([world.client.state.status, world.sockets.length]).toEqual(["open", 2]);
        // The new one is replaced in its turn.
        await live(world, AGE);
        expect(world.sockets).toHaveLength(3);
    });

    it("comes before a credential ends", async () => {
        let ends = 0;
        const world: World = await World.open({
            token: () => Promise.resolve({ token: "t", expiresAt: ends }),
        });
        await world.socket.drop();
        ends = world.clock.now() + 10 * MINUTE;
        await world.clock.pass(1000);
        await world.socket.open();
        expect(world.client.state).toMatchObject({ status: "open", expiresAt: ends });
        await live(world, 8 * MINUTE);
        expect(world.sockets).toHaveLength(2);
        await live(world, MINUTE);
        expect(world.sockets).toHaveLength(3);
    });

    it("does not run wild when the clock is wrong, whichever way", async () => {
        for (const skew of [-10 * HOUR, 10 * HOUR]) {
            const world = new World({ token: () => Promise.resolve({ token: "t", expiresAt: 1_767_225_600_000 + HOUR }) });
            world.clock.skew += skew;
            await settle();
            await world.socket.open();
            await live(world, MINUTE - 1000);
            expect(world.sockets).toHaveLength(1);
            // The gateway's clock counts.
            await world.socket.drop(1008, "the credential has expired");
            await world.clock.pass(1000);
            await world.socket.open();
            await world.socket.receive(one(1));
            expect(world.taken).toEqual([]);
            world.listen();
            await settle();
            expect(world.taken).toEqual(["1"]);
        }
    });
});
