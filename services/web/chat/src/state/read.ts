import type { Entry, Place } from "./types.ts";

/** A notification, or what a history knows of one. */
export interface Received {
    readonly id: string;
    readonly sequence: string;
    readonly kind?: string | null;
    readonly source?: string | null;
    readonly payload?: unknown;
    /** When it was sent, as far as that is known. */
    readonly at: number;
}

/** What of a body that we sent tells the sender's other pages where it belongs. */
export interface OwnBody {
    readonly text: string;
    readonly to: string;
    readonly key: string;
}

type Fields = Readonly<Record<string, unknown>>;

const SOURCE = "user/";

/**
 * What a notification says, in which conversation. Who sent it is the gateway's word where it came from a user: the
 * source of the notification, or the `sender` that the gateway wrote. Anything else is a program's.
 */
export function read(received: Received, me: string, everyone: string | null): Entry {
    const { id, sequence, kind, source, at } = received;
    const payload = fields(received.payload);
    const base = { key: id, id, sequence, at, kind: "message" } as const;
    switch (kind) {
        case "presence": {
            const { presence, userId, hub } = payload;
            if (!isText(userId) || !isText(hub)) break;
            const known = presence === "left" ? "left" : "joined";
            return { ...base, ...named(payload["username"]), kind: known, place: `hub:${hub}`, from: userId, text: "" };
        }
        case "sendmessage": {
            const { sender, hub, text, timestamp, senderName } = payload;
            if (!isText(sender) || !isText(hub) || !isText(text)) break;
            return { ...base, ...named(senderName), place: `hub:${hub}`, from: sender, text, at: time(timestamp, at) };
        }
        case "message": {
            const { sender, recipient, content, timestamp } = fields(payload["data"]);
            if (!isText(sender)) break;
            const place = placeOf(recipient, sender, everyone);
            return { ...base, place, from: sender, text: textOf(content), at: time(timestamp, at) };
        }
        case "sendMessage": {
            if (source?.startsWith(SOURCE) !== true) break;
            const from = source.slice(SOURCE.length);
            const { to, key } = payload;
            const own = from === me && isText(to);
            const mine = own && isText(key) ? { key } : {};
            return { ...base, ...mine, place: `user:${own ? to : from}`, from, text: textOf(received.payload, ["action"]) };
        }
    }
    return { ...base, place: "programs", from: source ?? "", text: textOf(received.payload) };
}

/** A payload as a person reads it: its text where it has one, or else all of it but what is `left` out. */
function textOf(payload: unknown, left: readonly string[] = []): string {
    if (isText(payload)) return payload;
    const { text, message, ...rest } = fields(payload);
    if (isText(text)) return text;
    if (isText(message)) return message;
    if (Array.isArray(payload) || Object.keys(rest).length === 0) return payload === undefined ? "" : JSON.stringify(payload);
    return JSON.stringify(Object.fromEntries(Object.entries(rest).filter(([name]) => !left.includes(name))), undefined, 2);
}

function placeOf(recipient: unknown, sender: string, everyone: string | null): Place {
    const { hub } = fields(recipient);
    if (isText(hub)) return `hub:${hub}`;
    return recipient === "all" && everyone !== null ? `hub:${everyone}` : `user:${sender}`;
}

function named(name: unknown): { name?: string } {
    return isText(name) && name !== "" ? { name } : {};
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
