import type { Clock, Timer } from "./clock.ts";
import { TidingsError } from "./errors.ts";
import type { ClientFrame, Delivery, ServerFrame } from "./frames.ts";
import type { Disconnect } from "./state.ts";

/** The code of a connection that is closed for a message that is too large (https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1). */
const TOO_LARGE = 1009;

type Handler<E> = { handle(event: E): void }["handle"] | null;

/** What of a WebSocket is used. That of browsers and of Node.js 22 fits, and that of the package `ws`. */
export interface WebSocketLike {
    onopen: Handler<unknown>;
    onmessage: Handler<{ data: unknown }>;
    onclose: Handler<{ code: number; reason: string }>;
    onerror: Handler<unknown>;
    send(data: string): void;
    close(code?: number, reason?: string): void;
}

/** Makes WebSockets. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/** A frame to be sent, and what becomes of it. Exactly one of the three functions is called, once it was sent. */
export interface Job {
    readonly frame: ClientFrame | (ClientFrame & Record<string, unknown>);
    /** Whether a frame is the answer; then it is carried out. */
    answered(frame: ServerFrame): boolean;
    /** It was refused. */
    refused(error: TidingsError): void;
    /** The connection ended first. */
    lost(): void;
}

/** What a socket tells its owner. Nothing is told any more after `lost` and after {@link Socket.close}. */
export interface SocketHooks {
    /** The handshake succeeded. */
    open(socket: Socket): void;
    /** Notifications arrived, in order. */
    deliveries(socket: Socket, items: readonly Delivery[]): void;
    /** There is room for a frame. */
    idle(socket: Socket): void;
    /** The gateway says what is wrong, and it is not about a frame of ours. */
    error(error: TidingsError): void;
    /** The connection ended. */
    lost(socket: Socket, reason: Disconnect): void;
}

/** What a socket needs besides its WebSocket. Durations are in milliseconds. */
export interface SocketSettings {
    readonly clock: Clock;
    /** How long the handshake may take. */
    readonly connectTimeout: number;
    /** After how long without anything heard an unanswered frame means that nobody is there. */
    readonly answerTimeout: number;
}

/**
 * One connection. A frame is sent when the one before has been answered, and not before: an error frame does not
 * name the frame it is about, and on AWS frames are worked on at the same time and may be answered in any order.
 * So it is also known that no frame goes unanswered for long over a connection that is alive.
 */
export class Socket {
    #socket: WebSocketLike | undefined;
    #job: Job | undefined;
    #timer: Timer;
    #opened = false;
    #heard = false;
    readonly #settings: SocketSettings;
    readonly #hooks: SocketHooks;
    /** When the credential it is opened with ends, in milliseconds since the Unix epoch. */
    readonly expiresAt: number | undefined;

    /** Waits for the handshake that the WebSocket has begun. */
    constructor(
        socket: WebSocketLike,
        settings: SocketSettings,
        hooks: SocketHooks,
        expiresAt: number | undefined,
    ) {
        this.#settings = settings;
        this.#hooks = hooks;
        this.expiresAt = expiresAt;
        this.#socket = socket;
        socket.onopen = () => {
            this.#opened = true;
            this.#stop();
            hooks.open(this);
            if (this.idle) hooks.idle(this);
        };
        socket.onmessage = ({ data }) => {
            this.#message(data);
        };
        socket.onclose = ({ code, reason }) => {
            if (code === TOO_LARGE) {
                // Sent again it would end the next connection too.
                this.#takeJob()?.refused(new TidingsError("bad-request", "the gateway takes no frame as large as this"));
            }
            // 1005 and 1006 say that there was no code, and no close frame.
            const why = !this.#opened ? "refused" : code === 1006 ? "broken" : "closed";
            this.#end({ why, code, ...(reason === "" ? {} : { message: reason }) });
        };
        // A close event follows and has all there is to know; `ws` throws if nobody listens.
        socket.onerror = () => undefined;
        this.#timer = settings.clock.after(settings.connectTimeout, () => {
            this.#end({ why: "refused", message: "the handshake took too long" });
        });
    }

    /** Whether a frame may be sent now. */
    get idle(): boolean {
        return this.#opened && this.#socket !== undefined && this.#job === undefined;
    }

    /** Sends a frame; only when idle. */
    run(job: Job): void {
        this.#job = job;
        this.#heard = false;
        this.#watch();
        // A socket that is closing takes no frame, which its close event will tell.
        try {
            this.#socket?.send(JSON.stringify(job.frame));
        } catch {
            this.#end({ why: "broken" });
        }
    }

    /** Closes the connection. */
    close(code = 1000, reason = ""): void {
        const socket = this.#detach();
        socket?.close(code, reason);
        this.#takeJob()?.lost();
    }

    /** Ends the connection because nobody is there, or it is of no use any more. */
    end(reason: Disconnect): void {
        this.#end(reason);
    }

    #message(data: unknown): void {
        this.#heard = true;
        const frame = parse(data);
        if (frame === undefined) return;
        switch (frame.type) {
            case "notification":
                this.#hooks.deliveries(this, [frame]);
                return;
            case "notifications":
                this.#hooks.deliveries(this, frame.items);
                return;
            case "error": {
                const { code, message, requestId, retryAfter } = frame;
                const error = new TidingsError(code, message, { requestId, retryAfter: retryAfter ?? undefined });
                const job = this.#takeJob();
                if (job === undefined) this.#hooks.error(error);
                else job.refused(error);
                break;
            }
            default:
                // What answers nothing, or is not known to this version, is passed over.
                if (this.#job?.answered(frame) !== true) return;
                this.#takeJob();
        }
        if (this.idle) this.#hooks.idle(this);
    }

    /** Gives the connection up if it stays silent while a frame is unanswered. */
    #watch(): void {
        this.#timer = this.#settings.clock.after(this.#settings.answerTimeout, () => {
            if (this.#heard) {
                this.#heard = false;
                this.#watch();
            } else {
                this.#end({ why: "silent" });
            }
        });
    }

    #takeJob(): Job | undefined {
        const job = this.#job;
        this.#job = undefined;
        this.#stop();
        return job;
    }

    #stop(): void {
        this.#settings.clock.cancel(this.#timer);
    }

    #detach(): WebSocketLike | undefined {
        const socket = this.#socket;
        this.#socket = undefined;
        this.#stop();
        if (socket !== undefined) {
            socket.onopen = socket.onmessage = socket.onclose = null;
        }
        return socket;
    }

    #end(reason: Disconnect): void {
        const socket = this.#detach();
        if (socket === undefined) return;
        // Nobody may be there to answer a close frame: a socket that can be cut off is.
        const { terminate } = socket as { terminate?: () => void };
        if (terminate === undefined) socket.close();
        else terminate.call(socket);
        this.#takeJob()?.lost();
        this.#hooks.lost(this, reason);
    }
}

/** Reads a frame; `undefined` when it is none. */
function parse(data: unknown): ServerFrame | undefined {
    let frame: unknown;
    try {
        frame = JSON.parse(String(data));
    } catch {
        return undefined;
    }
    if (typeof frame !== "object" || frame === null) return undefined;
    if (!("type" in frame) && "message" in frame && "requestId" in frame) {
        // API Gateway's own words when a function of ours failed.
        return { ...frame, type: "error", code: "internal" } as ServerFrame;
    }
    return frame as ServerFrame;
}
