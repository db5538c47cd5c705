import { request } from "@tidings/common/server";
import { type Snapshot, parseSnapshot } from "./state/metrics.ts";
import { type Rights, rightsOf } from "./state/rights.ts";
import type { Accepted, Timeline } from "./state/timeline.ts";

/** Path of the live metrics. */
const LIVE_METRICS_PATH = "/v1/live-metrics";

/** An open connection of a user. Times are milliseconds since the Unix epoch. */
export interface Connection {
    readonly id: string;
    readonly since: number;
    readonly lastActiveAt: number;
    readonly format: string;
    readonly acknowledges: boolean;
    readonly expiresAt?: number;
    readonly sourceIp?: string;
    readonly userAgent?: string;
    /** Number of bytes that are not written to the network yet. */
    readonly waitingBytes: number;
}

/** A held notification, without its payload. */
export interface HeldNotification {
    readonly id: string;
    readonly sequence: string;
    readonly sentAt: number;
    readonly expiresAt?: number;
    readonly kind?: string;
    /** Size of the payload in bytes. */
    readonly bytes: number;
    /** Number of connections that it was pushed to. */
    readonly pushedTo: number;
}

/** A user's connections and mailbox. */
export interface User {
    readonly userId: string;
    readonly connections: readonly Connection[];
    readonly mailbox: {
        readonly count: number;
        /** True if there are more than `count`. */
        readonly more: boolean;
        readonly oldestSentAt?: number;
        readonly first: readonly HeldNotification[];
    };
    /** True if the server keeps a history. */
    readonly history: boolean;
}

/** An event of a notification, from the history. */
export interface HistoryRow {
    readonly id: string;
    readonly sequence: string;
    readonly what: "delivered" | "dropped" | "expired" | "held";
    readonly at: number;
}

/** A dead letter, without its payload. */
export interface DeadLetter {
    readonly id: string;
    readonly userId: string;
    /** Absent if the notification can't be parsed. */
    readonly notificationId?: string;
    readonly reason: string;
    readonly since: number;
}

/** A page of dead letters. */
export interface DeadLetterPage {
    readonly items: readonly DeadLetter[];
    /** Cursor of the next page. Absent on the last page. */
    readonly next?: string;
}

/** The server's API for operators. Every call throws a `Problem` if it fails. */
export class Api {
    constructor(private readonly apiKey: string) {}

    /** Returns what the API key may do. */
    async rights(): Promise<Rights> {
        return rightsOf(await this.get("/v1/key"));
    }

    private get(path: string): Promise<unknown> {
        return request(path, { bearer: this.apiKey });
    }

    private post(path: string, body?: unknown): Promise<unknown> {
        return request(path, { bearer: this.apiKey, method: "POST", ...(body === undefined ? {} : { body }) });
    }

    private delete(path: string): Promise<unknown> {
        return request(path, { bearer: this.apiKey, method: "DELETE" });
    }

    /** Returns the live metrics that the server has kept, or those taken after the time `after`. */
    async liveMetrics(after?: number): Promise<Snapshot[]> {
        const query = after === undefined ? "" : `?after=${after}`;
        const { items } = (await this.get(`${LIVE_METRICS_PATH}${query}`)) as { items: unknown[] };
        return items.map(parseSnapshot).filter((item) => item !== undefined);
    }

    /** Returns a connect token for a member of the given hub. */
    async token(userId: string, hub: string): Promise<string> {
        const { token } = (await this.post("/v1/token", { userId, hubs: [hub] })) as { token: string };
        return token;
    }

    async user(userId: string): Promise<User> {
        return (await this.get(`/v1/users/${encodeURIComponent(userId)}`)) as User;
    }

    /** Returns the last 20 events of a user's notifications, if the server keeps a history. */
    async history(userId: string): Promise<readonly HistoryRow[]> {
        const page = await this.get(`/v1/history/${encodeURIComponent(userId)}/messages?limit=20`);
        return (page as { items: readonly HistoryRow[] }).items;
    }

    async closeConnection(id: string): Promise<void> {
        await this.delete(`/@connections/${encodeURIComponent(id)}`);
    }

    /**
     * Returns the timeline of a notification.
     *
     * @param track lets the server track the notification from now on, which needs the right to operate
     */
    async timeline(userId: string, id: string, track: boolean): Promise<Timeline> {
        const path = `/v1/users/${encodeURIComponent(userId)}/notifications/${encodeURIComponent(id)}`;
        return (await (track ? this.post(path) : this.get(path))) as Timeline;
    }

    async send(body: Readonly<Record<string, unknown>>): Promise<Accepted> {
        const answer = (await this.post("/v1/notifications", body)) as Omit<Accepted, "at">;
        return { ...answer, at: Date.now() };
    }

    async deadLetters(after?: string): Promise<DeadLetterPage> {
        const query = after === undefined ? "" : `?after=${encodeURIComponent(after)}`;
        return (await this.get(`/v1/dead-letters${query}`)) as DeadLetterPage;
    }

    /** Redrives a dead letter, or all, and returns their number. */
    async redrive(id?: string): Promise<number> {
        const path = id === undefined ? "redrive" : `${encodeURIComponent(id)}/redrive`;
        return ((await this.post(`/v1/dead-letters/${path}`)) as { redriven: number }).redriven;
    }

    /** Deletes a dead letter, or all, for good, and returns their number. */
    async purge(id?: string): Promise<number> {
        const path = id === undefined ? "" : `/${encodeURIComponent(id)}`;
        return ((await this.delete(`/v1/dead-letters${path}`)) as { purged: number }).purged;
    }
}
