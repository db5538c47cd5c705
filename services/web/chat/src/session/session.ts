import { type Client, type Notification, TidingsError, connect } from "@tidings/client";
import { Problem } from "@tidings/common/server";
import type { Credential } from "../login/credential.ts";
import { type Settings, keepSettings, keptSettings } from "../login/keep.ts";
import { type Info, connectToken } from "../login/server.ts";
import { read } from "../state/read.ts";
import type { Event } from "../state/reducer.ts";
import type { Entry, Place, State } from "../state/types.ts";
import type { Store } from "../store.ts";
import { linkOf } from "./link.ts";
import { Outbox } from "./outbox.ts";
import { older } from "./past.ts";
import { post } from "./post.ts";
import { members } from "./members.ts";

/** Why nobody is logged in any more. */
export type Ending = "logged-out" | "expired" | "refused";

/** Most entries of a history that are asked for at once. */
const PAGE = 100;

/** What a login does while it lasts: it connects, receives, sends, and looks at the time. */
export class Session {
    readonly credential: Credential;
    readonly info: Info;
    readonly #store: Store<State, Event>;
    readonly #ended: (why: Ending) => void;
    readonly #clock: ReturnType<typeof setInterval>;
    #client: Client | undefined;
    #outbox: Outbox | undefined;
    #settings: Settings;
    #over = false;

    constructor(store: Store<State, Event>, info: Info, credential: Credential, ended: (why: Ending) => void) {
        this.#store = store;
        this.info = info;
        this.credential = credential;
        this.#ended = ended;
        const { userId, guest } = credential;
        const users = (info.login.users ?? []).map(({ username }) => username);
        store.dispatch({ type: "logged-in", me: { userId, guest }, everyone: info.everyone, users });
        this.#settings = keptSettings();
        this.#clock = setInterval(() => {
            this.#tick();
        }, 500);
        const { away } = this.#settings;
        if (away === undefined) this.#connect();
        else store.dispatch({ type: "link", link: { status: "away", ...away } });
    }

    /** After how many milliseconds to go offline, and when that is. */
    get settings(): Settings {
        return this.#settings;
    }

    /** Goes offline so many milliseconds from now; 0 for never. */
    disconnectAfter(milliseconds: number): void {
        const { away } = this.#settings;
        this.#keep({ disconnectAfter: milliseconds, ...(away === undefined ? {} : { away }) });
        if (away === undefined) this.#plan();
    }

    /** Closes the connection until {@link Session.comeBack}. */
    goOffline(by: "user" | "timer" = "user"): void {
        const away = { since: Date.now(), by };
        this.#keep({ disconnectAfter: this.#settings.disconnectAfter, away });
        this.#disconnect("You went offline before it was sent.");
        this.#store.dispatch({ type: "link", link: { status: "away", ...away } });
    }

    /** Connects again. */
    comeBack(): void {
        if (this.#client !== undefined || this.#over) return;
        this.#keep({ disconnectAfter: this.#settings.disconnectAfter });
        this.#connect();
    }

    /** Ends it: the connection is closed, nothing is looked at any more. */
    end(why: Ending): void {
        if (this.#over) return;
        this.#over = true;
        clearInterval(this.#clock);
        this.#disconnect("You logged out before it was sent.");
        this.#ended(why);
    }

    /** Sends a text to a conversation. */
    write(place: Place, text: string): void {
        const from = this.#store.state.me?.userId ?? "";
        const entry: Entry = {
            key: randomKey(),
            place,
            kind: "message",
            from,
            text,
            at: Date.now(),
            delivery: { status: "sending" },
        };
        this.#store.dispatch({ type: "written", entry });
        this.#send(entry);
    }

    /** Sends what was not sent again. Its key is the same, so that it can't arrive twice. */
    retry(key: string): void {
        const entry = this.#store.state.entries.find((candidate) => candidate.key === key);
        if (entry !== undefined) this.#send(entry);
    }

    /** Gets older messages out of the history. */
    async older(): Promise<void> {
        const client = this.#client;
        const { past } = this.#store.state;
        if (client === undefined || past.status === "loading") return;
        const next = past.status === "known" ? past.next : undefined;
        this.#store.dispatch({ type: "past", past: { status: "loading" } });
        const me = this.#store.state.me?.userId ?? "";
        const event = await older(client, { me, everyone: this.info.everyone, limit: PAGE, before: next });
        // Whoever has logged in meanwhile has a past of their own.
        if (!this.#over) this.#store.dispatch(event);
    }

    #send(entry: Entry): void {
        const client = this.#client;
        const { key } = entry;
        if (client === undefined || this.#outbox === undefined) {
            const why = "You are offline. Come back to send it.";
            this.#store.dispatch({ type: "delivery", key, delivery: { status: "failed", why } });
            return;
        }
        const me = this.#store.state.me?.userId ?? "";
        this.#outbox.add({ key, send: () => post(client, entry, me, this.info.sending) });
    }

    #connect(): void {
        const { handshake, idToken, expiresAt } = this.credential;
        const url = new URL("/ws", location.href);
        url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
        const jwt = expiresAt === undefined ? { token: idToken } : { token: idToken, expiresAt };
        const client = connect({
            url: url.href,
            tokenIn: "subprotocol",
            // A connect token's end is that of the handshake, not of the connection.
            token: () => (handshake === "jwt" ? Promise.resolve(jwt) : this.#connectToken()),
        });
        this.#client = client;
        this.#outbox = new Outbox((key, delivery, id) => {
            this.#store.dispatch({ type: "delivery", key, delivery, ...(id === undefined ? {} : { id }) });
        });
        const mine = (): boolean => this.#client === client;
        client.on("notification", (notification) => {
            if (mine()) this.#arrived(notification);
        });
        client.on("state", (state) => {
            if (!mine()) return;
            if (state.status === "closed") {
                this.end("refused");
                return;
            }
            const before = this.#store.state.link.status;
            const link = linkOf(state, Date.now());
            if (link !== undefined) this.#store.dispatch({ type: "link", link });
            if (state.status === "open" && before !== "open") void this.#opened(client);
        });
        this.#store.dispatch({ type: "link", link: { status: "connecting", failures: 0 } });
    }

    async #connectToken(): Promise<string> {
        try {
            return await connectToken(this.credential.idToken);
        } catch (error) {
            const refused = error instanceof Problem && (error.status === 401 || error.status === 403);
            throw refused ? new TidingsError("forbidden", error.message, { cause: error }) : error;
        }
    }

    /** There is a connection: who one is, who else is here, and what was before. */
    async #opened(client: Client): Promise<void> {
        if (this.#settings.disconnectAt === undefined) this.#plan();
        try {
            const { userId, username, hubs } = await client.whoami();
            if (this.#client !== client) return;
            const me = username == null || username === userId ? { userId } : { userId, name: username };
            this.#store.dispatch({ type: "identified", me, hubs });
            const { everyone } = this.info;
            const [hub] = everyone === null ? hubs : [everyone];
            if (hub !== undefined) {
                const users = await members(client, hub);
                if (users !== undefined && this.#client === client) this.#store.dispatch({ type: "members", users });
            }
        } catch (error) {
            // It is asked again over the next connection.
            if (!(error instanceof TidingsError)) throw error;
        }
        if (this.#client !== client || this.#store.state.past.status !== "unknown") return;
        if (this.info.history) await this.older();
        else this.#store.dispatch({ type: "past", past: { status: "known", without: "off" } });
    }

    #arrived(notification: Notification): void {
        const { sentAt: at, replayed, ...received } = notification;
        const me = this.#store.state.me?.userId ?? "";
        const entry = read({ ...received, at }, me, this.info.everyone);
        this.#store.dispatch({ type: "arrived", entry, replayed });
    }

    #disconnect(why: string): void {
        const client = this.#client;
        this.#client = undefined;
        this.#outbox?.close(why);
        this.#outbox = undefined;
        void client?.close();
    }

    /** From now on the time runs until the page goes offline by itself. */
    #plan(): void {
        const { disconnectAfter } = this.#settings;
        if (disconnectAfter > 0) this.#keep({ disconnectAfter, disconnectAt: Date.now() + disconnectAfter });
    }

    #keep(settings: Settings): void {
        this.#settings = settings;
        keepSettings(settings);
    }

    /** Timers may be late, as when a computer sleeps; so it is the time that is looked at. */
    #tick(): void {
        const now = Date.now();
        const { expiresAt } = this.credential;
        if (expiresAt !== undefined && expiresAt <= now) this.end("expired");
        else if (this.#settings.disconnectAt !== undefined && this.#settings.disconnectAt <= now) this.goOffline("timer");
    }
}

/** 128 random bits; `crypto.randomUUID` is missing in pages without TLS. */
function randomKey(): string {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
