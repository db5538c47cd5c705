/** Id of a conversation: with all members of a hub, with one user, or the notifications of programs. */
export type Conversation = `hub:${string}` | `user:${string}` | "programs";

/** The logged-in user. */
export interface Me {
    readonly userId: string;
    /** Display name, if it differs from the id. */
    readonly name?: string;
    /** True for a guest without an account. */
    readonly guest: boolean;
}

/** Delivery status of a message of the user. */
export type Delivery =
    | { readonly status: "sending" }
    /** The gateway's rate limit delays the message until this time. */
    | { readonly status: "delayed"; readonly until: number }
    /** The gateway has the message, and delivers or holds it. */
    | { readonly status: "accepted" }
    | { readonly status: "failed"; readonly reason: string };

/** An entry of a conversation. Times are milliseconds since the Unix epoch. */
export interface Entry {
    /** Unique key: the idempotency key of a message of the user, else the notification's id. */
    readonly key: string;
    /** The notification's id, once known. */
    readonly id?: string;
    /** Position in the user's order. Entries without one come last. */
    readonly sequence?: string;
    readonly conversation: Conversation;
    /** A message, or the presence of a member who came online or went offline. */
    readonly kind: "message" | "joined" | "left";
    /** Id of the sending user, or the source that a program gave. */
    readonly from: string;
    /** Display name of the sender, if it differs from the id. */
    readonly name?: string;
    readonly text: string;
    /** Time of sending. */
    readonly at: number;
    /** Number of the absence during which the message was held, from 1. */
    readonly absence?: number;
    /** Present on messages of the user only. */
    readonly delivery?: Delivery;
}

/** State of the connection. */
export type Connection =
    | { readonly status: "connecting"; readonly failures: number }
    | { readonly status: "open"; readonly since: number }
    | {
          /** The connection was lost and the client reconnects. */
          readonly status: "lost";
          readonly since: number;
          readonly reason: string;
          readonly nextAttemptAt?: number;
          readonly failures: number;
      }
    | {
          /** The connection was closed on purpose, by the user or by the timer that the user has set. */
          readonly status: "offline";
          readonly since: number;
          readonly by: "user" | "timer";
      };

/** Unread messages of a conversation. */
export interface Unread {
    readonly count: number;
    /** Key of the first one, kept as long as the divider before it is shown. */
    readonly first: string;
}

/** State of the gateway's history. */
export type History =
    | { readonly status: "unknown" | "loading" }
    | {
          readonly status: "loaded";
          /** Reason for having no older messages, if there is one. */
          readonly unavailable?: "off" | "no-payloads" | "failed";
          /** Cursor of the next older page. Absent if there is none. */
          readonly next?: string;
      };

/** A period without a connection. */
export interface Absence {
    /** Start of the period. Absent if it began before the page was loaded. */
    readonly since?: number;
    /** End of the period. */
    readonly until: number;
    /** Sequence of the last entry before it. */
    readonly after?: string;
}

/** State of the page. */
export interface State {
    readonly me: Me | undefined;
    readonly connection: Connection;
    readonly hubs: readonly string[];
    /** Online users: display names by user id. */
    readonly online: ReadonlyMap<string, string>;
    /** True if `online` is complete, false if it only has users whose presence was noticed. */
    readonly onlineIsComplete: boolean;
    /** Entries of all conversations, in order. */
    readonly entries: readonly Entry[];
    /** Users with a conversation, or to suggest one with. */
    readonly users: readonly string[];
    /** The selected conversation. */
    readonly conversation: Conversation;
    /** True while the page is hidden. */
    readonly hidden: boolean;
    readonly unread: Readonly<Partial<Record<Conversation, Unread>>>;
    /** Number of messages that arrived while the page was hidden. */
    readonly unseen: number;
    readonly history: History;
    readonly absences: readonly Absence[];
}
