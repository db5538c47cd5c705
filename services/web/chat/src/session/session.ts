import { type Client, type Notification, TidingsError, connect } from "@tidings/client";
import { randomHex } from "@tidings/common/random";
import { Problem, serverUrl } from "@tidings/common/server";
import { type Info, fetchConnectToken } from "../login/api.ts";
import type { Credential } from "../login/credential.ts";
import { type Settings, loadSettings, saveSettings } from "../login/storage.ts";
import { parseNotification } from "../state/parse-notification.ts";
import type { Event } from "../state/reducer.ts";
import type { Conversation, Entry, State } from "../state/types.ts";
import type { Store } from "../store.ts";
import { connectionOf } from "./connection.ts";
import { loadOlder } from "./history.ts";
import { fetchMembers } from "./members.ts";
import { sendMessage } from "./send-message.ts";
import { SendQueue } from "./send-queue.ts";

/** Reason for the end of a session. */
export type EndReason = "logged-out" | "expired" | "refused";

/** Maximum number of history entries in one request. */
const HISTORY_PAGE = 100;

/**
 * A login and everything that runs while it lasts: the connection, sending and receiving, and the timers for going
 * offline and for the expiry of the login. It reports all changes to the store.
 */
export class Session {
    readonly credential: Credential;
    readonly info: Info;
    readonly #store: Store<State, Event>;
    readonly #onEnd: (reason: EndReason) => void;
    readonly #timer: ReturnType<typeof setInterval>;
    #client: Client | undefined;
    #sendQueue: SendQueue | undefined;
    #settings: Settings;
    #ended = false;

    constructor(store: Store<State, Event>, info: Info, credential: Credential, onEnd: (reason: EndReason) => void) {
        this.#store = store;
        this.info = info;
        this.credential = credential;
        this.#onEnd = onEnd;
        const { userId, guest } = credential;
        const users = (info.login.users ?? []).map(({ username }) => username);
        store.dispatch({ type: "logged-in", me: { userId, guest }, everyone: info.everyone, users });
        this.#settings = loadSettings();
        this.#timer = setInterval(() => {
            this.#checkTimes();
        }, 500);
        const { offline } = this.#settings;
        if (offline === undefined) this.#connect();
        else store.dispatch({ type: "connection", connection: { status: "offline", ...offline } });
    }

    /** The user's settings. */
    get settings(): Settings {
        return this.#settings;
    }

    /** Goes offline after the given number of milliseconds online; 0 for never. */
    disconnectAfter(milliseconds: number): void {
        const { offline } = this.#settings;
        this.#saveSettings({ disconnectAfter: milliseconds, ...(offline === undefined ? {} : { offline }) });
        if (offline === undefined) this.#scheduleDisconnect();
    }

    /** Closes the connection until {@link Session.goOnline}. */
    goOffline(by: "user" | "timer" = "user"): void {
        const offline = { since: Date.now(), by };
        this.#saveSettings({ disconnectAfter: this.#settings.disconnectAfter, offline });
        this.#disconnect("You went offline before it was sent. Go online and try again.");
        this.#store.dispatch({ type: "connection", connection: { status: "offline", ...offline } });
    }

    /** Connects again. */
    goOnline(): void {
        if (this.#client !== undefined || this.#ended) return;
        this.#saveSettings({ disconnectAfter: this.#settings.disconnectAfter });
        this.#connect();
    }

    /** Ends the session: closes the connection and stops all timers. */
    end(reason: EndReason): void {
        if (this.#ended) return;
        this.#ended = true;
        clearInterval(this.#timer);
        this.#disconnect("You logged out before it was sent.");
        this.#onEnd(reason);
    }

    /** Sends a text to a conversation. */
    send(conversation: Conversation, text: string): void {
        const from = this.#store.state.me?.userId ?? "";
        const entry: Entry = {
            key: randomHex(16),
            conversation,
            kind: "message",
            from,
            text,
            at: Date.now(),
            delivery: { status: "sending" },
        };
        this.#store.dispatch({ type: "written", entry });
        this.#enqueue(entry);
    }

    /** Sends a failed message again. It keeps its key, so that the gateway can't deliver it twice. */
    retry(key: string): void {
        const entry = this.#store.state.entries.find((candidate) => candidate.key === key);
        if (entry !== undefined) this.#enqueue(entry);
    }

    /** Loads older messages from the gateway's history. */
    async loadOlder(): Promise<void> {
        const client = this.#client;
        const { history } = this.#store.state;
        if (client === undefined || history.status === "loading") return;
        const next = history.status === "loaded" ? history.next : undefined;
        this.#store.dispatch({ type: "history", history: { status: "loading" } });
        const me = this.#store.state.me?.userId ?? "";
        const event = await loadOlder(client, { me, everyone: this.info.everyone, limit: HISTORY_PAGE, before: next });
        // After a logout, the store may belong to another user.
        if (!this.#ended) this.#store.dispatch(event);
    }

    #enqueue(entry: Entry): void {
        const client = this.#client;
        const { key } = entry;
        if (client === undefined || this.#sendQueue === undefined) {
            const reason = "You are offline. Go online and try again.";
            this.#store.dispatch({ type: "delivery", key, delivery: { status: "failed", reason } });
            return;
        }
        const me = this.#store.state.me?.userId ?? "";
        this.#sendQueue.add({ key, send: () => sendMessage(client, entry, me, this.info.sending) });
    }

    #connect(): void {
        const { handshake, idToken, expiresAt } = this.credential;
        const url = serverUrl("/ws");
        url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
        const jwt = expiresAt === undefined ? { token: idToken } : { token: idToken, expiresAt };
        const client = connect({
            url: url.href,
            tokenIn: "subprotocol",
            // The expiry of a connect token limits the handshake, not the connection, so it is not passed on.
            token: () => (handshake === "jwt" ? Promise.resolve(jwt) : this.#connectToken()),
        });
        this.#client = client;
        this.#sendQueue = new SendQueue((key, delivery, id) => {
            this.#store.dispatch({ type: "delivery", key, delivery, ...(id === undefined ? {} : { id }) });
        });
        const isCurrent = (): boolean => this.#client === client;
        client.on("notification", (notification) => {
            if (isCurrent()) this.#onNotification(notification);
        });
        client.on("state", (state) => {
            if (!isCurrent()) return;
            if (state.status === "closed") {
                this.end("refused");
                return;
            }
            const before = this.#store.state.connection.status;
            const connection = connectionOf(state, Date.now());
            if (connection !== undefined) this.#store.dispatch({ type: "connection", connection });
            if (state.status === "open" && before !== "open") void this.#onOpen(client);
        });
        this.#store.dispatch({ type: "connection", connection: { status: "connecting", failures: 0 } });
    }

    async #connectToken(): Promise<string> {
        try {
            return await fetchConnectToken(this.credential.idToken);
        } catch (error) {
            const refused = error instanceof Problem && (error.status === 401 || error.status === 403);
            throw refused ? new TidingsError("forbidden", error.message, { cause: error }) : error;
        }
    }

    /** Fetches the user's identity, the hub's members and, the first time, the history. */
    async #onOpen(client: Client): Promise<void> {
        if (this.#settings.disconnectAt === undefined) this.#scheduleDisconnect();
        try {
            const { userId, username, hubs } = await client.whoami();
            if (this.#client !== client) return;
            const me = username == null || username === userId ? { userId } : { userId, name: username };
            this.#store.dispatch({ type: "identified", me, hubs });
            const { everyone } = this.info;
            const [hub] = everyone === null ? hubs : [everyone];
            if (hub !== undefined) {
                const users = await fetchMembers(client, hub);
                if (users !== undefined && this.#client === client) this.#store.dispatch({ type: "members", users });
            }
        } catch (error) {
            // The next connection asks again.
            if (!(error instanceof TidingsError)) throw error;
        }
        if (this.#client !== client || this.#store.state.history.status !== "unknown") return;
        if (this.info.history) await this.loadOlder();
        else this.#store.dispatch({ type: "history", history: { status: "loaded", unavailable: "off" } });
    }

    #onNotification(notification: Notification): void {
        const { sentAt: at, replayed, ...rest } = notification;
        const me = this.#store.state.me?.userId ?? "";
        const entry = parseNotification({ ...rest, at }, me, this.info.everyone);
        this.#store.dispatch({ type: "arrived", entry, replayed });
    }

    #disconnect(reason: string): void {
        const client = this.#client;
        this.#client = undefined;
        this.#sendQueue?.close(reason);
        this.#sendQueue = undefined;
        void client?.close();
    }

    /** Starts the time after which to go offline, if the user has set one. */
    #scheduleDisconnect(): void {
        const { disconnectAfter } = this.#settings;
        if (disconnectAfter > 0) this.#saveSettings({ disconnectAfter, disconnectAt: Date.now() + disconnectAfter });
    }

    #saveSettings(settings: Settings): void {
        this.#settings = settings;
        saveSettings(settings);
    }

    /** Compares the deadlines with the clock, because a long timer is late after the computer has slept. */
    #checkTimes(): void {
        const now = Date.now();
        const { expiresAt } = this.credential;
        if (expiresAt !== undefined && expiresAt <= now) this.end("expired");
        else if (this.#settings.disconnectAt !== undefined && this.#settings.disconnectAt <= now) this.goOffline("timer");
    }
}
