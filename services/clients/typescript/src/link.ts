import { Attempt } from "./attempt.ts";
import { fullJitter } from "./backoff.ts";
import type { Timer } from "./clock.ts";
import type { TidingsError } from "./errors.ts";
import type { Delivery } from "./frames.ts";
import type { Settings } from "./options.ts";
import type { Job, Socket, SocketHooks } from "./socket.ts";
import type { Disconnect, State } from "./state.ts";

/** How soon before its credential ends a connection is replaced, in milliseconds. */
const BEFORE_EXPIRY = 60_000;

/** How long a connection lasts at least before it is replaced because of its credential, in milliseconds. */
const LEAST_AGE = 60_000;

/** The least heartbeat of a hidden page, in milliseconds: half of what API Gateway allows. */
const HIDDEN_HEARTBEAT = 5 * 60_000;

/** Of the next attempt, the change of connections, the heartbeat, and when failures are forgotten. */
const TIMERS = ["retry", "rotate", "heartbeat", "good"] as const;
type TimerName = (typeof TIMERS)[number];

/** What a link tells its owner. */
export interface LinkHooks {
    /** Notifications arrived, in the order in which they are to be handed over. */
    deliveries(items: readonly Delivery[]): void;
    /** The next frame to send, if there is one. */
    job(): Job | undefined;
    /** The gateway says what is wrong, and it is not about a frame of ours. */
    error(error: TidingsError): void;
    /** Things have changed. */
    state(state: State): void;
}

/**
 * A connection that lasts: one socket at a time speaks, and is replaced when it ends. Before it gets too old another
 * one is opened beside it. What arrives over that one waits until everything has arrived over the old one, which a
 * last `pong` tells; so the order over the old one is not disturbed.
 */
export class Link {
    #state: State = { status: "connecting", failures: 0 };
    #speaker: Socket | undefined;
    #next: { socket: Socket; held: Delivery[] } | undefined;
    #attempt: Attempt | undefined;
    #failures = 0;
    #pingDue = false;
    #draining = false;
    #paused = false;
    readonly #timers: Partial<Record<TimerName, Timer>> = {};
    readonly #settings: Settings;
    readonly #hooks: LinkHooks;
    readonly #unwatch: () => void;
    readonly #socketHooks: SocketHooks;

    constructor(settings: Settings, hooks: LinkHooks) {
        this.#settings = settings;
        this.#hooks = hooks;
        this.#socketHooks = {
            open: (socket) => {
                this.#opened(socket);
            },
            deliveries: (socket, items) => {
                if (socket === this.#next?.socket) this.#next.held.push(...items);
                else hooks.deliveries(items);
            },
            idle: () => {
                this.work();
            },
            error: (error) => {
                hooks.error(error);
            },
            lost: (socket, reason) => {
                this.#lost(socket, reason);
            },
        };
        this.#unwatch = settings.environment.watch(() => {
            this.#environmentChanged();
        });
        this.#start();
    }

    /** How things are. */
    get state(): State {
        return this.#state;
    }

    /** Sends the next frame, if there is one and a connection that is free for it. */
    work(): void {
        const speaker = this.#speaker;
        if (speaker?.idle !== true) return;
        const job = this.#draining ? this.#ping() : (this.#hooks.job() ?? (this.#pingDue ? this.#ping() : undefined));
        if (job === undefined) return;
        this.#pingDue = false;
        this.#armHeartbeat();
        speaker.run(job);
    }

    /** Gives all connections up, and opens another one. */
    replace(reason: Disconnect): void {
        this.#drop();
        this.#lose(reason);
    }

    /** Gives all connections up until {@link Link.resume}. */
    pause(reason: Disconnect): void {
        if (this.#paused) return;
        this.#paused = true;
        this.#drop();
        this.#set({ status: "waiting", reason, failures: this.#failures });
    }

    /** Goes on after {@link Link.pause}. */
    resume(): void {
        if (!this.#paused) return;
        this.#paused = false;
        this.#start();
    }

    /** Ends it for good. */
    close(reason: Disconnect): void {
        if (this.#state.status === "closed") return;
        this.#drop();
        this.#unwatch();
        this.#set({ status: "closed", reason });
    }

    #set(state: State): void {
        this.#state = state;
        this.#hooks.state(state);
    }

    #arm(timer: TimerName, milliseconds: number, callback: () => void): void {
        this.#disarm(timer);
        this.#timers[timer] = this.#settings.clock.after(milliseconds, callback);
    }

    #disarm(timer: TimerName): void {
        if (this.#timers[timer] !== undefined) this.#settings.clock.cancel(this.#timers[timer]);
        this.#timers[timer] = undefined;
    }

    #drop(): void {
        for (const timer of TIMERS) this.#disarm(timer);
        const sockets = [this.#speaker, this.#next?.socket];
        this.#attempt?.cancel();
        this.#attempt = this.#speaker = this.#next = undefined;
        this.#draining = false;
        for (const socket of sockets) socket?.close();
    }

    /** Begins an attempt, unless the network is away. */
    #start(): void {
        this.#disarm("retry");
        if (this.#attempt !== undefined || this.#paused || this.#state.status === "closed") return;
        if (!this.#settings.environment.online()) {
            if (this.#speaker === undefined) {
                this.#set({ status: "waiting", reason: { why: "offline" }, failures: this.#failures });
            }
            return;
        }
        this.#attempt = new Attempt(this.#settings, this.#socketHooks, (reason) => {
            this.#failed(reason);
        });
        if (this.#speaker === undefined) this.#set({ status: "connecting", failures: this.#failures });
    }

    #failed(reason: Disconnect): void {
        this.#attempt = undefined;
        if (reason.why === "forbidden") this.close(reason);
        else this.#lose(reason);
    }

    /** Plans the next attempt. */
    #lose(reason: Disconnect): void {
        if (this.#state.status === "closed" || this.#paused) return;
        const { backoff, random, clock, environment } = this.#settings;
        const delay = fullJitter(backoff, this.#failures, random);
        this.#failures += 1;
        const waiting = { status: "waiting", reason, failures: this.#failures } as const;
        const alone = this.#speaker === undefined;
        if (!environment.online()) {
            if (alone) this.#set(waiting);
            return;
        }
        this.#arm("retry", delay, () => {
            this.#start();
        });
        if (alone) this.#set({ ...waiting, nextAttemptAt: clock.now() + delay });
    }

    #opened(socket: Socket): void {
        this.#attempt = undefined;
        if (this.#speaker === undefined) {
            this.#speak(socket);
            return;
        }
        this.#next = { socket, held: [] };
        this.#arm("rotate", this.#settings.overlap, () => {
            this.#draining = true;
            this.work();
        });
    }

    #speak(socket: Socket): void {
        const { clock, rotateAfter, random, backoff } = this.#settings;
        this.#speaker = socket;
        this.#draining = false;
        // A connection that lasted longer than the longest delay was a good one.
        this.#arm("good", backoff.max, () => {
            this.#failures = 0;
        });
        const now = clock.now();
        const { expiresAt } = socket;
        const remaining = expiresAt === undefined ? Infinity : expiresAt - now - BEFORE_EXPIRY;
        // If this machine's clock is wrong it may seem to have ended; that must not end in a connection a moment.
        const age = Math.min(rotateAfter * (1 - random() / 10), Math.max(remaining, LEAST_AGE));
        this.#arm("rotate", age, () => {
            this.#start();
        });
        this.#armHeartbeat();
        this.#set({ status: "open", since: now, ...(expiresAt === undefined ? {} : { expiresAt }) });
    }

    /** The new connection takes the place of the old one. */
    #promote(): void {
        const next = this.#next;
        if (next === undefined) return;
        const old = this.#speaker;
        this.#next = undefined;
        this.#speak(next.socket);
        old?.close(1000, "replaced");
        this.#hooks.deliveries(next.held);
        this.work();
    }

    #lost(socket: Socket, reason: Disconnect): void {
        if (socket === this.#speaker) {
            this.#speaker = undefined;
            this.#disarm("heartbeat");
            this.#disarm("rotate");
            this.#disarm("good");
            this.#draining = false;
            if (this.#next !== undefined) this.#promote();
            // Another one is on its way.
            else if (this.#attempt !== undefined) this.#set({ status: "connecting", failures: this.#failures });
            else this.#lose(reason);
        } else if (socket === this.#next?.socket) {
            const { held } = this.#next;
            this.#next = undefined;
            this.#draining = false;
            this.#disarm("rotate");
            // What is acknowledged is held by the gateway, and comes again.
            if (!this.#settings.acknowledge) this.#hooks.deliveries(held);
            this.#lose(reason);
        } else {
            this.#failed(reason);
        }
    }

    #armHeartbeat(): void {
        const { heartbeat, environment } = this.#settings;
        const interval = environment.hidden() ? Math.max(heartbeat, HIDDEN_HEARTBEAT) : heartbeat;
        this.#arm("heartbeat", interval, () => {
            this.#pingDue = true;
            this.work();
        });
    }

    #ping(): Job {
        const last = this.#draining;
        const over = (): void => {
            if (last && this.#draining) this.#promote();
        };
        return {
            frame: { action: "ping" },
            answered: (frame) => {
                if (frame.type !== "pong") return false;
                over();
                return true;
            },
            // An answer is an answer; the connection may be at its end, which its close event tells.
            refused: over,
            lost: () => undefined,
        };
    }

    /** The network came or went, or the page was hidden or shown. */
    #environmentChanged(): void {
        const { environment } = this.#settings;
        if (this.#speaker !== undefined) {
            this.#armHeartbeat();
            // It may not have lived through a pause, or a change of networks: better asked now than later.
            this.#pingDue ||= !environment.hidden();
            this.work();
        } else if (!environment.hidden() || this.#timers.retry === undefined) {
            this.#start();
        }
    }
}
