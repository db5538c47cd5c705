export type { Backoff } from "./backoff.ts";
export { connect } from "./client.ts";
export type { Client, Events, HistoryEntry, HistoryPage, Members, MessageOptions, Sent } from "./client.ts";
export type { Clock, Timer } from "./clock.ts";
export type { Credential, TokenLocation } from "./credential.ts";
export type { Environment } from "./environment.ts";
export { TidingsError } from "./errors.ts";
export type { TidingsErrorCode } from "./errors.ts";
export type {
    AuthenticationMethod,
    ChatMessage,
    Delivery,
    DirectMessage,
    DirectMessageData,
    ErrorCode,
    HistoryKind,
    HistoryMessage,
    HistoryOutcome,
    HistorySession,
    Payload,
    Presence,
    PresenceEvent,
    Recipient,
    SendResult,
    Whoami,
} from "./frames.ts";
export type { Notification } from "./inbox.ts";
export type { NotificationIterator } from "./iterator.ts";
export type { Options } from "./options.ts";
export type { WebSocketConstructor, WebSocketLike } from "./socket.ts";
export type { Disconnect, State } from "./state.ts";

// Names of version 0.1.0, kept for one release.
export type { HistoryEntry as Past } from "./client.ts";
export type { TokenLocation as TokenPlace } from "./credential.ts";
export type {
    AuthenticationMethod as Method,
    HistoryKind as Kind,
    HistoryMessage as PastMessage,
    HistoryOutcome as What,
    HistorySession as PastSession,
} from "./frames.ts";
