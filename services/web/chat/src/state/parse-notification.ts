import type { Conversation, Entry } from "./types.ts";

/** A notification, or a row of a history. */
export interface ReceivedNotification {
    readonly id: string;
    readonly sequence: string;
    readonly kind?: string | null;
    readonly source?: string | null;
    readonly payload?: unknown;
    /** Time of sending, or of delivery in a history. */
    readonly at: number;
}

/** Body of a direct message of this page. `to` and `key` tell the sender's other tabs where it belongs. */
export interface DirectMessageBody {
    readonly text: string;
    readonly to: string;
    readonly key: string;
}

type Fields = Readonly<Record<string, unknown>>;

const USER_SOURCE = "user/";

/**
 * Turns a notification into an entry of a conversation. The sender is taken from fields that the gateway wrote, never
 * from what a client claims: the notification's source, or `sender` in the payload. All other notifications are from
 * programs.
 */
export function parseNotification(received: ReceivedNotification, me: string, everyone: string | null): Entry {
    const { id, sequence, kind, source, at } = received;
    const payload = fields(received.payload);
    const base = { key: id, id, sequence, at, kind: "message" } as const;
    switch (kind) {
        case "presence": {
            const { presence, userId, hub } = payload;
            if (!isText(userId) || !isText(hub)) break;
            const event = presence === "left" ? "left" : "joined";
            const conversation = `hub:${hub}` as const;
            return { ...base, ...named(payload["username"], userId), kind: event, conversation, from: userId, text: "" };
        }
        case "sendmessage": {
            const { sender, hub, text, timestamp, senderName } = payload;
            if (!isText(sender) || !isText(hub) || !isText(text)) break;
            const conversation = `hub:${hub}` as const;
            return { ...base, ...named(senderName, sender), conversation, from: sender, text, at: time(timestamp, at) };
        }
        case "message": {
            const { sender, recipient, content, timestamp } = fields(payload["data"]);
            if (!isText(sender)) break;
            const conversation = conversationOf(recipient, sender, everyone);
            return { ...base, conversation, from: sender, text: textOf(content), at: time(timestamp, at) };
        }
        case "sendMessage": {
            if (source?.startsWith(USER_SOURCE) !== true) break;
            const from = source.slice(USER_SOURCE.length);
            const { to, key } = payload;
            const own = from === me && isText(to);
            const ownKey = own && isText(key) ? { key } : {};
            const text = textOf(received.payload, ["action"]);
            return { ...base, ...ownKey, conversation: `user:${own ? to : from}`, from, text };
        }
    }
    return { ...base, conversation: "programs", from: source ?? "", text: textOf(received.payload) };
}

/** Returns the text of a payload, or else its JSON without the `hidden` fields. */
function textOf(payload: unknown, hidden: readonly string[] = []): string {
    if (isText(payload)) return payload;
    const { text, message, ...rest } = fields(payload);
    if (isText(text)) return text;
    if (isText(message)) return message;
    if (Array.isArray(payload) || Object.keys(rest).length === 0) return payload === undefined ? "" : JSON.stringify(payload);
    return JSON.stringify(Object.fromEntries(Object.entries(rest).filter(([name]) => !hidden.includes(name))), undefined, 2);
}

function conversationOf(recipient: unknown, sender: string, everyone: string | null): Conversation {
    const { hub } = fields(recipient);
    if (isText(hub)) return `hub:${hub}`;
    return recipient === "all" && everyone !== null ? `hub:${everyone}` : `user:${sender}`;
}

/** Characters that change the line around a name: controls, and those that nobody sees or that change its direction. */
const DECEPTIVE = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** Returns the display name with the user id beside it: a name proves nothing, and several users may have the same. */
function named(name: unknown, id: string): { name?: string } {
    const shown = isText(name) ? name.replaceAll(DECEPTIVE, "").trim() : "";
    return shown === "" || shown === id ? {} : { name: `${shown} (${id})` };
}

function time(timestamp: unknown, otherwise: number): number {
    return typeof timestamp === "number" ? timestamp : otherwise;
}

function fields(value: unknown): Fields {
    return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function isText(value: unknown): value is string {
    return typeof value === "string";
}
