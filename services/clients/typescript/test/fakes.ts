import { connect } from "../src/client.ts";
import type { Client } from "../src/client.ts";
import type { Clock, Timer } from "../src/clock.ts";
import type { Environment } from "../src/environment.ts";
import type { Options } from "../src/options.ts";
import type { WebSocketLike } from "../src/socket.ts";

/** A clock that stands still until {@link FakeClock.pass} is called. */
export class FakeClock implements Clock {
    /** Difference between `now` and the time that has passed, in milliseconds. */
    skew = 1_767_225_600_000;
    #passed = 0;
    #timers: { at: number; callback: () => void }[] = [];

    now(): number {
        return this.skew + this.#passed;
    }

    after(milliseconds: number, callback: () => void): Timer {
        const timer = { at: this.#passed + milliseconds, callback };
        this.#timers.push(timer);
        return timer;
    }

    cancel(timer: Timer): void {
        this.#timers = this.#timers.filter((other) => other !== timer);
    }

    /** Number of running timers. */
    get pending(): number {
        return this.#timers.length;
    }

    /** Lets time pass and fires the timers that are due meanwhile, in order. */
    async pass(milliseconds: number): Promise<void> {
        const until = this.#passed + milliseconds;
        for (;;) {
            await flushPromises();
            const next = this.#timers.reduce<{ at: number; callback: () => void } | undefined>(
                (first, timer) => (timer.at <= until && (first === undefined || timer.at < first.at) ? timer : first),
                undefined,
            );
            if (next === undefined) break;
            this.#passed = Math.max(this.#passed, next.at);
            this.cancel(next);
            next.callback();
        }
        this.#passed = until;
    }
}

/** Runs all callbacks of settled promises. */
export async function flushPromises(): Promise<void> {
    // They all run before the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
}

/** A WebSocket whose peer is the test. */
export class FakeSocket implements WebSocketLike {
    onopen: WebSocketLike["onopen"] = null;
    onmessage: WebSocketLike["onmessage"] = null;
    onclose: WebSocketLike["onclose"] = null;
    onerror: WebSocketLike["onerror"] = null;
    readonly sent: Record<string, unknown>[] = [];
    closed: number | undefined;
    readonly url: string;
    readonly protocols: string[] | undefined;

    constructor(url: string, protocols?: string[]) {
        this.url = url;
        this.protocols = protocols;
    }

    send(data: string): void {
        if (this.closed !== undefined) throw new Error("closed");
        this.sent.push(JSON.parse(data) as Record<string, unknown>);
    }

    close(code = 1005): void {
        this.closed ??= code;
    }

    async open(): Promise<void> {
        this.onopen?.({});
        await flushPromises();
    }

    async receive(...frames: unknown[]): Promise<void> {
        for (const frame of frames) {
            // Like a browser, receive nothing after closing has begun.
            if (this.closed === undefined) this.onmessage?.({ data: JSON.stringify(frame) });
        }
        await flushPromises();
    }

    async drop(code = 1006, reason = ""): Promise<void> {
        this.closed ??= code;
        this.onclose?.({ code, reason });
        await flushPromises();
    }

    /** The frame sent last. */
    get last(): Record<string, unknown> | undefined {
        return this.sent.at(-1);
    }
}

/** An environment that the test controls. */
export class FakeEnvironment implements Environment {
    isOnline = true;
    isHidden = false;
    readonly #watchers = new Set<() => void>();

    online(): boolean {
        return this.isOnline;
    }

    hidden(): boolean {
        return this.isHidden;
    }

    watch(changed: () => void): () => void {
        this.#watchers.add(changed);
        return () => this.#watchers.delete(changed);
    }

    /** True if somebody watches for changes. */
    get watched(): boolean {
        return this.#watchers.size > 0;
    }

    /** Changes the environment and tells the watchers. */
    async change(change: Partial<Pick<FakeEnvironment, "isOnline" | "isHidden">>): Promise<void> {
        Object.assign(this, change);
        for (const watcher of [...this.#watchers]) watcher();
        await flushPromises();
    }
}

/** A client with a fake clock, environment and WebSocket. */
export class Fixture {
    readonly clock = new FakeClock();
    readonly environment = new FakeEnvironment();
    readonly sockets: FakeSocket[] = [];
    readonly client: Client;
    readonly handled: string[] = [];
    readonly states: string[] = [];
    tokens = 0;

    constructor(options: Partial<Options> = {}) {
        const { sockets } = this;
        this.client = connect({
            url: "ws://gateway.test/ws",
            token: () => {
                this.tokens += 1;
                return Promise.resolve(`token-${this.tokens}`);
            },
            WebSocket: class extends FakeSocket {
                constructor(url: string, protocols?: string[]) {
                    super(url, protocols);
                    sockets.push(this);
                }
            },
            clock: this.clock,
            environment: this.environment,
            random: () => 0.5,
            ...options,
        });
        this.client.on("state", ({ status }) => this.states.push(status));
    }

    /** Handles notifications as they arrive, and records their ids. */
    listen(): this {
        this.client.on("notification", ({ id }) => {
            this.handled.push(id);
        });
        return this;
    }

    /** The newest socket. */
    get socket(): FakeSocket {
        const socket = this.sockets.at(-1);
        if (socket === undefined) throw new Error("there is no socket");
        return socket;
    }

    /** Returns a fixture whose first connection is open. */
    static async open(options: Partial<Options> = {}): Promise<Fixture> {
        const fixture = new Fixture(options).listen();
        await flushPromises();
        await fixture.socket.open();
        return fixture;
    }
}

/** Returns the number as a padded sequence. */
export const sequence = (n: number): string => String(n).padStart(39, "0");

/** Returns a delivery with the sequence `n`. Its id is the number too, unless another is given. */
export const delivery = (n: number, id = String(n)): Record<string, unknown> => ({
    id,
    sequence: sequence(n),
    sentAt: 1,
    payload: { n },
    replayed: false,
});

/** Returns a frame with one notification. */
export const frameOf = (n: number, id?: string): Record<string, unknown> => ({ type: "notification", ...delivery(n, id) });

/** Returns a frame with several notifications. */
export const batchOf = (...numbers: number[]): Record<string, unknown> => ({
    type: "notifications",
    items: numbers.map((n) => delivery(n)),
});
