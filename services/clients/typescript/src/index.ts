export type { Backoff } from "./backoff.ts";
export { connect } from "./client.ts";
export type { Client, Events, HistoryPage, Members, MessageOptions, Past, Sent } from "./client.ts";
export type { Clock, Timer } from "./clock.ts";
export type { Credential, TokenPlace } from "./credential.ts";
export type { Environment } from "./environment.ts";
export { TidingsError } from "./errors.ts";
export type { TidingsErrorCode } from "./errors.ts";
export type {
    ChatMessage,
    Delivery,
    DirectMessage,
    DirectMessageData,
    ErrorCode,
    Kind,
    Method,
    PastMessage,
    PastSession,
    Payload,
    Presence,
    PresenceEvent,
    Recipient,
    SendResult,
    What,
    Whoami,
} from "./frames.ts";
export type { Notification } from "./inbox.ts";
export type { NotificationIterator } from "./iterator.ts";
export type { Options } from "./options.ts";
export type { WebSocketConstructor, WebSocketLike } from "./socket.ts";
export type { Disconnect, State } from "./state.ts";
