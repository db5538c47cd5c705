import { type Client, type State, TidingsError, connect } from "@tidings/client";
import { Problem } from "@tidings/common/server";
import type { Api } from "./api.ts";
import { randomId } from "./state/compose.ts";
import { EMPTY, type Feed, type Link, add, isStale, linked } from "./state/feed.ts";
import { snapshot } from "./state/figures.ts";

/** The hub whose members the server sends its figures. */
const HUB = "tidings:operations";
/** How often it is looked whether figures come. */
const LOOK = 1_000;

/**
 * The server's figures as they come: over a connection of Tidings itself, as an operator of the hub. While none come
 * that way, as when the server's disk is full and it accepts nothing, they are asked for.
 */
export class Live {
    #feed: Feed = EMPTY;
    readonly #client: Client;
    readonly #timer: ReturnType<typeof setInterval>;
    #asking = false;

    constructor(
        private readonly api: Api,
        private readonly changed: (feed: Feed) => void,
    ) {
        const user = randomId("operator");
        this.#client = connect({
            url: new URL("/ws", location.href).href.replace(/^http/, "ws"),
            token: () => api.token(user, HUB).catch(endIfRefused),
            // What is a second late is of no use: it need not be held.
            acknowledge: false,
        });
        this.#client.on("notification", ({ payload }) => {
            const item = snapshot(payload);
            if (item !== undefined) this.#set(add(this.#feed, [item], Date.now()));
        });
        this.#client.on("state", (state) => {
            this.#set(linked(this.#feed, link(state)));
            if (state.status === "open") void this.#ask();
        });
        this.#timer = setInterval(() => {
            if (this.#feed.receivedAt === undefined || isStale(this.#feed, Date.now())) void this.#ask();
            this.changed(this.#feed);
        }, LOOK);
        void this.#ask();
    }

    close(): void {
        clearInterval(this.#timer);
        void this.#client.close();
    }

    #set(feed: Feed): void {
        this.#feed = feed;
        this.changed(feed);
    }

    async #ask(): Promise<void> {
        if (this.#asking || this.#feed.link.how === "refused") return;
        this.#asking = true;
        try {
            const items = await this.api.figures(this.#feed.snapshots.at(-1)?.at);
            this.#set(add(this.#feed, items, Date.now()));
        } catch (error) {
            if (isRefused(error)) this.#set(linked(this.#feed, { how: "refused", message: error.message }));
        } finally {
            this.#asking = false;
        }
    }
}

/** Whether the server has refused the key, and not just failed to answer. */
export function isRefused(error: unknown): error is Problem {
    return error instanceof Problem && (error.status === 401 || error.status === 403);
}

function endIfRefused(error: unknown): never {
    throw isRefused(error) ? new TidingsError("forbidden", error.message) : error;
}

function link(state: State): Link {
    switch (state.status) {
        case "open":
            return { how: "live" };
        case "connecting":
            return state.failures === 0 ? { how: "connecting" } : { how: "lost", message: "trying to connect" };
        case "waiting":
            return { how: "lost", message: state.reason.message ?? "the server can't be reached" };
        case "closed":
            return state.reason.why === "forbidden"
                ? { how: "refused", message: state.reason.message ?? "the key is refused" }
                : { how: "lost", message: "closed" };
    }
}
