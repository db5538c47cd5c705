import { describe, expect, it } from "vitest";
import { TidingsError } from "../src/errors.ts";
import { FakeSocket, Fixture, frameOf, sequence, flushPromises, batchOf } from "./fakes.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const pong = { type: "pong" };

/** Lets time pass and answers the pings on the newest socket. */
async function passAndAnswerPings(fixture: Fixture, milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 1000) {
        await fixture.clock.pass(1000);
        if (fixture.socket.last?.["action"] === "ping") await fixture.socket.receive(pong);
    }
}

describe("connecting", () => {
    it("asks for a new credential for each attempt", async () => {
        const fixture = await Fixture.open();
        const query = new URL(fixture.socket.url).searchParams;
        expect(Object.fromEntries(query)).toEqual({ acknowledge: "true", protocol: "tidings.v1", token: "token-1" });
        await fixture.socket.drop();
        await fixture.clock.pass(1000);
        expect(new URL(fixture.socket.url).searchParams.get("token")).toBe("token-2");
    });

    it("retries after growing delays and announces them", async () => {
        const fixture = new Fixture();
        const delays: number[] = [];
        for (let attempt = 0; attempt < 9; attempt += 1) {
            await flushPromises();
            await fixture.socket.drop();
            const { state } = fixture.client;
            if (state.status !== "waiting" || state.nextAttemptAt === undefined) throw new Error(state.status);
            expect(state.reason).toEqual({ why: "refused", code: 1006 });
            delays.push(state.nextAttemptAt - fixture.clock.now());
            await fixture.clock.pass(delays.at(-1) ?? 0);
        }
        // Half of each bound, because the random number is always 0.5.
        expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 7500, 7500]);
        expect(fixture.sockets).toHaveLength(10);
    });

    it("resets the failure count after a stable connection", async () => {
        const fixture = new Fixture();
        const lose = async (): Promise<unknown> => {
            await fixture.socket.drop(1001, "going away");
            const { state } = fixture.client;
            await fixture.clock.pass(1000);
            return state.status === "waiting" && state.failures;
        };
        await flushPromises();
        await fixture.socket.open();
        expect(await lose()).toBe(1);
        await fixture.socket.open();
        expect(await lose()).toBe(2);
        await fixture.socket.open();
        await fixture.clock.pass(15_000);
        expect(await lose()).toBe(1);
    });

    it("reports why a connection ended", async () => {
        const fixture = await Fixture.open();
        await fixture.socket.drop(1008, "the credential has expired");
        expect(fixture.client.state).toMatchObject({
            status: "waiting",
            reason: { why: "closed", code: 1008, message: "the credential has expired" },
        });
    });

    it("limits the time for the credential and the handshake", async () => {
        let stuck = true;
        const fixture = new Fixture({ token: () => (stuck ? new Promise<string>(() => undefined) : Promise.resolve("t")) });
        await fixture.clock.pass(10_000);
        expect(fixture.client.state).toMatchObject({ status: "waiting", reason: { why: "no-token" } });
        stuck = false;
        await fixture.clock.pass(100);
        expect(fixture.sockets).toHaveLength(1);
        await fixture.clock.pass(10_000);
        expect(fixture.client.state).toMatchObject({ status: "waiting", reason: { why: "refused" } });
        expect(fixture.socket.closed).toBeDefined();
    });

    it("retries a failed token request and closes when forbidden", async () => {
        const failures = [new Error("network"), new TidingsError("forbidden", "logged out")];
        const fixture = new Fixture({ token: () => Promise.reject(failures.shift() ?? new Error("none left")) });
        const notifications = fixture.client[Symbol.asyncIterator]();
        const next = expect(notifications.next()).rejects.toMatchObject({ code: "forbidden" });
        const asked = expect(fixture.client.whoami()).rejects.toMatchObject({ code: "closed" });
        await flushPromises();
        expect(fixture.client.state).toMatchObject({ status: "waiting", reason: { why: "no-token" } });
        await fixture.clock.pass(1000);
        expect(fixture.client.state).toMatchObject({ status: "closed", reason: { why: "forbidden" } });
        await Promise.all([next, asked]);
        expect(await notifications.next()).toEqual({ value: undefined, done: true });
        await fixture.clock.pass(HOUR);
        expect([fixture.sockets.length, fixture.clock.pending]).toEqual([0, 0]);
    });

    it("retries when the WebSocket constructor throws", async () => {
        const fixture = new Fixture({
            WebSocket: class extends FakeSocket {
                constructor(url: string) {
                    super(url);
                    throw new SyntaxError("insecure");
                }
            },
        });
        await flushPromises();
        expect(fixture.client.state).toMatchObject({ status: "waiting", reason: { why: "refused" } });
    });

    it("emits every state", async () => {
        const fixture = await Fixture.open();
        await fixture.socket.drop();
        await fixture.clock.pass(1000);
        await fixture.socket.open();
        await fixture.client.close();
        expect(fixture.states).toEqual(["open", "waiting", "connecting", "open", "closed"]);
    });
});

describe("heartbeat", () => {
    it("pings after a minute without another frame", async () => {
        const fixture = await Fixture.open();
        await fixture.clock.pass(59_999);
        expect(fixture.socket.sent).toEqual([]);
        await fixture.clock.pass(1);
        expect(fixture.socket.sent).toEqual([{ action: "ping" }]);
        await fixture.socket.receive(pong, frameOf(1));
        await fixture.clock.pass(1000);
        await fixture.socket.receive({ type: "ack-ok", acknowledged: 1 });
        await fixture.clock.pass(59_000);
        expect(fixture.socket.sent).toHaveLength(2);
        await fixture.clock.pass(1000);
        expect(fixture.socket.sent).toHaveLength(3);
    });

    it("follows the gateway, unless the application has set it", async () => {
        const told = { type: "pong", heartbeat: 514_285 };
        const fixture = await Fixture.open();
        await fixture.clock.pass(MINUTE);
        await fixture.socket.receive(told);
        await fixture.clock.pass(514_284);
        expect(fixture.socket.sent).toHaveLength(1);
        await fixture.clock.pass(1);
        expect(fixture.socket.sent).toHaveLength(2);

        const own = await Fixture.open({ heartbeat: 2 * MINUTE });
        await own.clock.pass(2 * MINUTE);
        await own.socket.receive(told);
        await own.clock.pass(2 * MINUTE);
        expect(own.socket.sent).toHaveLength(2);
    });

    it("follows a gateway with a short heartbeat in a hidden page too", async () => {
        const fixture = await Fixture.open();
        await fixture.clock.pass(MINUTE);
        await fixture.socket.receive({ type: "pong", heartbeat: 20_000 });
        await fixture.environment.change({ isHidden: true });
        await fixture.clock.pass(20_000);
        expect(fixture.socket.sent).toHaveLength(2);
    });

    it("replaces a connection only if it is silent", async () => {
        const fixture = await Fixture.open();
        await fixture.clock.pass(MINUTE + 9000);
        await fixture.socket.receive(frameOf(1));
        await fixture.clock.pass(10_999);
        expect(fixture.client.state.status).toBe("open");
        await fixture.clock.pass(1);
        expect(fixture.client.state).toMatchObject({ status: "waiting", reason: { why: "silent" } });
    });

    it("is slower in a hidden page and pings when it is shown", async () => {
        const fixture = await Fixture.open();
        await fixture.environment.change({ isHidden: true });
        await fixture.clock.pass(5 * MINUTE - 1);
        expect(fixture.socket.sent).toEqual([]);
        await fixture.environment.change({ isHidden: false });
        expect(fixture.socket.sent).toEqual([{ action: "ping" }]);
    });
});

describe("network and page", () => {
    it("makes no attempt without a network and one when it is back", async () => {
        const fixture = await Fixture.open();
        await fixture.environment.change({ isOnline: false });
        // The connection may survive a short outage of the network.
        expect(fixture.socket.last).toEqual({ action: "ping" });
        await fixture.clock.pass(10_000);
        expect(fixture.client.state).toEqual({ status: "waiting", reason: { why: "silent" }, failures: 1 });
        await fixture.clock.pass(HOUR);
        expect(fixture.sockets).toHaveLength(1);
        await fixture.environment.change({ isHidden: true, isOnline: true });
        expect(fixture.sockets).toHaveLength(2);
    });

    it("waits for a network after a failed first attempt", async () => {
        const fixture = new Fixture();
        fixture.environment.isOnline = false;
        await flushPromises();
        await fixture.socket.drop();
        await fixture.clock.pass(HOUR);
        expect(fixture.client.state).toMatchObject({ status: "waiting", reason: { why: "refused" } });
        expect(fixture.client.state).not.toHaveProperty("nextAttemptAt");
        await fixture.environment.change({ isOnline: true });
        expect(fixture.sockets).toHaveLength(2);
    });

    it("retries at once when the page is shown", async () => {
        const fixture = await Fixture.open();
        await fixture.socket.drop();
        await fixture.environment.change({ isHidden: true });
        expect(fixture.sockets).toHaveLength(1);
        await fixture.environment.change({ isHidden: false });
        expect(fixture.sockets).toHaveLength(2);
    });
});

describe("rotation", () => {
    const rotateAfter = 6_040_000;
    // 5 % less, because the random number is 0.5. Not a time at which a heartbeat is due.
    const AGE = 5_738_000;

    async function rotating(): Promise<{ fixture: Fixture; old: FakeSocket; fresh: FakeSocket }> {
        const fixture = await Fixture.open({ rotateAfter });
        const old = fixture.socket;
        await passAndAnswerPings(fixture, AGE - 1000);
        expect(fixture.sockets).toHaveLength(1);
        await fixture.clock.pass(1000);
        expect(fixture.sockets).toHaveLength(2);
        return { fixture, old, fresh: fixture.socket };
    }

    it("keeps the order while one connection replaces the other", async () => {
        const { fixture, old, fresh } = await rotating();
        await fresh.open();
        await old.receive(frameOf(1));
        // Deliveries of the new connection wait for the old one.
        await fresh.receive(batchOf(1, 2, 3));
        expect(fixture.handled).toEqual(["1"]);
        await fixture.clock.pass(1000);
        expect([old.last, fresh.sent, old.closed]).toEqual([{ action: "ping" }, [], undefined]);
        await old.receive(frameOf(2));
        expect(fixture.handled).toEqual(["1", "2"]);
        await old.receive(pong);
        expect(old.closed).toBe(1000);
        expect(fixture.handled).toEqual(["1", "2", "3"]);
        // The acknowledgement that was due meanwhile, and those of later deliveries and duplicates.
        await fresh.receive({ type: "ack-ok", acknowledged: 2 });
        await fixture.clock.pass(1000);
        const sequences = fresh.sent.flatMap((frame) => frame["sequences"] as string[]);
        expect(new Set(sequences)).toEqual(new Set([1, 2, 3].map(sequence)));
        expect(fixture.client.state.status).toBe("open");
        expect(fixture.states.filter((state) => state !== "open")).toEqual([]);
    });

    it("closes the old connection only after its last pong", async () => {
        const { fixture, old, fresh } = await rotating();
        await fixture.environment.change({});
        await fresh.open();
        await fixture.clock.pass(1000);
        const pings = old.sent.length;
        await old.receive(pong);
        expect([old.sent.length, old.closed]).toEqual([pings + 1, undefined]);
        await old.receive(pong);
        expect(old.closed).toBe(1000);
    });

    it("promotes the new connection when the old one ends", async () => {
        const { fixture, old, fresh } = await rotating();
        const asked = fixture.client.whoami();
        expect(old.last).toEqual({ action: "whoami" });
        await fresh.open();
        await fresh.receive(frameOf(1));
        await old.drop(1001, "the connection is too old");
        expect(fixture.handled).toEqual(["1"]);
        expect(fresh.sent).toEqual([{ action: "whoami" }]);
        const answer = { userId: "alice", method: "token", connectionId: "c", hubs: [] };
        await fresh.receive({ type: "whoami", ...answer });
        expect(await asked).toEqual(answer);
    });

    it("promotes the new connection when the old one is dead", async () => {
        const { fixture, old, fresh } = await rotating();
        await fresh.open();
        await fresh.receive(frameOf(1));
        await fixture.clock.pass(1000 + 9999);
        expect(fixture.handled).toEqual([]);
        await fixture.clock.pass(1);
        expect([fixture.handled, old.closed !== undefined, fixture.client.state.status]).toEqual([["1"], true, "open"]);
    });

    it("keeps the old connection when the new one fails", async () => {
        const { fixture, old, fresh } = await rotating();
        await fresh.drop();
        expect(fixture.client.state.status).toBe("open");
        await old.receive(frameOf(1));
        expect(fixture.handled).toEqual(["1"]);
        await fixture.clock.pass(200);
        expect(fixture.sockets).toHaveLength(3);
        await fixture.socket.open();
        // Deliveries of a new connection that is lost early come again: none was acknowledged.
        await fixture.socket.receive(frameOf(2));
        await fixture.socket.drop();
        expect(fixture.handled).toEqual(["1"]);
        await fixture.clock.pass(1000);
        expect(fixture.sockets).toHaveLength(4);
        await fixture.socket.open();
        await fixture.socket.receive(frameOf(2));
        await old.drop();
        expect(fixture.handled).toEqual(["1", "2"]);
    });

    it("continues the attempt when the old connection ends first", async () => {
        const { fixture, old, fresh } = await rotating();
        await old.drop();
        expect(fixture.client.state.status).toBe("connecting");
        await fresh.open();
        expect([fixture.client.state.status, fixture.sockets.length]).toEqual(["open", 2]);
        // The new connection is replaced later as well.
        await passAndAnswerPings(fixture, AGE);
        expect(fixture.sockets).toHaveLength(3);
    });

    it("happens before the credential expires", async () => {
        let ends = 0;
        const fixture: Fixture = await Fixture.open({
            token: () => Promise.resolve({ token: "t", expiresAt: ends }),
        });
        await fixture.socket.drop();
        ends = fixture.clock.now() + 10 * MINUTE;
        await fixture.clock.pass(1000);
        await fixture.socket.open();
        expect(fixture.client.state).toMatchObject({ status: "open", expiresAt: ends });
        await passAndAnswerPings(fixture, 8 * MINUTE);
        expect(fixture.sockets).toHaveLength(2);
        await passAndAnswerPings(fixture, MINUTE);
        expect(fixture.sockets).toHaveLength(3);
    });

    it("does not reconnect all the time with a wrong clock", async () => {
        for (const skew of [-10 * HOUR, 10 * HOUR]) {
            const fixture = new Fixture({ token: () => Promise.resolve({ token: "t", expiresAt: 1_767_225_600_000 + HOUR }) });
            fixture.clock.skew += skew;
            await flushPromises();
            await fixture.socket.open();
            await passAndAnswerPings(fixture, MINUTE - 1000);
            expect(fixture.sockets).toHaveLength(1);
            // The gateway decides by its own clock.
            await fixture.socket.drop(1008, "the credential has expired");
            await fixture.clock.pass(1000);
            await fixture.socket.open();
            await fixture.socket.receive(frameOf(1));
            expect(fixture.handled).toEqual([]);
            fixture.listen();
            await flushPromises();
            expect(fixture.handled).toEqual(["1"]);
        }
    });
});
