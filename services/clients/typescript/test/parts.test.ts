import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { Acks } from "../src/acks.ts";
import { fullJitter } from "../src/backoff.ts";
import { credentialOf, handshakeOf } from "../src/credential.ts";
import { Deduplication } from "../src/deduplication.ts";
import { systemEnvironment } from "../src/environment.ts";
import type { WebSocketConstructor } from "../src/socket.ts";
import { FakeClock, sequence } from "./fakes.ts";

const root = new URL("../", import.meta.url);

describe("what is generated and measured", () => {
    it("has the types of the contracts as they are", () => {
        const script = fileURLToPath(new URL("scripts/frames.mjs", root));
        const printed = execFileSync(process.execPath, [script, "--print"], { encoding: "utf8" });
        const committed = readFileSync(new URL("src/frames.ts", root), "utf8");
        expect(committed, "run `npm run frames`").toBe(printed);
    });

    it("is smaller than 6 kB", () => {
        const script = fileURLToPath(new URL("scripts/size.mjs", root));
        const printed = execFileSync(process.execPath, [script], { encoding: "utf8" });
        const [, compressed] = /(\d+) compressed/.exec(printed) ?? [];
        expect(Number(compressed)).toBeGreaterThan(1000);
        expect(Number(compressed)).toBeLessThan(6000);
    });
});

describe("backoff", () => {
    const backoff = { initial: 200, max: 15_000 };

    it("doubles the bound up to the longest", () => {
        const bounds = [0, 1, 2, 6, 7, 2000].map((failures) => fullJitter(backoff, failures, () => 0.999_999));
        expect(bounds).toEqual([199, 399, 799, 12_799, 14_999, 14_999]);
    });

    it("takes anything below it", () => {
        expect(fullJitter(backoff, 3, () => 0)).toBe(0);
        expect(fullJitter(backoff, 3, () => 0.5)).toBe(800);
    });
});

describe("deduplication", () => {
    it("knows a redriven dead letter by its id", () => {
        const known = new Deduplication(10);
        expect(known.judge("a", sequence(1))).toBe("new");
        expect(known.judge("a", sequence(9))).toBe("duplicate");
        // The duplicate's sequence sets no mark.
        expect(known.judge("b", sequence(2))).toBe("new");
        expect(known.judge("c", sequence(1))).toBe("out-of-order");
    });

    it("knows what may come again, and of the rest the most recent", () => {
        const known = new Deduplication(2);
        for (let n = 1; n <= 5; n += 1) known.judge(String(n), sequence(n));
        expect(known.size).toBe(5);
        for (let n = 1; n <= 4; n += 1) known.settle(String(n));
        expect(known.size).toBe(3);
        expect(["3", "4", "5"].map((id) => known.judge(id, sequence(9)))).toEqual(Array(3).fill("duplicate"));
        expect(known.judge("1", sequence(10))).toBe("new");
    });

    it("keeps an id that is settled again", () => {
        const known = new Deduplication(2);
        for (const id of ["a", "b", "a", "c"]) known.settle(id);
        expect(known.judge("a", sequence(1))).toBe("duplicate");
        expect(known.judge("b", sequence(2))).toBe("new");
    });
});

describe("acknowledgements", () => {
    const due = (): { clock: FakeClock; acks: Acks; times: number[] } => {
        const clock = new FakeClock();
        clock.skew = 0;
        const times: number[] = [];
        const acks = new Acks(clock, 3, 1000, () => times.push(clock.now()));
        return { clock, acks, times };
    };

    it("are due when the first is old, or the batch is full", async () => {
        const { clock, acks, times } = due();
        acks.add("1", "a");
        await clock.pass(400);
        acks.add("2", "b");
        await clock.pass(599);
        expect([acks.due, times]).toEqual([false, []]);
        await clock.pass(1);
        expect([acks.due, times]).toEqual([true, [1000]]);
        expect(acks.take()).toEqual(["1", "2"]);
        for (const n of ["3", "4", "5"]) acks.add(n, n);
        expect(times).toEqual([1000, 1000]);
        expect(acks.take()).toEqual(["3", "4", "5"]);
        expect(acks.confirmed()).toEqual(["a", "b", "3", "4", "5"]);
        expect(acks.settled).toBe(true);
    });

    it("wait again when they may not have arrived, before those that came after them", async () => {
        const { clock, acks, times } = due();
        for (const n of ["1", "2", "3"]) acks.add(n, n);
        acks.take();
        acks.add("4", "4");
        acks.returned(0);
        expect(acks.settled).toBe(false);
        await clock.pass(0);
        expect(times).toEqual([0, 0]);
        expect(acks.take()).toEqual(["1", "2", "3", "4"]);
    });

    it("go in frames that the contract and API Gateway allow", () => {
        const { acks } = due();
        for (let n = 0; n < 2500; n += 1) acks.add(String(n), "");
        expect([0, 1, 2, 3].map(() => acks.take().length)).toEqual([750, 750, 750, 250]);
        expect(acks.due).toBe(false);
    });
});

describe("the environment", () => {
    afterEach(() => {
        vi.unstubAllGlobals();
    });

    it("is online and visible where there is no browser", () => {
        const environment = systemEnvironment();
        expect([environment.online(), environment.hidden()]).toEqual([true, false]);
        environment.watch(() => undefined)();
    });

    it("is the browser's where there is one", () => {
        const page = new EventTarget();
        const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
        vi.stubGlobal("document", document);
        vi.stubGlobal("navigator", { onLine: false });
        vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
        vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
        const environment = systemEnvironment();
        expect([environment.online(), environment.hidden()]).toEqual([false, true]);
        let changes = 0;
        const unwatch = environment.watch(() => (changes += 1));
        for (const name of ["online", "offline", "pageshow"]) page.dispatchEvent(new Event(name));
        document.dispatchEvent(new Event("visibilitychange"));
        expect(changes).toBe(4);
        unwatch();
        page.dispatchEvent(new Event("online"));
        document.dispatchEvent(new Event("visibilitychange"));
        expect(changes).toBe(4);
    });
});

it("takes the WebSocket of browsers and that of ws", () => {
    // What is said of them is checked by the compiler.
    const made = (constructors: WebSocketConstructor[]): number => constructors.length;
    expect(made([globalThis.WebSocket, WebSocket])).toBe(2);
});

describe("credentials", () => {
    const jwt = (claims: object): string =>
        ["{}", JSON.stringify(claims), ""].map((part) => Buffer.from(part).toString("base64url")).join(".");

    it("end when a JSON Web Token says so", () => {
        expect(credentialOf(jwt({ exp: 1_800_000_000, name: "Zoë ÿÿÿ" })).expiresAt).toBe(1_800_000_000_000);
        expect(credentialOf(jwt({ exp: "soon" }))).not.toHaveProperty("expiresAt");
        for (const other of ["opaque", "a.b.c", "a.%%%.c", "a..c"]) expect(credentialOf(other)).toEqual({ token: other });
        expect(credentialOf({ token: jwt({ exp: 1 }), expiresAt: 5 }).expiresAt).toBe(5);
    });

    it("go where they are wanted", () => {
        const url = "wss://gateway.test/ws?format=batch";
        expect(handshakeOf(url, "t&k", "query", true)).toEqual({
            url: "wss://gateway.test/ws?format=batch&protocol=tidings.v1&acknowledge=true&token=t%26k",
            protocols: [],
        });
        expect(handshakeOf(url, "abc", "subprotocol", false)).toEqual({
            url: "wss://gateway.test/ws?format=batch&protocol=tidings.v1",
            protocols: ["tidings.v1", "token.abc"],
        });
        expect(handshakeOf(url, "a.b.c", "subprotocol", true).protocols).toEqual(["tidings.v1", "jwt.a.b.c"]);
        expect(handshakeOf(url, undefined, "subprotocol", true).protocols).toEqual([]);
    });
});
