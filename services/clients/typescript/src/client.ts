import { Acks } from "./acks.ts";
import type { Timer } from "./clock.ts";
import { ConnectionManager } from "./connection-manager.ts";
import { Deduplication } from "./deduplication.ts";
import { Emitter, reportUncaught } from "./emitter.ts";
import { TidingsError } from "./errors.ts";
import type {
    Delivery,
    HistoryKind,
    HistoryMessage,
    HistorySession,
    Recipient,
    SendResult,
    Whoami,
} from "./frames.ts";
import { type Consumer, Inbox, type Notification } from "./inbox.ts";
import { NotificationIterator } from "./iterator.ts";
import { type Options, type Settings, settingsOf } from "./options.ts";
import { type Answer, Requests } from "./requests.ts";
import type { Arrival } from "./parse.ts";
import type { OutgoingFrame } from "./socket.ts";
import type { State } from "./state.ts";

/** Time limit of closing, in milliseconds: for the notification being handled, and for acknowledgements. */
const CLOSE_TIMEOUT = 3000;

/** Events of a client, with the argument of their listeners. */
export interface Events {
    /** The state of the connection has changed. */
    state: State;
    /**
     * A notification arrived. If the listener returns a promise, the next notification follows when that is settled.
     * An error that the listener throws is emitted as an `error` event.
     */
    notification: Notification;
    /** The gateway refused an acknowledgement, which is repeated, or a `notification` listener threw this error. */
    error: unknown;
}

/** Options of a message. */
export interface MessageOptions {
    /** Idempotency key (a random one). */
    readonly id?: string;
}

/** An entry of a history. */
export type HistoryEntry<K extends HistoryKind> = K extends "sessions" ? HistorySession : HistoryMessage;

/** A page of the user's history, newest first. */
export interface HistoryPage<K extends HistoryKind> {
    /** The entries. There may be fewer than `limit` even if more pages follow. */
    readonly items: readonly HistoryEntry<K>[];
    /** Cursor of the next page. Absent on the last page. */
    readonly next?: string;
}

/** A page of a hub's connected members, ordered by user id. */
export interface Members {
    /** Name of the hub. */
    readonly hub: string;
    /** Ids of the users. There may be fewer than `limit`, or none, even if more pages follow. */
    readonly users: readonly string[];
    /** Cursor for `after` of the next request. Absent on the last page. */
    readonly next?: string;
}

/** Outcome of sending a message. */
export interface Sent {
    /** Id of the notification, the same for every recipient. The gateway derives it from the sender and the `id` option. */
    readonly id: string;
    /** Outcome for each recipient. */
    readonly results: readonly SendResult[];
}

/**
 * Connects to a gateway and stays connected until {@link Client.close}.
 *
 * @throws TypeError if there is no WebSocket class, or `url` is not a URL
 */
export function connect(options: Options): Client {
    return new Client(settingsOf(options));
}

/**
 * Receives the notifications of one user in order, each once, across reconnects, and sends messages.
 *
 * A request waits for a connection, and is repeated over the next one if the connection ends before the answer. All
 * promises are rejected with a {@link TidingsError}.
 */
export class Client implements AsyncIterable<Notification, undefined> {
    readonly #settings: Settings;
    readonly #events = new Emitter<Omit<Events, "notification">>();
    readonly #inbox: Inbox;
    readonly #deduplication: Deduplication;
    readonly #acks: Acks;
    readonly #requests: Requests;
    readonly #connection: ConnectionManager;
    readonly #iterators = new Set<NotificationIterator>();
    /** True if the last frame was an acknowledgement, so that a request is next. */
    #ackedLast = false;
    #duplicates = 0;
    #closing: Promise<void> | undefined;
    #resolveClosing: (() => void) | undefined;
    #closeTimer: Timer;

    /** Use {@link connect}. */
    constructor(settings: Settings) {
        const { clock, ackBatch, ackDelay, remember, requestTimeout } = settings;
        this.#settings = settings;
        this.#deduplication = new Deduplication(remember);
        this.#inbox = new Inbox({
            handled: (delivery) => {
                this.#onHandled(delivery);
            },
            failed: (error) => {
                if (!this.#events.emit("error", error)) reportUncaught(error);
            },
            idle: () => {
                this.#continueClosing();
            },
        });
        this.#acks = new Acks(clock, ackBatch, ackDelay, () => {
            this.#connection.sendNext();
        });
        this.#requests = new Requests(clock, requestTimeout, () => {
            this.#connection.reconnect({ why: "silent", message: "a request was not answered in time" });
        });
        this.#connection = new ConnectionManager(settings, {
            deliveries: (items) => {
                this.#receive(items);
            },
            nextFrame: () => this.#nextFrame(),
            error: (error) => this.#events.emit("error", error),
            state: (state) => {
                this.#onState(state);
            },
        });
    }

    /** Current state of the connection. */
    get state(): State {
        return this.#connection.state;
    }

    /** Number of duplicates dropped. */
    get duplicates(): number {
        return this.#duplicates;
    }

    /** Number of notifications that arrived and are not handled yet. Without a listener or a loop they wait. */
    get waiting(): number {
        return this.#inbox.size;
    }

    /** Adds a listener. @returns a function that removes it */
    on<K extends keyof Events>(event: K, listener: (value: Events[K]) => unknown): () => void {
        if (event === "notification") return this.#inbox.addConsumer(listener as Consumer);
        return this.#events.on(event, listener as (value: unknown) => void);
    }

    /**
     * Returns the notifications for a `for await` loop. A notification is handled, and acknowledged, when the loop asks
     * for the next one. The loop ends when the client is closed, and throws if that happened because there is no
     * credential any more.
     */
    [Symbol.asyncIterator](): NotificationIterator {
        const iterator: NotificationIterator = new NotificationIterator((consumer) => {
            const detach = this.#inbox.addConsumer(consumer);
            return () => {
                detach();
                this.#iterators.delete(iterator);
            };
        });
        if (this.#closing !== undefined || this.state.status === "closed") iterator.end();
        else this.#iterators.add(iterator);
        return iterator;
    }

    /**
     * Sends `body` to 1 to 100 users (action `sendMessage`). It is held for users who are offline. A member `id` of the
     * body arrives like any other; `action`, `sessions` and `idempotencyKey` are the client's.
     */
    send(users: readonly string[], body: Readonly<Record<string, unknown>>, options: MessageOptions = {}): Promise<Sent> {
        // The action and the sessions come last, so that a field of the body can't replace them.
        return this.#send({ ...body, action: "sendMessage", sessions: [...users] }, options);
    }

    /** Sends any JSON value to a user, a hub or everyone (action `message`). It is held for a user who is offline. */
    message(content: unknown, recipient: Recipient, options: MessageOptions = {}): Promise<Sent> {
        return this.#send({ action: "message", data: { content, recipient } }, options);
    }

    /**
     * Sends a text to a hub (action `sendmessage`), by default to the first of the user's hubs. The text `ping` is
     * refused, because gateways take it for a heartbeat.
     */
    broadcast(text: string, options: MessageOptions & { readonly hub?: string } = {}): Promise<Sent> {
        if (text === "ping") {
            return Promise.reject(new TidingsError("bad-request", 'the text "ping" is a heartbeat and sent to nobody'));
        }
        const { hub } = options;
        return this.#send({ action: "sendmessage", message: text, ...(hub === undefined ? {} : { hub }) }, options);
    }

    /** Returns a page of the user's history, newest first: outcomes of notifications by default, or sessions. */
    async history<K extends HistoryKind = "messages">(
        query: { readonly of?: K; readonly before?: string; readonly limit?: number } = {},
    ): Promise<HistoryPage<K>> {
        const of = query.of ?? "messages";
        const { items, next } = await this.#ask({ action: "history", ...query, of }, "history");
        const page = { items: items as HistoryEntry<K>[] };
        return typeof next === "string" ? { ...page, next } : page;
    }

    /**
     * Returns up to `limit` (1 to 100; default 100) connected members of a hub after the user id `after`. The user must
     * be a member of the hub; the default is the hub of everyone.
     */
    async members(
        query: { readonly hub?: string; readonly after?: string; readonly limit?: number } = {},
    ): Promise<Members> {
        const { hub, users, next } = await this.#ask({ action: "members", ...query }, "members");
        const page = { hub, users };
        return typeof next === "string" ? { ...page, next } : page;
    }

    /** Returns the user and the connection as the gateway sees them. */
    async whoami(): Promise<Whoami> {
        const whoami: Whoami & { type?: string } = { ...(await this.#ask({ action: "whoami" }, "whoami")) };
        delete whoami.type;
        return whoami;
    }

    /**
     * Acknowledges handled notifications and closes the connection, within three seconds. Without a connection it
     * closes at once. Notifications that are not handled stay with the gateway, which holds them.
     */
    close(): Promise<void> {
        if (this.#closing !== undefined) return this.#closing;
        this.#closing = new Promise((resolve) => (this.#resolveClosing = resolve));
        this.#requests.rejectAll(closedError());
        this.#inbox.clear();
        this.#closeTimer = this.#settings.clock.after(CLOSE_TIMEOUT, () => {
            this.#finishClosing();
        });
        for (const iterator of [...this.#iterators]) iterator.end();
        this.#continueClosing();
        return this.#closing;
    }

    #receive(items: readonly Arrival[]): void {
        if (this.#closing !== undefined) return;
        for (const item of items) {
            if (item.unreadable !== undefined) {
                // Acknowledged in its place, like a duplicate, or it would come again with every connection.
                const cause = item.unreadable;
                const message = `the notification ${item.id} can't be read`;
                this.#events.emit("error", new TidingsError("unreadable", message, { cause }));
                this.#inbox.push(item);
                continue;
            }
            const verdict = this.#deduplication.classify(item.id, item.sequence);
            if (verdict === "duplicate") {
                this.#duplicates += 1;
                this.#inbox.push(item);
            } else {
                const notification = { ...item, outOfOrder: verdict === "out-of-order" };
                delete (notification as { type?: string }).type;
                this.#inbox.push(item, notification);
            }
        }
        const { acknowledge, buffer } = this.#settings;
        if (acknowledge && this.#inbox.size > buffer) {
            this.#connection.pause({
                why: "behind",
                message: `${this.#inbox.size} notifications wait for the application`,
            });
        }
    }

    #onHandled({ id, sequence }: Delivery): void {
        const { acknowledge, buffer } = this.#settings;
        if (acknowledge) this.#acks.add(sequence, id);
        else this.#deduplication.complete(id);
        if (this.#inbox.size <= buffer / 2) this.#connection.resume();
    }

    /** Returns the next frame: due acknowledgements or a request, in turns if there are both. */
    #nextFrame(): OutgoingFrame | undefined {
        const request = this.#acks.isDue && !this.#ackedLast ? undefined : this.#requests.next();
        this.#ackedLast = request === undefined;
        return request ?? (this.#acks.isDue ? this.#ack() : undefined);
    }

    #ack(): OutgoingFrame {
        return {
            frame: { action: "ack", sequences: this.#acks.takeBatch() },
            onAnswer: (frame) => {
                if (frame.type !== "ack-ok") return false;
                for (const id of this.#acks.confirm()) this.#deduplication.complete(id);
                this.#continueClosing();
                return true;
            },
            onRefusal: (error) => {
                this.#acks.requeue(error.retryAfter ?? this.#settings.ackDelay);
                this.#events.emit("error", error);
            },
            onLoss: () => {
                this.#acks.requeue(0);
            },
        };
    }

    async #send(frame: Parameters<Requests["add"]>[0], { id = randomId() }: MessageOptions): Promise<Sent> {
        const answer = await this.#ask({ ...frame, idempotencyKey: id }, "sent");
        return { id: answer.id, results: answer.results };
    }

    #ask<T extends "sent" | "history" | "members" | "whoami">(
        frame: Parameters<Requests["add"]>[0],
        type: T,
    ): Promise<Answer<T>> {
        if (this.#closing !== undefined || this.state.status === "closed") return Promise.reject(closedError());
        const answer = this.#requests.add(frame, type);
        this.#connection.sendNext();
        return answer;
    }

    #onState(state: State): void {
        this.#events.emit("state", state);
        if (this.#closing !== undefined) this.#continueClosing();
        if (state.status !== "closed") return;
        this.#acks.stop();
        this.#requests.rejectAll(closedError());
        const { why, message } = state.reason;
        const error = why === "forbidden" ? new TidingsError("forbidden", message ?? why) : undefined;
        for (const iterator of [...this.#iterators]) iterator.end(error);
        this.#resolveClosing?.();
    }

    /** If the client is being closed, closes the connection once everything is acknowledged or nothing can be. */
    #continueClosing(): void {
        if (this.#closing === undefined) return;
        const done = this.#acks.isEmpty && this.#inbox.isIdle;
        if (done || this.state.status !== "open") this.#finishClosing();
        else this.#acks.flush();
    }

    #finishClosing(): void {
        this.#connection.close({ why: "requested" });
        this.#settings.clock.cancel(this.#closeTimer);
        this.#resolveClosing?.();
    }
}

function closedError(): TidingsError {
    return new TidingsError("closed", "the client is closed");
}

/** Returns 128 random bits as hexadecimal text. `crypto.randomUUID` is missing in pages without TLS. */
function randomId(): string {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
