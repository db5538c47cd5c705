import { Acks } from "./acks.ts";
import type { Timer } from "./clock.ts";
import { Deduplication } from "./deduplication.ts";
import { Emitter, unhandled } from "./emitter.ts";
import { TidingsError } from "./errors.ts";
import type { Delivery, Kind, PastMessage, PastSession, Recipient, SendResult, Whoami } from "./frames.ts";
import { type Consumer, Inbox, type Notification } from "./inbox.ts";
import { NotificationIterator } from "./iterator.ts";
import { Link } from "./link.ts";
import { type Options, type Settings, settingsOf } from "./options.ts";
import { type Answer, Requests } from "./requests.ts";
import type { Job } from "./socket.ts";
import type { State } from "./state.ts";

/** How long closing may take, in milliseconds: the application's last notification, and acknowledgements. */
const CLOSE_TIMEOUT = 3000;

/** What listeners are called with, by event. */
export interface Events {
    /** Things have changed. */
    state: State;
    /**
     * A notification arrived. A listener that returns a promise is given the next one when that is settled. What it
     * throws is an `error` event.
     */
    notification: Notification;
    /** The gateway refused an acknowledgement, which is repeated; or a listener of `notification` threw this. */
    error: unknown;
}

/** What goes with a message. */
export interface MessageOptions {
    /** The idempotency key; a random one when absent. */
    readonly id?: string;
}

/** An entry of a history. */
export type Past<K extends Kind> = K extends "sessions" ? PastSession : PastMessage;

/** A page of the user's past, newest first. */
export interface HistoryPage<K extends Kind> {
    /** The entries; there may be fewer than asked for although there are more. */
    readonly items: readonly Past<K>[];
    /** Where the next page begins; absent on the last. */
    readonly next?: string;
}

/** Who is in a hub, and connected, in the order of their ids. */
export interface Members {
    /** Which hub. */
    readonly hub: string;
    /** The users; there may be fewer than asked for, or none, although there are more. */
    readonly users: readonly string[];
    /** What to ask for as `after` next; absent on the last page. */
    readonly next?: string;
}

/** What became of a message. */
export interface Sent {
    /** The id of every recipient's notification, which the gateway makes of the sender and the `id` given. */
    readonly id: string;
    /** What became of it, by recipient. */
    readonly results: readonly SendResult[];
}

/**
 * Connects to a gateway, and stays connected until {@link Client.close}.
 *
 * @throws TypeError when there is no WebSocket here, or `url` is no address
 */
export function connect(options: Options): Client {
    return new Client(settingsOf(options));
}

/**
 * Receives one user's notifications, in order, each once, across as many connections as that needs; and sends.
 *
 * What it was asked to send waits for a connection, and is sent again when one ended before the answer. All promises
 * are rejected with a {@link TidingsError}.
 */
export class Client implements AsyncIterable<Notification, undefined> {
    readonly #settings: Settings;
    readonly #events = new Emitter<Omit<Events, "notification">>();
    readonly #inbox: Inbox;
    readonly #known: Deduplication;
    readonly #acks: Acks;
    readonly #requests: Requests;
    readonly #link: Link;
    readonly #iterators = new Set<NotificationIterator>();
    #ackLast = false;
    #duplicates = 0;
    #closing: Promise<void> | undefined;
    #closed: (() => void) | undefined;
    #closeTimer: Timer;

    /** Use {@link connect}. */
    constructor(settings: Settings) {
        const { clock, ackBatch, ackDelay, remember, requestTimeout } = settings;
        this.#settings = settings;
        this.#known = new Deduplication(remember);
        this.#inbox = new Inbox({
            taken: (delivery) => {
                this.#taken(delivery);
            },
            failed: (error) => {
                if (!this.#events.emit("error", error)) unhandled(error);
            },
            rested: () => {
                this.#finish();
            },
        });
        this.#acks = new Acks(clock, ackBatch, ackDelay, () => {
            this.#link.work();
        });
        this.#requests = new Requests(clock, requestTimeout, () => {
            this.#link.replace({ why: "silent", message: "a request was not answered in time" });
        });
        this.#link = new Link(settings, {
            deliveries: (items) => {
                this.#accept(items);
            },
            job: () => this.#job(),
            error: (error) => this.#events.emit("error", error),
            state: (state) => {
                this.#stateChanged(state);
            },
        });
    }

    /** How things are now. */
    get state(): State {
        return this.#link.state;
    }

    /** How many duplicates were dropped. */
    get duplicates(): number {
        return this.#duplicates;
    }

    /** How many notifications arrived that the application has not taken. Without a listener or loop they wait. */
    get waiting(): number {
        return this.#inbox.size;
    }

    /** Adds a listener. @returns what removes it again */
    on<K extends keyof Events>(event: K, listener: (value: Events[K]) => unknown): () => void {
        if (event === "notification") return this.#inbox.consume(listener as Consumer);
        return this.#events.on(event, listener as (value: unknown) => void);
    }

    /**
     * The notifications, for `for await`. One is taken, and acknowledged, when the loop comes back for the next. The
     * loop ends when the client is closed, and throws when it ended because there is no credential any more.
     */
    [Symbol.asyncIterator](): NotificationIterator {
        const iterator: NotificationIterator = new NotificationIterator((consumer) => {
            const detach = this.#inbox.consume(consumer);
            return () => {
                detach();
                this.#iterators.delete(iterator);
            };
        });
        if (this.#closing !== undefined || this.state.status === "closed") iterator.end();
        else this.#iterators.add(iterator);
        return iterator;
    }

    /** Sends `body` to users (1 to 100): `sendMessage`. Held for whoever is not there. */
    send(users: readonly string[], body: Readonly<Record<string, unknown>>, options: MessageOptions = {}): Promise<Sent> {
        // Our own members stand last: those of the body do not take their place.
        return this.#send({ ...body, action: "sendMessage", sessions: [...users] }, options);
    }

    /** Sends any JSON value to a user, a hub, or everyone: `message`. Held for a user who is not there. */
    message(content: unknown, recipient: Recipient = "all", options: MessageOptions = {}): Promise<Sent> {
        return this.#send({ action: "message", data: { content, recipient } }, options);
    }

    /**
     * Sends a text to a hub, to the first of one's own when none is named: `sendmessage`. The text `ping` can't be
     * sent, as gateways take it for a heartbeat.
     */
    broadcast(text: string, options: MessageOptions & { readonly hub?: string } = {}): Promise<Sent> {
        if (text === "ping") {
            return Promise.reject(new TidingsError("bad-request", 'the text "ping" is a heartbeat and sent to nobody'));
        }
        const { hub } = options;
        return this.#send({ action: "sendmessage", message: text, ...(hub === undefined ? {} : { hub }) }, options);
    }

    /** The user's own past, newest first: what became of notifications, or the sessions. */
    async history<K extends Kind = "messages">(
        query: { readonly of?: K; readonly before?: string; readonly limit?: number } = {},
    ): Promise<HistoryPage<K>> {
        const of = query.of ?? "messages";
        const { items, next } = await this.#ask({ action: "history", ...query, of }, "history");
        const page = { items: items as Past<K>[] };
        return typeof next === "string" ? { ...page, next } : page;
    }

    /**
     * Who is in a hub that the user is a member of, and connected; in the hub of everyone when none is named. At most
     * `limit` (1 to 100, and 100 when absent) users behind `after`.
     */
    async members(
        query: { readonly hub?: string; readonly after?: string; readonly limit?: number } = {},
    ): Promise<Members> {
        const { hub, users, next } = await this.#ask({ action: "members", ...query }, "members");
        const page = { hub, users };
        return typeof next === "string" ? { ...page, next } : page;
    }

    /** Who the gateway takes the client for. */
    async whoami(): Promise<Whoami> {
        const whoami: Whoami & { type?: string } = { ...(await this.#ask({ action: "whoami" }, "whoami")) };
        delete whoami.type;
        return whoami;
    }

    /**
     * Acknowledges what was taken and closes the connection, within three seconds; at once, without waiting for the
     * network, while there is no connection. What waits for the application is not taken, and held by the gateway.
     */
    close(): Promise<void> {
        if (this.#closing !== undefined) return this.#closing;
        this.#closing = new Promise((resolve) => (this.#closed = resolve));
        this.#requests.rejectAll(closedError());
        this.#inbox.clear();
        this.#closeTimer = this.#settings.clock.after(CLOSE_TIMEOUT, () => {
            this.#end();
        });
        for (const iterator of [...this.#iterators]) iterator.end();
        this.#finish();
        return this.#closing;
    }

    #accept(items: readonly Delivery[]): void {
        if (this.#closing !== undefined) return;
        for (const item of items) {
            const verdict = this.#known.judge(item.id, item.sequence);
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
            this.#link.pause({ why: "behind", message: `${this.#inbox.size} notifications wait for the application` });
        }
    }

    #taken({ id, sequence }: Delivery): void {
        const { acknowledge, buffer } = this.#settings;
        if (acknowledge) this.#acks.add(sequence, id);
        else this.#known.settle(id);
        if (this.#inbox.size <= buffer / 2) this.#link.resume();
    }

    /** The next frame: acknowledgements that are due, and requests, in turns when there are both. */
    #job(): Job | undefined {
        const request = this.#acks.due && !this.#ackLast ? undefined : this.#requests.take();
        this.#ackLast = request === undefined;
        return request ?? (this.#acks.due ? this.#ack() : undefined);
    }

    #ack(): Job {
        return {
            frame: { action: "ack", sequences: this.#acks.take() },
            answered: (frame) => {
                if (frame.type !== "ack-ok") return false;
                for (const id of this.#acks.confirmed()) this.#known.settle(id);
                this.#finish();
                return true;
            },
            refused: (error) => {
                this.#acks.returned(error.retryAfter ?? this.#settings.ackDelay);
                this.#events.emit("error", error);
            },
            lost: () => {
                this.#acks.returned(0);
            },
        };
    }

    async #send(frame: Parameters<Requests["add"]>[0], { id = randomId() }: MessageOptions): Promise<Sent> {
        const answer = await this.#ask({ ...frame, id }, "sent");
        return { id: answer.id, results: answer.results };
    }

    #ask<T extends "sent" | "history" | "members" | "whoami">(
        frame: Parameters<Requests["add"]>[0],
        type: T,
    ): Promise<Answer<T>> {
        if (this.#closing !== undefined || this.state.status === "closed") return Promise.reject(closedError());
        const answer = this.#requests.add(frame, type);
        this.#link.work();
        return answer;
    }

    #stateChanged(state: State): void {
        this.#events.emit("state", state);
        if (this.#closing !== undefined) this.#finish();
        if (state.status !== "closed") return;
        this.#acks.stop();
        this.#requests.rejectAll(closedError());
        const { why, message } = state.reason;
        const error = why === "forbidden" ? new TidingsError("forbidden", message ?? why) : undefined;
        for (const iterator of [...this.#iterators]) iterator.end(error);
        this.#closed?.();
    }

    /** Ends a client that is being closed, once all is acknowledged, or nobody is there to be told. */
    #finish(): void {
        if (this.#closing === undefined) return;
        const told = this.#acks.settled && this.#inbox.atRest;
        if (told || this.state.status !== "open") this.#end();
        else this.#acks.flush();
    }

    #end(): void {
        this.#link.close({ why: "requested" });
        this.#settings.clock.cancel(this.#closeTimer);
        this.#closed?.();
    }
}

function closedError(): TidingsError {
    return new TidingsError("closed", "the client is closed");
}

/** 128 random bits; `crypto.randomUUID` is missing in pages without TLS. */
function randomId(): string {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
