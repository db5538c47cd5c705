// Generated from the JSON Schema in contracts/frames/v1 and contracts/history/v1 by `npm run frames`. Do not edit.

export type HubName = string;
/**
 * Any JSON value, delivered byte for byte as it was sent.
 */
export type Payload = unknown;
export type NotificationId = string;
/**
 * One of a user's two histories.
 */
export type HistoryKind = "sessions" | "messages";
export type UserId = string;
/**
 * The recipient of a message.
 *
 * On the wire the text `all` is everyone and any other text is a user. An object names a user or a hub, so
 * a user may be called `all`.
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
 * A frame from the client. The gateway's configuration allows or forbids all actions but `ping`, `ack` and
 * `whoami`.
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
           * Their sequences, in any order, at most 1,000 (`MAX_ACK_SEQUENCES`).
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
 * Machine-readable reason for refusing a client's frame.
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
           * The notifications, at least one.
           */
          items: Delivery[];
          type: "notifications";
      }
    | {
          /**
           * Machine-readable reason.
           */
          code: ErrorCode;
          /**
           * Explanation for people.
           */
          message: string;
          /**
           * Id of the request in the gateway's log.
           */
          requestId: string;
          /**
           * Milliseconds to wait before sending the frame again, if known.
           */
          retryAfter?: number | null;
          type: "error";
      }
    | {
          /**
           * Milliseconds without a frame of the client's after which it should send the next `ping`, where the gateway
           * closes idle connections. Sooner is not needed, later is too late.
           */
          heartbeat?: number | null;
          /**
           * The text `pong`, only in the answer to a `sendmessage` with the text `ping`.
           */
          message?: string | null;
          type: "pong";
      }
    | {
          /**
           * Number of sequences in the `ack`.
           */
          acknowledged: number;
          type: "ack-ok";
      }
    | {
          /**
           * Id of every recipient's notification.
           */
          id: NotificationId;
          /**
           * The `idempotencyKey` of the frame, if it had one.
           */
          idempotencyKey?: NotificationId | null;
          /**
           * Result for each recipient, in the order of the frame.
           */
          results: SendResult[];
          type: "sent";
      }
    | {
          /**
           * Entries, newest first.
           */
          items: Payload[];
          /**
           * Cursor for `before` of the next page, if there are older entries.
           */
          next?: string | null;
          /**
           * The history that was read.
           */
          of: HistoryKind;
          type: "history";
      }
    | {
          /**
           * The hub.
           */
          hub: HubName;
          /**
           * Cursor for `after` of the next page, if more members may follow.
           */
          next?: UserId | null;
          type: "members";
          /**
           * Connected members, in the order of their ids. A page may be short or empty although more members
           * follow.
           */
          users: UserId[];
      }
    | (Whoami & {
          type: "whoami";
      });
/**
 * The forms in which a sender can write a recipient.
 */
export type RecipientAsSent = string | Recipient;
/**
 * Change of a user's presence in a hub.
 */
export type PresenceEvent = "joined" | "left";
/**
 * Outcome of a notification at one point in time.
 */
export type HistoryOutcome = "delivered" | "dropped" | "expired" | "held";
/**
 * Method that authenticated a handshake.
 */
export type AuthenticationMethod = "token" | "jwt" | "hmac" | "open";
/**
 * Opaque id that API Gateway assigns to a connection.
 */
export type ConnectionId = string;

/**
 * Fields of `ClientFrame`.
 */
export interface Broadcast {
    /**
     * The hub to send to; the first of the sender's hubs when absent.
     */
    hub?: HubName | null;
    /**
     * The client's own id of the frame. The gateway ignores it.
     */
    id?: Payload | null;
    /**
     * The sender's idempotency key; see `SendMessage`.
     */
    idempotencyKey?: NotificationId | null;
    /**
     * The text; not empty.
     */
    message: string;
}
/**
 * Fields of `ClientFrame`.
 */
export interface HistoryQuery {
    /**
     * Cursor: only entries older than this one are returned. Take it from `next` of an earlier answer.
     */
    before?: string | null;
    /**
     * Largest number of entries to return, 1 to 100 (`MAX_PAGE`); 100 when absent.
     */
    limit?: number | null;
    /**
     * The history to read; `messages` when absent.
     */
    of: HistoryKind;
}
/**
 * Fields of `ClientFrame`.
 */
export interface MembersQuery {
    /**
     * Cursor: only users after this one are returned. Take it from `next` of an earlier answer.
     */
    after?: UserId | null;
    /**
     * The hub; the one that every connection joins when absent.
     */
    hub?: HubName | null;
    /**
     * Largest number of users to return, 1 to 100 (`MAX_MEMBERS`); 100 when absent.
     */
    limit?: number | null;
}
/**
 * Fields of `ClientFrame`.
 */
export interface Message {
    /**
     * The message.
     */
    data: MessageData;
    /**
     * The client's own id of the frame. The gateway ignores it.
     */
    id?: Payload | null;
    /**
     * The sender's idempotency key; see `SendMessage`.
     */
    idempotencyKey?: NotificationId | null;
}
/**
 * A message's content and recipient.
 */
export interface MessageData {
    /**
     * Any JSON value.
     */
    content: Payload;
    /**
     * The recipient.
     */
    recipient: Recipient;
}
/**
 * Fields of `ClientFrame`.
 */
export interface SendMessage {
    /**
     * The sender's idempotency key. The gateway ignores the user's frames with the same key for five minutes.
     */
    idempotencyKey?: NotificationId | null;
    /**
     * Recipients, 1 to 100 (`MAX_SESSIONS`). A session is a user.
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
     * Category of the notification, chosen by the producer.
     */
    kind?: string | null;
    /**
     * Any JSON value, byte for byte as the producer wrote it.
     */
    payload: Payload;
    /**
     * True if it was held before this delivery.
     */
    replayed: boolean;
    /**
     * Time at which the producer sent it.
     */
    sentAt: Timestamp;
    /**
     * Position in the user's order.
     */
    sequence: Sequence;
    /**
     * Origin of the notification, chosen by the producer.
     */
    source?: string | null;
}
/**
 * Result of sending a message to one recipient.
 */
export interface SendResult {
    /**
     * True if the message was accepted. It is then delivered or held as an ordinary notification.
     */
    accepted: boolean;
    /**
     * Reason for not accepting it.
     */
    code?: ErrorCode | null;
    /**
     * Explanation for people, if the recipient's name is not valid.
     */
    message?: string | null;
    /**
     * True if the recipient is a hub, and some members' notifications are accepted only after this answer. What is sent to
     * such a member next may arrive first.
     */
    pending?: boolean;
    /**
     * The recipient: a user, `hub/` and a hub, or `all`.
     */
    to: string;
}
/**
 * A client's identity and connection.
 */
export interface Whoami {
    /**
     * The connection's id.
     */
    connectionId: string;
    /**
     * Time at which the credential expires; it never expires when absent.
     */
    expiresAt?: Timestamp | null;
    /**
     * Hubs that the connection has joined.
     */
    hubs: HubName[];
    /**
     * Method by which the user was authenticated: `token`, `jwt`, `hmac` or `open`.
     */
    method: string;
    /**
     * The user.
     */
    userId: UserId;
    /**
     * The user's display name.
     */
    username?: string | null;
}
/**
 * Payload that a `sendmessage` action delivers.
 */
export interface ChatMessage {
    /**
     * The hub it was sent to.
     */
    hub: HubName;
    /**
     * The text after its time and sender, for clients that show it unchanged.
     */
    message: string;
    /**
     * The user who sent it.
     */
    sender: UserId;
    /**
     * The sender's display name.
     */
    senderName?: string | null;
    /**
     * The text alone.
     */
    text: string;
    /**
     * Time at which it was sent.
     */
    timestamp: Timestamp;
}
/**
 * Content, sender and recipient of a `DirectMessage`.
 */
export interface DirectMessageData {
    /**
     * The sender's content: any JSON value.
     */
    content: Payload;
    /**
     * The recipient as the sender wrote it; `all` if it wrote none.
     */
    recipient: RecipientAsSent;
    /**
     * The user who sent it.
     */
    sender: UserId;
    /**
     * Time at which it was sent.
     */
    timestamp: Timestamp;
}
/**
 * Payload that tells the members of a hub when another member joins or leaves.
 */
export interface Presence {
    /**
     * The hub.
     */
    hub: HubName;
    /**
     * The event as a sentence, for clients that show it unchanged.
     */
    message: string;
    /**
     * The event.
     */
    presence: PresenceEvent;
    /**
     * Time of the event.
     */
    timestamp: Timestamp;
    /**
     * The user who joined or left.
     */
    userId: UserId;
    /**
     * The user's display name.
     */
    username?: string | null;
}
/**
 * Payload that a `message` action delivers.
 */
export interface DirectMessage {
    /**
     * The message.
     */
    data: DirectMessageData;
}
/**
 * A notification's outcome, as readers get it.
 */
export interface HistoryMessage {
    /**
     * Time of the outcome.
     */
    at: Timestamp;
    /**
     * The notification's id.
     */
    id: NotificationId;
    /**
     * Category of the notification, chosen by the producer.
     */
    kind?: string | null;
    /**
     * The payload, if the history keeps payloads.
     */
    payload?: Payload | null;
    /**
     * Position in the user's order.
     */
    sequence: Sequence;
    /**
     * Origin of the notification, chosen by the producer, or the user who sent it.
     */
    source?: string | null;
    /**
     * The outcome.
     */
    what: HistoryOutcome;
}
/**
 * A session, as readers get it.
 */
export interface HistorySession {
    /**
     * Time at which it ended; absent while it lasts, and if its end was not recorded.
     */
    closedAt?: Timestamp | null;
    /**
     * The session's connection.
     */
    connectionId: ConnectionId;
    /**
     * Duration in milliseconds; absent when `closedAt` is.
     */
    durationMs?: number | null;
    /**
     * Method that authenticated its handshake.
     */
    method: AuthenticationMethod;
    /**
     * Time at which its handshake was accepted.
     */
    openedAt: Timestamp;
    /**
     * The client's IP address.
     */
    sourceIp: string;
    /**
     * The client's `User-Agent`.
     */
    userAgent?: string | null;
}
