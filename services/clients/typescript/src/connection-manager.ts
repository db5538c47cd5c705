import { Attempt } from "./attempt.ts";
import { fullJitter } from "./backoff.ts";
import type { Timer } from "./clock.ts";
import type { TidingsError } from "./errors.ts";
import type { Arrival } from "./parse.ts";
import type { Settings } from "./options.ts";
import type { OutgoingFrame, Socket, SocketHooks } from "./socket.ts";
import type { Disconnect, State } from "./state.ts";

/** Time before the expiry of its credential at which a connection is replaced, in milliseconds. */
const EXPIRY_MARGIN = 60_000;

/** Minimum age at which a connection is replaced because of its credential, in milliseconds. */
const MIN_AGE = 60_000;

/** Heartbeat until the gateway has told another one, in milliseconds. */
const HEARTBEAT = 60_000;

/** Bounds of the heartbeat that a gateway tells, in milliseconds. */
const MIN_HEARTBEAT = 1000;
const MAX_HEARTBEAT = 3_600_000;

/** Minimum heartbeat of a hidden page, in milliseconds: half of the idle time that API Gateway allows. */
const HIDDEN_HEARTBEAT = 5 * 60_000;

/**
 * - `retry`: next attempt to connect
 * - `rotate`: replacement of the connection
 * - `heartbeat`: next `ping`
 * - `stable`: reset of the failure count
 */
const TIMERS = ["retry", "rotate", "heartbeat", "stable"] as const;
type TimerName = (typeof TIMERS)[number];

/** Callbacks of a connection manager to its owner. */
export interface ConnectionHooks {
    /** Notifications arrived, in the order in which they are to be handed over. */
    deliveries(items: readonly Arrival[]): void;
    /** Returns the next frame to send, if there is one. */
    nextFrame(): OutgoingFrame | undefined;
    /** The gateway reported an error that is not about a frame of this client. */
    error(error: TidingsError): void;
    /** The state has changed. */
    state(state: State): void;
}

/**
 * Keeps a connection to the gateway. It reconnects when the connection ends, and replaces it before it gets too old.
 *
 * For a replacement, a second socket is opened beside the active one, and its deliveries are held back. After an
 * overlap, a last `ping` goes over the active socket. Its `pong` arrives after everything else on that socket; then the
 * successor takes over and its deliveries are released. So the order of deliveries is kept.
 */
export class ConnectionManager {
    #state: State = { status: "connecting", failures: 0 };
    /** The socket that sends frames and whose deliveries are handed over at once. */
    #active: Socket | undefined;
    /** The open socket that will replace the active one, and its deliveries so far. */
    #successor: { socket: Socket; heldBack: Arrival[] } | undefined;
    #attempt: Attempt | undefined;
    #failures = 0;
    #pingDue = false;
    /** The heartbeat that the gateway has told. */
    #toldHeartbeat: number | undefined;
    /** True if the next frame over the active socket is its last `ping`, or that is unanswered. */
    #draining = false;
    #paused = false;
    readonly #timers: Partial<Record<TimerName, Timer>> = {};
    readonly #settings: Settings;
    readonly #hooks: ConnectionHooks;
    readonly #unwatch: () => void;
    readonly #socketHooks: SocketHooks;

    /** Starts to connect. */
    constructor(settings: Settings, hooks: ConnectionHooks) {
        this.#settings = settings;
        this.#hooks = hooks;
        this.#socketHooks = {
            open: (socket) => {
                this.#onOpen(socket);
            },
            deliveries: (socket, items) => {
                if (socket === this.#successor?.socket) this.#successor.heldBack.push(...items);
                else hooks.deliveries(items);
            },
            idle: () => {
                this.sendNext();
            },
            error: (error) => {
                hooks.error(error);
            },
            lost: (socket, reason) => {
                this.#onLost(socket, reason);
            },
        };
        this.#unwatch = settings.environment.watch(() => {
            this.#onEnvironmentChange();
        });
        this.#startAttempt();
    }

    /** Current state. */
    get state(): State {
        return this.#state;
    }

    /** Sends the next frame, if there is one and the active socket is idle. */
    sendNext(): void {
        const active = this.#active;
        if (active?.isIdle !== true) return;
        const frame = this.#draining
            ? this.#ping()
            : (this.#hooks.nextFrame() ?? (this.#pingDue ? this.#ping() : undefined));
        if (frame === undefined) return;
        this.#pingDue = false;
        this.#startHeartbeat();
        active.send(frame);
    }

    /** Closes all sockets and reconnects after a delay. */
    reconnect(reason: Disconnect): void {
        this.#closeSockets();
        this.#scheduleRetry(reason);
    }

    /** Closes all sockets and does not reconnect before {@link ConnectionManager.resume}. */
    pause(reason: Disconnect): void {
        if (this.#paused) return;
        this.#paused = true;
        this.#closeSockets();
        this.#setState({ status: "waiting", reason, failures: this.#failures });
    }

    /** Connects again after {@link ConnectionManager.pause}. */
    resume(): void {
        if (!this.#paused) return;
        this.#paused = false;
        this.#startAttempt();
    }

    /** Closes all sockets for good. */
    close(reason: Disconnect): void {
        if (this.#state.status === "closed") return;
        this.#closeSockets();
        this.#unwatch();
        this.#setState({ status: "closed", reason });
    }

    #setState(state: State): void {
        this.#state = state;
        this.#hooks.state(state);
    }

    #startTimer(timer: TimerName, milliseconds: number, callback: () => void): void {
        this.#stopTimer(timer);
        this.#timers[timer] = this.#settings.clock.after(milliseconds, callback);
    }

    #stopTimer(timer: TimerName): void {
        if (this.#timers[timer] !== undefined) this.#settings.clock.cancel(this.#timers[timer]);
        this.#timers[timer] = undefined;
    }

    #closeSockets(): void {
        for (const timer of TIMERS) this.#stopTimer(timer);
        const sockets = [this.#active, this.#successor?.socket];
        this.#attempt?.cancel();
        this.#attempt = this.#active = this.#successor = undefined;
        this.#draining = false;
        for (const socket of sockets) socket?.close();
    }

    /** Starts an attempt to connect, unless one is running or there is no network. */
    #startAttempt(): void {
        this.#stopTimer("retry");
        if (this.#attempt !== undefined || this.#paused || this.#state.status === "closed") return;
        if (!this.#settings.environment.online()) {
            if (this.#active === undefined) {
                this.#setState({ status: "waiting", reason: { why: "offline" }, failures: this.#failures });
            }
            return;
        }
        this.#attempt = new Attempt(this.#settings, this.#socketHooks, (reason) => {
            this.#onAttemptFailed(reason);
        });
        if (this.#active === undefined) this.#setState({ status: "connecting", failures: this.#failures });
    }

    #onAttemptFailed(reason: Disconnect): void {
        this.#attempt = undefined;
        if (reason.why === "forbidden") this.close(reason);
        else this.#scheduleRetry(reason);
    }

    /** Counts a failure and schedules the next attempt. Without a network, the next attempt waits for the network. */
    #scheduleRetry(reason: Disconnect): void {
        if (this.#state.status === "closed" || this.#paused) return;
        const { backoff, random, clock, environment } = this.#settings;
        const delay = fullJitter(backoff, this.#failures, random);
        this.#failures += 1;
        const waiting = { status: "waiting", reason, failures: this.#failures } as const;
        const disconnected = this.#active === undefined;
        if (!environment.online()) {
            if (disconnected) this.#setState(waiting);
            return;
        }
        this.#startTimer("retry", delay, () => {
            this.#startAttempt();
        });
        if (disconnected) this.#setState({ ...waiting, nextAttemptAt: clock.now() + delay });
    }

    #onOpen(socket: Socket): void {
        this.#attempt = undefined;
        if (this.#active === undefined) {
            this.#activate(socket);
            return;
        }
        this.#successor = { socket, heldBack: [] };
        this.#startTimer("rotate", this.#settings.overlap, () => {
            this.#draining = true;
            this.sendNext();
        });
    }

    #activate(socket: Socket): void {
        const { clock, rotateAfter, random, backoff } = this.#settings;
        this.#active = socket;
        this.#draining = false;
        // A connection that outlasts the longest delay was a good one.
        this.#startTimer("stable", backoff.max, () => {
            this.#failures = 0;
        });
        const now = clock.now();
        const { expiresAt } = socket;
        const remaining = expiresAt === undefined ? Infinity : expiresAt - now - EXPIRY_MARGIN;
        // With a wrong local clock, a credential may seem to be expired: don't reconnect all the time for that.
        const age = Math.min(rotateAfter * (1 - random() / 10), Math.max(remaining, MIN_AGE));
        this.#startTimer("rotate", age, () => {
            this.#startAttempt();
        });
        this.#startHeartbeat();
        this.#setState({ status: "open", since: now, ...(expiresAt === undefined ? {} : { expiresAt }) });
    }

    /** Makes the successor the active socket. */
    #promoteSuccessor(): void {
        const successor = this.#successor;
        if (successor === undefined) return;
        const old = this.#active;
        this.#successor = undefined;
        this.#activate(successor.socket);
        old?.close(1000, "replaced");
        this.#hooks.deliveries(successor.heldBack);
        this.sendNext();
    }

    #onLost(socket: Socket, reason: Disconnect): void {
        if (socket === this.#active) {
            this.#active = undefined;
            this.#stopTimer("heartbeat");
            this.#stopTimer("rotate");
            this.#stopTimer("stable");
            this.#draining = false;
            if (this.#successor !== undefined) this.#promoteSuccessor();
            // The attempt to replace it goes on.
            else if (this.#attempt !== undefined) this.#setState({ status: "connecting", failures: this.#failures });
            else this.#scheduleRetry(reason);
        } else if (socket === this.#successor?.socket) {
            const { heldBack } = this.#successor;
            this.#successor = undefined;
            this.#draining = false;
            this.#stopTimer("rotate");
            // With acknowledgements, the gateway delivers them again.
            if (!this.#settings.acknowledge) this.#hooks.deliveries(heldBack);
            this.#scheduleRetry(reason);
        } else {
            this.#onAttemptFailed(reason);
        }
    }

    #startHeartbeat(): void {
        const { environment } = this.#settings;
        const heartbeat = this.#settings.heartbeat ?? this.#toldHeartbeat ?? HEARTBEAT;
        // A gateway that tells a shorter one closes the connection otherwise.
        const least = this.#toldHeartbeat === undefined ? HIDDEN_HEARTBEAT : Math.min(HIDDEN_HEARTBEAT, this.#toldHeartbeat);
        const interval = environment.hidden() ? Math.max(heartbeat, least) : heartbeat;
        this.#startTimer("heartbeat", interval, () => {
            this.#pingDue = true;
            this.sendNext();
        });
    }

    #ping(): OutgoingFrame {
        const isLast = this.#draining;
        const done = (): void => {
            if (isLast && this.#draining) this.#promoteSuccessor();
        };
        return {
            frame: { action: "ping" },
            onAnswer: (frame) => {
                if (frame.type !== "pong") return false;
                if (typeof frame.heartbeat === "number") {
                    this.#toldHeartbeat = Math.min(Math.max(frame.heartbeat, MIN_HEARTBEAT), MAX_HEARTBEAT);
                    this.#startHeartbeat();
                }
                done();
                return true;
            },
            // A refusal shows as well that the connection works.
            onRefusal: done,
            onLoss: () => undefined,
        };
    }

    /** Handles a change of the network or of the page's visibility. */
    #onEnvironmentChange(): void {
        const { environment } = this.#settings;
        if (this.#active !== undefined) {
            this.#startHeartbeat();
            // The connection may not have survived a suspension or a change of networks, so test it now.
            this.#pingDue ||= !environment.hidden();
            this.sendNext();
        } else if (!environment.hidden() || this.#timers.retry === undefined) {
            this.#startAttempt();
        }
    }
}
