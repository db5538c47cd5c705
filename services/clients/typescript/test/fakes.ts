import { connect } from "../src/client.ts";
import type { Client } from "../src/client.ts";
import type { Clock, Timer } from "../src/clock.ts";
import type { Environment } from "../src/environment.ts";
import type { Options } from "../src/options.ts";
import type { WebSocketLike } from "../src/socket.ts";

/** A clock that goes on only when told to. */
export class FakeClock implements Clock {
    /** What `now` is ahead of the time that has passed. */
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

    get pending(): number {
        return this.#timers.length;
    }

    /** Lets time pass, and everything happen that is due meanwhile, in order. */
    async pass(milliseconds: number): Promise<void> {
        const until = this.#passed + milliseconds;
        for (;;) {
            await settle();
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

/** Lets promises that are settled be acted on. */
export async function settle(): Promise<void> {
    // All of them are acted on before the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
}

/** A WebSocket whose other end is the test. */
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
        await settle();
    }

    async receive(...frames: unknown[]): Promise<void> {
        for (const frame of frames) {
            // As a browser does: once closing has begun, nothing is received any more.
            if (this.closed === undefined) this.onmessage?.({ data: JSON.stringify(frame) });
        }
        await settle();
    }

    async drop(code = 1006, reason = ""): Promise<void> {
        this.closed ??= code;
        this.onclose?.({ code, reason });
        await settle();
    }

    /** The last frame that was sent. */
    get last(): Record<string, unknown> | undefined {
        return this.sent.at(-1);
    }
}

/** A page of which the test says whether it is online and hidden. */
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

    get watched(): boolean {
        return this.#watchers.size > 0;
    }

    async change(change: Partial<Pick<FakeEnvironment, "isOnline" | "isHidden">>): Promise<void> {
        Object.assign(this, change);
        for (const watcher of [...this.#watchers]) watcher();
        await settle();
    }
}

/** A client in a world of fakes. */
export class World {
    readonly clock = new FakeClock();
    readonly environment = new FakeEnvironment();
    readonly sockets: FakeSocket[] = [];
    readonly client: Client;
    readonly taken: string[] = [];
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

    /** Takes notifications as they come. */
    listen(): this {
        this.client.on("notification", ({ id }) => {
            this.taken.push(id);
        });
        return this;
    }

    /** The socket made last. */
    get socket(): FakeSocket {
        const socket = this.sockets.at(-1);
        if (socket === undefined) throw new Error("no socket was made");
        return socket;
    }

    /** A world whose first connection is open. */
    static async open(options: Partial<Options> = {}): Promise<World> {
        const world = new World(options).listen();
        await settle();
        await world.socket.open();
        return world;
    }
}

/** A sequence, as the contract has it. */
export const sequence = (n: number): string => String(n).padStart(39, "0");

/** A delivery of a notification whose id is its number, unless it has another. */
export const delivery = (n: number, id = String(n)): Record<string, unknown> => ({
    id,
    sequence: sequence(n),
    sentAt: 1,
    payload: { n },
    replayed: false,
});

/** A frame of one notification. */
export const one = (n: number, id?: string): Record<string, unknown> => ({ type: "notification", ...delivery(n, id) });

/** A frame of several. */
export const several = (...numbers: number[]): Record<string, unknown> => ({
    type: "notifications",
    items: numbers.map((n) => delivery(n)),
});
