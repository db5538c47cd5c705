import { type Client, type State, TidingsError, connect } from "@tidings/client";
import { randomHex } from "@tidings/common/random";
import { Problem, serverUrl } from "@tidings/common/server";
import type { Api } from "./api.ts";
import { EMPTY, type FeedStatus, type MetricsFeed, add, isStale, withStatus } from "./state/metrics-feed.ts";
import { parseSnapshot } from "./state/metrics.ts";

/** Hub whose members get the server's live metrics. */
const HUB = "tidings:operations";
/** Interval at which the age of the metrics is checked, in milliseconds. */
const CHECK_INTERVAL = 1_000;

/**
 * Receives the server's live metrics over a Tidings connection. While none arrive, for example because the server's disk
 * is full and it accepts no notifications, it polls for them over HTTP.
 */
export class LiveMetrics {
    #feed: MetricsFeed = EMPTY;
    readonly #client: Client;
    readonly #timer: ReturnType<typeof setInterval>;
    #polling = false;

    /** @param onChange called with the feed after each change, and at least every second */
    constructor(
        private readonly api: Api,
        private readonly onChange: (feed: MetricsFeed) => void,
    ) {
        const user = `operator-${randomHex(8)}`;
        this.#client = connect({
            url: serverUrl("/ws").href.replace(/^http/, "ws"),
            token: () => api.token(user, HUB).catch(throwForbiddenIfRefused),
            // Metrics of a moment ago are useless, so the server need not hold them.
            acknowledge: false,
        });
        this.#client.on("notification", ({ payload }) => {
            const item = parseSnapshot(payload);
            if (item !== undefined) this.#set(add(this.#feed, [item], Date.now()));
        });
        this.#client.on("state", (state) => {
            this.#set(withStatus(this.#feed, statusOf(state)));
            if (state.status === "open") void this.#poll();
        });
        this.#timer = setInterval(() => {
            if (this.#feed.receivedAt === undefined || isStale(this.#feed, Date.now())) void this.#poll();
            this.onChange(this.#feed);
        }, CHECK_INTERVAL);
        void this.#poll();
    }

    close(): void {
        clearInterval(this.#timer);
        void this.#client.close();
    }

    #set(feed: MetricsFeed): void {
        this.#feed = feed;
        this.onChange(feed);
    }

    async #poll(): Promise<void> {
        if (this.#polling || this.#feed.status.name === "refused") return;
        this.#polling = true;
        try {
            const items = await this.api.liveMetrics(this.#feed.snapshots.at(-1)?.at);
            this.#set(add(this.#feed, items, Date.now()));
        } catch (error) {
            if (isRefused(error)) this.#set(withStatus(this.#feed, { name: "refused", message: error.message }));
        } finally {
            this.#polling = false;
        }
    }
}

/** Returns true if the server refused the API key. */
export function isRefused(error: unknown): error is Problem {
    return error instanceof Problem && (error.status === 401 || error.status === 403);
}

function throwForbiddenIfRefused(error: unknown): never {
    throw isRefused(error) ? new TidingsError("forbidden", error.message) : error;
}

function statusOf(state: State): FeedStatus {
    switch (state.status) {
        case "open":
            return { name: "live" };
        case "connecting":
            return state.failures === 0 ? { name: "connecting" } : { name: "lost", message: "trying to connect" };
        case "waiting":
            return { name: "lost", message: state.reason.message ?? "the server can't be reached" };
        case "closed":
            return state.reason.why === "forbidden"
                ? { name: "refused", message: state.reason.message ?? "the API key is refused" }
                : { name: "lost", message: "closed" };
    }
}
