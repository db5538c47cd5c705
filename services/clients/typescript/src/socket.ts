import type { Clock, Timer } from "./clock.ts";
import { TidingsError } from "./errors.ts";
import type { ClientFrame, ServerFrame } from "./frames.ts";
import { parse } from "./parse.ts";
import type { Arrival } from "./parse.ts";
import type { Disconnect } from "./state.ts";

/** Close code for a message that is too large (https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1). */
const TOO_LARGE = 1009;

type Handler<E> = { handle(event: E): void }["handle"] | null;

/** Part of the WebSocket interface that the client uses. Browsers, Node.js 22 and the package `ws` provide it. */
export interface WebSocketLike {
    onopen: Handler<unknown>;
    onmessage: Handler<{ data: unknown }>;
    onclose: Handler<{ code: number; reason: string }>;
    onerror: Handler<unknown>;
    send(data: string): void;
    close(code?: number, reason?: string): void;
}

/** Constructor of WebSockets. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/**
 * A frame to send, with callbacks for its outcome. Once it is sent, one of three things happens: `onAnswer` returns
 * `true`, or `onRefusal` or `onLoss` is called.
 */
export interface OutgoingFrame {
    readonly frame: ClientFrame | (ClientFrame & Record<string, unknown>);
    /** Handles an incoming frame if that is the answer. @returns true if it was */
    onAnswer(frame: ServerFrame): boolean;
    /** The gateway refused the frame. */
    onRefusal(error: TidingsError): void;
    /** The connection ended before the answer. */
    onLoss(): void;
}

/** Callbacks of a socket to its owner. None is called after `lost` or after {@link Socket.close}. */
export interface SocketHooks {
    /** The handshake succeeded. */
    open(socket: Socket): void;
    /** Notifications arrived, in order. */
    deliveries(socket: Socket, items: readonly Arrival[]): void;
    /** The socket can send a frame. */
    idle(socket: Socket): void;
    /** The gateway reported an error that is not about a frame of this client. */
    error(error: TidingsError): void;
    /** The connection ended. */
    lost(socket: Socket, reason: Disconnect): void;
}

/** Settings of a socket. Durations are in milliseconds. */
export interface SocketSettings {
    readonly clock: Clock;
    /** Time limit of the handshake. */
    readonly connectTimeout: number;
    /** Time that the gateway may be silent while a frame is unanswered, before the connection counts as dead. */
    readonly answerTimeout: number;
}

/**
 * One connection, with at most one unanswered frame. An error frame does not name the frame it is about, and on AWS
 * the frames of a connection are handled concurrently and answered in any order, so two unanswered frames could not be
 * told apart. It also means that silence after a frame reveals a dead connection.
 */
export class Socket {
    #socket: WebSocketLike | undefined;
    #outgoing: OutgoingFrame | undefined;
    #timer: Timer;
    #opened = false;
    #received = false;
    readonly #settings: SocketSettings;
    readonly #hooks: SocketHooks;
    /** Time at which the credential of the handshake expires, in milliseconds since the Unix epoch. */
    readonly expiresAt: number | undefined;

    /** Waits for the handshake that `socket` has begun. */
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
            this.#stopTimer();
            hooks.open(this);
            if (this.isIdle) hooks.idle(this);
        };
        socket.onmessage = ({ data }) => {
            this.#receive(data);
        };
        socket.onclose = ({ code, reason }) => {
            if (code === TOO_LARGE) {
                // Sent again, the frame would end the next connection too.
                this.#takeOutgoing()?.onRefusal(new TidingsError("bad-request", "the gateway takes no frame as large as this"));
            }
            // Codes 1005 and 1006 are local: the close frame had no code, or there was none.
            const why = !this.#opened ? "refused" : code === 1006 ? "broken" : "closed";
            this.#end({ why, code, ...(reason === "" ? {} : { message: reason }) });
        };
        // The close event that follows has all the information. `ws` throws if there is no error listener.
        socket.onerror = () => undefined;
        this.#timer = settings.clock.after(settings.connectTimeout, () => {
            this.#end({ why: "refused", message: "the handshake took too long" });
        });
    }

    /** True if a frame can be sent. */
    get isIdle(): boolean {
        return this.#opened && this.#socket !== undefined && this.#outgoing === undefined;
    }

    /** Sends a frame. The socket must be idle. */
    send(outgoing: OutgoingFrame): void {
        this.#outgoing = outgoing;
        this.#received = false;
        this.#startAnswerTimer();
        // A closing socket may throw here.
        try {
            this.#socket?.send(JSON.stringify(outgoing.frame));
        } catch {
            this.#end({ why: "broken" });
        }
    }

    /** Closes the connection. */
    close(code = 1000, reason = ""): void {
        const socket = this.#detach();
        socket?.close(code, reason);
        this.#takeOutgoing()?.onLoss();
    }

    #receive(data: unknown): void {
        this.#received = true;
        const frame = parse(String(data));
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
                const outgoing = this.#takeOutgoing();
                if (outgoing === undefined) this.#hooks.error(error);
                else outgoing.onRefusal(error);
                break;
            }
            default:
                // Ignore frames that answer nothing or are unknown to this version.
                if (this.#outgoing?.onAnswer(frame) !== true) return;
                this.#takeOutgoing();
        }
        if (this.isIdle) this.#hooks.idle(this);
    }

    /** Ends the connection if nothing is received for `answerTimeout` while a frame is unanswered. */
    #startAnswerTimer(): void {
        this.#timer = this.#settings.clock.after(this.#settings.answerTimeout, () => {
            if (this.#received) {
                this.#received = false;
                this.#startAnswerTimer();
            } else {
                this.#end({ why: "silent" });
            }
        });
    }

    #takeOutgoing(): OutgoingFrame | undefined {
        const outgoing = this.#outgoing;
        this.#outgoing = undefined;
        this.#stopTimer();
        return outgoing;
    }

    #stopTimer(): void {
        this.#settings.clock.cancel(this.#timer);
    }

    #detach(): WebSocketLike | undefined {
        const socket = this.#socket;
        this.#socket = undefined;
        this.#stopTimer();
        if (socket !== undefined) {
            socket.onopen = socket.onmessage = socket.onclose = null;
        }
        return socket;
    }

    /** Ends the connection without a closing handshake, where the WebSocket allows that, and reports it as lost. */
    #end(reason: Disconnect): void {
        const socket = this.#detach();
        if (socket === undefined) return;
        // The peer may not be there to answer a close frame, so cut the connection if `ws` makes that possible.
        const { terminate } = socket as { terminate?: () => void };
        if (terminate === undefined) socket.close();
        else terminate.call(socket);
        this.#takeOutgoing()?.onLoss();
        this.#hooks.lost(this, reason);
    }
}
