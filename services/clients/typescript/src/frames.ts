// Generated from the JSON Schema in contracts/frames/v1 and contracts/history/v1 by `npm run frames`. Do not edit.

export type HubName = string;
export type NotificationId = string;
/**
 * Which of a user's two histories.
 */
export type HistoryKind = "sessions" | "messages";
export type UserId = string;
/**
 * Any JSON value, delivered byte for byte as it was sent.
 */
export type Payload = unknown;
/**
 * Whom a message is for.
 *
 * The text `all` is everyone and any other text a user; an object says which it is, so that a user may be
 * called `all`.
 */
export type Recipient =
    | "all"
    | {
          user: UserId;
      }
    | {
          hub: HubName;
      };
export type Sequence = string;
/**
 * A frame from the client. All actions but `ping`, `ack` and `whoami` have to be allowed by the gateway.
 */
export type ClientFrame =
    | (SendMessage & {
          action: "sendMessage";
      })
    | (Message & {
          action: "message";
      })
    | (Broadcast & {
          action: "sendmessage";
      })
    | {
          action: "ping";
      }
    | {
          action: "ack";
          /**
           * Their sequences, in any order, at most `MAX_ACK_SEQUENCES`.
           *
           * @maxItems 1000
           */
          sequences: Sequence[];
      }
    | (HistoryQuery & {
          action: "history";
      })
    | (MembersQuery & {
          action: "members";
      })
    | {
          action: "whoami";
      };
/**
 * Milliseconds since the Unix epoch.
 */
export type Timestamp = number;
/**
 * What went wrong with a client's frame, for programs.
 */
export type ErrorCode = "bad-request" | "unknown-action" | "forbidden" | "too-many-requests" | "internal";
/**
 * A frame to the client.
 */
export type ServerFrame =
    | (Delivery & {
          type: "notification";
      })
    | {
          /**
           * At least one.
           */
          items: Delivery[];
          type: "notifications";
      }
    | {
          /**
           * For programs.
           */
          code: ErrorCode;
          /**
           * For people.
           */
          message: string;
          /**
           * Names the request in the gateway's log.
           */
          requestId: string;
          /**
           * After how many milliseconds the frame may be sent again, if that is known.
           */
          retryAfter?: number | null;
          type: "error";
      }
    | {
          /**
           * `pong`, in the answer to a `sendmessage` with the text `ping`.
           */
          message?: string | null;
          type: "pong";
      }
    | {
          /**
           * How many sequences the acknowledgement named.
           */
          acknowledged: number;
          type: "ack-ok";
      }
    | {
          /**
           * The id of every recipient's notification.
           */
          id: NotificationId;
          /**
           * The sender's own id for it, if the frame had one.
           */
          idempotencyKey?: NotificationId | null;
          /**
           * What became of it, by recipient, in the order in which they were named.
           */
          results: SendResult[];
          type: "sent";
      }
    | {
          /**
           * The rows, newest first.
           */
          items: Payload[];
          /**
           * From where to go on, if there are older ones.
           */
          next?: string | null;
          /**
           * Of what.
           */
          of: HistoryKind;
          type: "history";
      }
    | {
          /**
           * Of which hub.
           */
          hub: HubName;
          /**
           * From where to go on, if there may be more.
           */
          next?: UserId | null;
          type: "members";
          /**
           * Who is in it and connected, in the order of their ids; there may be fewer than asked for, or
           * none, although there are more.
           */
          users: UserId[];
      }
    | (Whoami & {
          type: "whoami";
      });
/**
 * Whether somebody came or went.
 */
export type PresenceEvent = "joined" | "left";
/**
 * What became of a notification.
 */
export type HistoryOutcome = "delivered" | "dropped" | "expired" | "held";
/**
 * The name API Gateway gives a connection; opaque.
 */
export type ConnectionId = string;
/**
 * By which method a handshake proved who it is.
 */
export type AuthenticationMethod = "token" | "jwt" | "hmac" | "open";

/**
 * See `ClientFrame`.
 */
export interface Broadcast {
    /**
     * To which hub; to the first of the sender's when absent.
     */
    hub?: HubName | null;
    /**
     * The sender's idempotency key; see `SendMessage`.
     */
    id?: NotificationId | null;
    /**
     * The text; not empty.
     */
    message: string;
}
/**
 * See `ClientFrame`.
 */
export interface HistoryQuery {
    /**
     * Only what is older than this entry, which an answer gave as `next`.
     */
    before?: string | null;
    /**
     * At most this many rows, between 1 and `MAX_PAGE`; as many as that when absent.
     */
    limit?: number | null;
    /**
     * Of what; of messages when absent.
     */
    of: HistoryKind;
}
/**
 * See `ClientFrame`.
 */
export interface MembersQuery {
    /**
     * Only users after this one: the `next` of an earlier answer.
     */
    after?: UserId | null;
    /**
     * Of which hub; of the one that every connection joins when absent.
     */
    hub?: HubName | null;
    /**
     * At most this many users, between 1 and `MAX_MEMBERS`; as many as that when absent.
     */
    limit?: number | null;
}
/**
 * See `ClientFrame`.
 */
export interface Message {
    /**
     * The message.
     */
    data: MessageData;
    /**
     * The sender's idempotency key; see `SendMessage`.
     */
    id?: NotificationId | null;
}
/**
 * What is sent, and to whom.
 */
export interface MessageData {
    /**
     * Any JSON value.
     */
    content: Payload;
    /**
     * Whom it is for; everyone when absent.
     */
    recipient?: Recipient;
}
/**
 * See `ClientFrame`.
 */
export interface SendMessage {
    /**
     * The sender's idempotency key: a second frame of the user with it, within five minutes, is no new one.
     */
    id?: NotificationId | null;
    /**
     * Whom it is for: sessions are users. Between 1 and `MAX_SESSIONS`.
     *
     * @minItems 1
     * @maxItems 100
     */
    sessions: UserId[];
}
/**
 * One notification as a client sees it.
 */
export interface Delivery {
    /**
     * The producer's idempotency key.
     */
    id: NotificationId;
    /**
     * The producer's word for what sort of notification it is.
     */
    kind?: string | null;
    /**
     * Any JSON value, byte for byte as the producer wrote it.
     */
    payload: Payload;
    /**
     * Whether it was held before.
     */
    replayed: boolean;
    /**
     * When the producer sent it.
     */
    sentAt: Timestamp;
    /**
     * Its place in the user's order.
     */
    sequence: Sequence;
    /**
     * The producer's word for where it comes from.
     */
    source?: string | null;
}
/**
 * What became of a message for one recipient.
 */
export interface SendResult {
    /**
     * Whether it was accepted: then it is delivered, or held, as ordinary notifications are.
     */
    accepted: boolean;
    /**
     * Why not.
     */
    code?: ErrorCode | null;
    /**
     * The recipient as it was named: a user, `hub/` and a hub, or `all`.
     */
    to: string;
}
/**
 * Who the gateway takes a client for.
 */
export interface Whoami {
    /**
     * The connection.
     */
    connectionId: string;
    /**
     * When the credential ends, if it does.
     */
    expiresAt?: Timestamp | null;
    /**
     * Hubs the connection has joined.
     */
    hubs: HubName[];
    /**
     * By which method that was proved: `token`, `jwt`, `hmac` or `open`.
     */
    method: string;
    /**
     * The user.
     */
    userId: UserId;
    /**
     * The user's name for people.
     */
    username?: string | null;
}
/**
 * What `sendmessage` delivers.
 */
export interface ChatMessage {
    /**
     * To which hub.
     */
    hub: HubName;
    /**
     * The text with time and sender before it, for clients that show it as it is.
     */
    message: string;
    /**
     * Who sent it.
     */
    sender: UserId;
    /**
     * The sender's name for people.
     */
    senderName?: string | null;
    /**
     * The text alone.
     */
    text: string;
    /**
     * When.
     */
    timestamp: Timestamp;
}
/**
 * See `DirectMessage`.
 */
export interface DirectMessageData {
    /**
     * What the sender sent: any JSON value.
     */
    content: Payload;
    /**
     * Whom it was sent to.
     */
    recipient: Recipient;
    /**
     * Who sent it.
     */
    sender: UserId;
    /**
     * When.
     */
    timestamp: Timestamp;
}
/**
 * What the members of a hub are told when another comes or goes.
 */
export interface Presence {
    /**
     * Which hub.
     */
    hub: HubName;
    /**
     * The same in words, for clients that show it as it is.
     */
    message: string;
    /**
     * Which of the two.
     */
    presence: PresenceEvent;
    /**
     * When.
     */
    timestamp: Timestamp;
    /**
     * Who.
     */
    userId: UserId;
    /**
     * The user's name for people.
     */
    username?: string | null;
}
/**
 * What `message` delivers.
 */
export interface DirectMessage {
    /**
     * The message.
     */
    data: DirectMessageData;
}
/**
 * What became of a notification, as readers get it.
 */
export interface HistoryMessage {
    /**
     * When.
     */
    at: Timestamp;
    /**
     * The notification's id.
     */
    id: NotificationId;
    /**
     * The producer's word for what sort of notification it is.
     */
    kind?: string | null;
    /**
     * The payload, where the history has it.
     */
    payload?: Payload | null;
    /**
     * Its place in the user's order.
     */
    sequence: Sequence;
    /**
     * By whom: the producer's word for where it comes from, or the user who sent it.
     */
    source?: string | null;
    /**
     * What became of it.
     */
    what: HistoryOutcome;
}
/**
 * A session as readers get it.
 */
export interface HistorySession {
    /**
     * When it ended; absent while it lasts, and when the end was not recorded.
     */
    closedAt?: Timestamp | null;
    /**
     * Its connection.
     */
    connectionId: ConnectionId;
    /**
     * How long it lasted, in milliseconds; absent as `closedAt` is.
     */
    durationMs?: number | null;
    /**
     * How its handshake proved who it is.
     */
    method: AuthenticationMethod;
    /**
     * When its handshake was accepted.
     */
    openedAt: Timestamp;
    /**
     * The address it came from.
     */
    sourceIp: string;
    /**
     * What its client calls itself.
     */
    userAgent?: string | null;
}
