//! The environment variables of the functions. Each variable's `purpose` says what it is for.

use serde::Serialize;

use crate::permissions::Resource;

/// An environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// The variable's name.
    pub name: &'static str,
    /// Meaning of its value, with the unit.
    pub purpose: &'static str,
    /// Value when it is not set. A variable without a default is required.
    pub default: Option<&'static str>,
    /// The resource that its value names, if it names one. The variable of a required resource has no
    /// default, and that of an optional resource has the empty text.
    pub resource: Option<Resource>,
}

const fn required(name: &'static str, resource: Resource, purpose: &'static str) -> Variable {
    Variable { name, purpose, default: None, resource: Some(resource) }
}

const fn optional(name: &'static str, default: &'static str, purpose: &'static str) -> Variable {
    Variable { name, purpose, default: Some(default), resource: None }
}

const fn optional_resource(name: &'static str, resource: Resource, purpose: &'static str) -> Variable {
    Variable { name, purpose, default: Some(""), resource: Some(resource) }
}

/// Log level.
pub const LOG: Variable =
    optional("TIDINGS_LOG", "info", "log level, or levels for each module (info,dispatcher=debug)");
/// Namespace of metrics.
pub const METRICS_NAMESPACE: Variable =
    optional("TIDINGS_METRICS_NAMESPACE", "Tidings", "CloudWatch namespace of the metrics");
/// Connections table.
pub const CONNECTIONS_TABLE: Variable = required(
    "TIDINGS_CONNECTIONS_TABLE",
    Resource::ConnectionsTable,
    "name of the table of open connections",
);
/// Mailbox table.
pub const MAILBOX_TABLE: Variable =
    required("TIDINGS_MAILBOX_TABLE", Resource::MailboxTable, "name of the table of held notifications");
/// Table of hub members.
pub const HUBS_TABLE: Variable =
    required("TIDINGS_HUBS_TABLE", Resource::HubsTable, "name of the table of hub members");
/// Table with counts of client actions.
pub const RATES_TABLE: Variable = required(
    "TIDINGS_RATES_TABLE",
    Resource::RatesTable,
    "name of the table with counts of client actions, for rate limits",
);
/// Table of connect tokens.
pub const TOKENS_TABLE: Variable =
    required("TIDINGS_TOKENS_TABLE", Resource::TokensTable, "name of the table of unused connect tokens");
/// Table of the history.
pub const HISTORY_TABLE: Variable = optional_resource(
    "TIDINGS_HISTORY_TABLE",
    Resource::HistoryTable,
    "name of the history's table; without one no history is kept",
);
/// Time to live of history entries.
pub const HISTORY_TTL: Variable =
    optional("TIDINGS_HISTORY_TTL_DAYS", "30", "time to live of history entries, in days");
/// Payloads in the history.
pub const HISTORY_PAYLOADS: Variable =
    optional("TIDINGS_HISTORY_PAYLOADS", "false", "true to keep payloads in the history, or false");
/// Notifications queues.
pub const NOTIFICATIONS_QUEUE: Variable = required(
    "TIDINGS_NOTIFICATIONS_QUEUE",
    Resource::NotificationsQueue,
    "URL of the notifications queue, or URLs of all of them in order, separated by commas",
);
/// Epoch of sequences.
pub const QUEUE_EPOCH: Variable = optional(
    "TIDINGS_QUEUE_EPOCH",
    "0",
    "epoch of sequences, 0 to 99; a change of the number of notifications queues raises it",
);
/// Dead-letter queue.
pub const DEAD_LETTER_QUEUE: Variable = required(
    "TIDINGS_DEAD_LETTER_QUEUE",
    Resource::DeadLetterQueue,
    "URL of the dead-letter queue of the notifications queue, or URLs of those of all of them, in the same order",
);
/// Endpoint for pushes.
pub const MANAGEMENT_ENDPOINT: Variable = required(
    "TIDINGS_MANAGEMENT_ENDPOINT",
    Resource::Connections,
    "URL of the WebSocket API's stage for callbacks: https://{api}.execute-api.{region}.amazonaws.com/{stage}",
);
/// Key of connect tokens.
pub const TOKEN_KEY: Variable = required(
    "TIDINGS_TOKEN_KEY",
    Resource::TokenKey,
    "id, ARN or alias of the KMS key that encrypts connect tokens",
);
/// Issuer of connect tokens.
pub const TOKEN_ISSUER: Variable =
    optional("TIDINGS_TOKEN_ISSUER", "tidings", "issuer of connect tokens, their `iss`");
/// Audience of connect tokens.
pub const TOKEN_AUDIENCE: Variable = optional(
    "TIDINGS_TOKEN_AUDIENCE",
    "tidings",
    "audience of connect tokens, their `aud`: names this gateway",
);
/// Lifetime of connect tokens.
pub const TOKEN_LIFETIME: Variable =
    optional("TIDINGS_TOKEN_LIFETIME_MS", "30000", "lifetime of a connect token, in milliseconds");
/// Claims with hubs.
pub const HUBS_CLAIMS: Variable = optional(
    "TIDINGS_HUBS_CLAIMS",
    "hubs",
    "claims of the caller's ID token that list the hubs the connection joins, separated by commas",
);
/// Methods of authentication.
pub const AUTH_METHODS: Variable = optional(
    "TIDINGS_AUTH_METHODS",
    "token",
    "accepted methods of authentication, separated by commas: token, jwt, hmac, open (for development only)",
);
/// Trusted issuers of JSON Web Tokens.
pub const JWT_ISSUERS: Variable = optional(
    "TIDINGS_JWT_ISSUERS",
    "[]",
    "trusted issuers of JSON Web Tokens, as a JSON list of {issuer, algorithm (RS256, ES256, EdDSA, HS256), \
     jwks_url?, allow_http?, secret?, audiences?, any_audience?, user_prefix?, token_types?, max_lifetime?, \
     hubs_claims?, require_exp?}; an HS256 issuer without a secret uses TIDINGS_JWT_SECRET",
);
/// Issuers with the same users.
pub const SHARED_USER_IDS: Variable = optional(
    "TIDINGS_SHARED_USER_IDS",
    "refuse",
    "several issuers without a user_prefix, so that each may name every user: refuse, or allow if they have the same \
     users",
);
/// Prefix of the caller's user id.
pub const USER_PREFIX: Variable = optional(
    "TIDINGS_USER_PREFIX",
    "",
    "text before the subject of the caller's ID token that makes the user id: the user_prefix of its issuer in \
     TIDINGS_JWT_ISSUERS",
);
/// Shared secret of JSON Web Tokens.
pub const JWT_SECRET: Variable = optional_resource(
    "TIDINGS_JWT_SECRET",
    Resource::JwtSecret,
    "name or ARN of the shared secret of JSON Web Tokens with HS256",
);
/// Cookies with JSON Web Tokens.
pub const JWT_COOKIES: Variable = optional(
    "TIDINGS_JWT_COOKIES",
    "auth,id_token,authToken",
    "cookies that may carry a JSON Web Token, separated by commas; the first one present is used",
);
/// Allowed origins.
pub const ALLOWED_ORIGINS: Variable = optional(
    "TIDINGS_ALLOWED_ORIGINS",
    "",
    "origins of web pages that may connect (https://app.example.com), separated by commas; when empty, pages \
     of every origin may connect, but cookies are not accepted",
);
/// Shared secret of signed handshakes.
pub const HMAC_SECRET: Variable = optional_resource(
    "TIDINGS_HMAC_SECRET",
    Resource::HmacSecret,
    "name or ARN of the shared secret of signed handshakes",
);
/// Replay of signed handshakes.
pub const HMAC_REPLAY: Variable = optional(
    "TIDINGS_HMAC_REPLAY",
    "refuse",
    "repeated use of a handshake's signature within its five minutes: refuse, or allow for old clients",
);
/// Lifetime of a connection's row.
pub const ROW_LIFETIME: Variable = optional(
    "TIDINGS_ROW_LIFETIME_MS",
    "7800000",
    "lifetime of a connection's row after the handshake, in milliseconds; API Gateway closes a connection \
     after 2 hours",
);
/// Default frame format.
pub const DEFAULT_FORMAT: Variable = optional(
    "TIDINGS_DEFAULT_FORMAT",
    "single",
    "frame format of connections that ask for none: single, batch or raw",
);
/// Limit of the drain before a new notification.
pub const INLINE_DRAIN: Variable =
    optional("TIDINGS_INLINE_DRAIN", "25", "largest number of held rows pushed before a new notification");
/// Limit of the drain by a replay.
pub const REPLAY_DRAIN: Variable = optional(
    "TIDINGS_REPLAY_DRAIN",
    "1000",
    "largest number of held rows pushed by one run with a replay entry",
);
/// Page size of the mailbox.
pub const MAILBOX_PAGE: Variable =
    optional("TIDINGS_MAILBOX_PAGE", "100", "largest number of held rows read at once");
/// Grace period after a handshake.
pub const HANDSHAKE_GRACE: Variable = optional(
    "TIDINGS_HANDSHAKE_GRACE_MS",
    "5000",
    "time after a handshake in which 410 means that the connection is not open yet, in milliseconds",
);
/// Longest wait of a notification with `whenOffline: drop`.
pub const DROP_HOLD: Variable = optional(
    "TIDINGS_DROP_HOLD_MS",
    "30000",
    "longest time that a notification with whenOffline drop waits behind held ones of a connected user, in \
     milliseconds",
);
/// First delay between attempts.
pub const RETRY_INITIAL: Variable = optional(
    "TIDINGS_RETRY_INITIAL_MS",
    "50",
    "upper limit of the first delay between attempts, in milliseconds",
);
/// Longest delay between attempts.
pub const RETRY_MAX: Variable =
    optional("TIDINGS_RETRY_MAX_MS", "2000", "upper limit of every delay between attempts, in milliseconds");
/// Time reserved at the end of an invocation.
pub const TIME_RESERVE: Variable = optional(
    "TIDINGS_TIME_RESERVE_MS",
    "2000",
    "time before its deadline at which an invocation stops retrying, in milliseconds",
);
/// Failures after which notifications are set aside.
pub const SET_ASIDE_AFTER: Variable = optional(
    "TIDINGS_SET_ASIDE_AFTER",
    "3",
    "number of failed deliveries after which notifications wait in the mailbox and no longer in the queue, or off; the replayer's schedule replays them",
);
/// Number of keys that the replayer reads at once.
pub const REPLAY_KEYS: Variable =
    optional("TIDINGS_REPLAY_KEYS", "1000", "number of keys of a mailbox that the replayer reads at once");
/// Number of mailboxes replayed at once.
pub const REPLAY_CONCURRENCY: Variable =
    optional("TIDINGS_REPLAY_CONCURRENCY", "16", "number of mailboxes replayed at the same time");
/// Policy of messages between clients.
pub const SEND_POLICY: Variable = optional(
    "TIDINGS_SEND_POLICY",
    "off",
    "allowed recipients of messages between clients: off (none), same-hub (the sender's hubs and their \
     members), anyone",
);
/// Hub of everyone.
pub const EVERYONE_HUB: Variable = optional(
    "TIDINGS_EVERYONE_HUB",
    "",
    "hub that every connection joins and that receives messages for everyone; none when empty",
);
/// Presence events.
pub const PRESENCE: Variable = optional(
    "TIDINGS_PRESENCE",
    "false",
    "true to tell a hub's members when another member joins or leaves, or false",
);
/// Rate limit of a connection.
pub const RATE_PER_CONNECTION: Variable = optional(
    "TIDINGS_RATE_PER_CONNECTION",
    "off",
    "rate limit of a connection's actions, as number/milliseconds (20/1000), or off",
);
/// Rate limit of a user.
pub const RATE_PER_USER: Variable = optional(
    "TIDINGS_RATE_PER_USER",
    "off",
    "rate limit of the actions of all connections of a user, as number/milliseconds, or off",
);
/// Limit of a user's arrivals.
pub const ARRIVALS_PER_USER: Variable = optional(
    "TIDINGS_ARRIVALS_PER_USER",
    "off",
    "limit of a user's arrivals that other members are told, as number/milliseconds (60/60000), or off",
);
/// Limit of a user's acknowledgements.
pub const ACKNOWLEDGEMENTS_PER_USER: Variable = optional(
    "TIDINGS_ACKNOWLEDGEMENTS_PER_USER",
    "120000/60000",
    "limit of the sequences that a user acknowledges in frames with more than 25, as number/milliseconds, or off",
);
/// Limit of the recipients of a user's messages.
pub const RECIPIENTS_PER_USER: Variable = optional(
    "TIDINGS_RECIPIENTS_PER_USER",
    "off",
    "limit of the recipients of a user's messages, as number/milliseconds (6000/60000), or off; a hub counts as one",
);
/// Limit of the size of a user's messages.
pub const BYTES_PER_USER: Variable = optional(
    "TIDINGS_BYTES_PER_USER",
    "off",
    "limit of the bytes of a user's messages, counted for each recipient, as number/milliseconds, or off",
);
/// Quota of a sender.
pub const QUOTA_PER_USER: Variable = optional(
    "TIDINGS_QUOTA_PER_USER",
    "off",
    "limit of the bytes of a user's messages that are held, as number/milliseconds (67108864/86400000), or off",
);
/// Quota of a mailbox.
pub const QUOTA_PER_MAILBOX: Variable = optional(
    "TIDINGS_QUOTA_PER_MAILBOX",
    "off",
    "limit of the bytes of clients' messages that are held for a user, as number/milliseconds, or off",
);
/// Limit of connections of a user.
pub const MAX_CONNECTIONS: Variable =
    optional("TIDINGS_MAX_CONNECTIONS", "off", "largest number of connections of one user, or off");
/// Treatment of a connection above the limit.
pub const TOO_MANY_CONNECTIONS: Variable = optional(
    "TIDINGS_TOO_MANY_CONNECTIONS",
    "refuse-newest",
    "treatment of a connection above the limit: refuse-newest or close-oldest",
);
/// Closing of expired connections.
pub const CLOSE_WHEN_EXPIRED: Variable = optional(
    "TIDINGS_CLOSE_WHEN_EXPIRED",
    "false",
    "true to close a connection at its first action after its credential expired, or false",
);
/// Senders of raw frames.
pub const RAW_WITHOUT_SENDER: Variable = optional(
    "TIDINGS_RAW_WITHOUT_SENDER",
    "false",
    "true to push payloads that clients chose to raw connections without naming their sender, or false",
);
/// Number of members served by one broadcast entry.
pub const FAN_OUT_MEMBERS: Variable = optional(
    "TIDINGS_FAN_OUT_MEMBERS",
    "1000",
    "largest number of hub members served by one queue entry of a broadcast",
);
