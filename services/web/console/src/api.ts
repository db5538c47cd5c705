import { ask } from "@tidings/common/server";
import { type Snapshot, snapshot } from "./state/figures.ts";
import type { Accepted, Life } from "./state/life.ts";

/** A user's open connection. */
export interface Connection {
    readonly id: string;
    readonly since: number;
    readonly lastActiveAt: number;
    readonly format: string;
    readonly acknowledges: boolean;
    readonly expiresAt?: number;
    readonly sourceIp?: string;
    readonly userAgent?: string;
    readonly waitingBytes: number;
}

/** A held notification, without what it says. */
export interface Held {
    readonly id: string;
    readonly sequence: string;
    readonly sentAt: number;
    readonly expiresAt?: number;
    readonly kind?: string;
    readonly bytes: number;
    readonly pushedTo: number;
}

/** A user as operators see one. */
export interface User {
    readonly userId: string;
    readonly connections: readonly Connection[];
    readonly mailbox: {
        readonly count: number;
        readonly more: boolean;
        readonly oldestSentAt?: number;
        readonly first: readonly Held[];
    };
    readonly history: boolean;
}

/** What became of a notification, from the history. */
export interface Past {
    readonly id: string;
    readonly sequence: string;
    readonly what: "delivered" | "dropped" | "expired" | "held";
    readonly at: number;
}

/** A dead letter, without what it says. */
export interface DeadLetter {
    readonly id: string;
    readonly userId: string;
    readonly notificationId?: string;
    readonly reason: string;
    readonly since: number;
}

/** Some dead letters. */
export interface DeadLetters {
    readonly items: readonly DeadLetter[];
    readonly next?: string;
}

/** The server as an operator with the API key may ask it. Every call throws a `Problem` when it is refused. */
export class Api {
    constructor(private readonly bearer: string) {}

    private get(path: string): Promise<unknown> {
        return ask(path, { bearer: this.bearer });
    }

    private post(path: string, body?: unknown): Promise<unknown> {
        return ask(path, { bearer: this.bearer, method: "POST", ...(body === undefined ? {} : { body }) });
    }

    private delete(path: string): Promise<unknown> {
        return ask(path, { bearer: this.bearer, method: "DELETE" });
    }

    /** The figures taken after `after`, or all there are. */
    async figures(after?: number): Promise<Snapshot[]> {
        const query = after === undefined ? "" : `?after=${after}`;
        const { items } = (await this.get(`/v1/figures${query}`)) as { items: unknown[] };
        return items.map(snapshot).filter((item) => item !== undefined);
    }

    /** A connect token for an operator, who is sent the figures. */
    async token(userId: string, hub: string): Promise<string> {
        const { token } = (await this.post("/v1/token", { userId, hubs: [hub] })) as { token: string };
        return token;
    }

    async user(userId: string): Promise<User> {
        return (await this.get(`/v1/users/${encodeURIComponent(userId)}`)) as User;
    }

    /** The last of what became of a user's notifications, where a history is kept. */
    async past(userId: string): Promise<readonly Past[]> {
        const page = await this.get(`/v1/history/${encodeURIComponent(userId)}/messages?limit=20`);
        return (page as { items: readonly Past[] }).items;
    }

    async closeConnection(id: string): Promise<void> {
        await this.delete(`/@connections/${encodeURIComponent(id)}`);
    }

    /** What is known of a notification; from now on more is remembered of it. */
    async follow(userId: string, id: string): Promise<Life> {
        return (await this.post(
            `/v1/users/${encodeURIComponent(userId)}/notifications/${encodeURIComponent(id)}`,
        )) as Life;
    }

    async send(body: Readonly<Record<string, unknown>>): Promise<Accepted> {
        const answer = (await this.post("/v1/notifications", body)) as Omit<Accepted, "at">;
        return { ...answer, at: Date.now() };
    }

    async deadLetters(after?: string): Promise<DeadLetters> {
        const query = after === undefined ? "" : `?after=${encodeURIComponent(after)}`;
        return (await this.get(`/v1/dead-letters${query}`)) as DeadLetters;
    }

    /** Has a dead letter accepted anew, or all; gives how many were. */
    async redrive(id?: string): Promise<number> {
        const path = id === undefined ? "redrive" : `${encodeURIComponent(id)}/redrive`;
        return ((await this.post(`/v1/dead-letters/${path}`)) as { redriven: number }).redriven;
    }

    /** Deletes a dead letter, or all, for good; gives how many were there. */
    async drop(id?: string): Promise<number> {
        const path = id === undefined ? "" : `/${encodeURIComponent(id)}`;
        return ((await this.delete(`/v1/dead-letters${path}`)) as { purged: number }).purged;
    }
}
