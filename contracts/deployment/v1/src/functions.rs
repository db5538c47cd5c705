//! The Lambda functions: their variables, permissions and timeouts.

use serde::Serialize;

use crate::permissions::{self, Permission};
use crate::variables::{
    ACKNOWLEDGEMENTS_PER_USER, ALLOWED_ORIGINS, ARRIVALS_PER_USER, AUTH_METHODS, BYTES_PER_USER,
    CLOSE_WHEN_EXPIRED, CONNECTIONS_TABLE, DEAD_LETTER_QUEUE, DEFAULT_FORMAT, DROP_HOLD, EVERYONE_HUB,
    FAN_OUT_MEMBERS, HANDSHAKE_GRACE, HISTORY_PAYLOADS, HISTORY_TABLE, HISTORY_TTL, HMAC_REPLAY, HMAC_SECRET,
    HUBS_CLAIMS, HUBS_TABLE, INLINE_DRAIN, JWT_COOKIES, JWT_ISSUERS, JWT_SECRET, LOG, MAILBOX_PAGE,
    MAILBOX_TABLE, MANAGEMENT_ENDPOINT, MAX_CONNECTIONS, METRICS_NAMESPACE, NOTIFICATIONS_QUEUE, PRESENCE,
    QUEUE_EPOCH, QUOTA_PER_MAILBOX, QUOTA_PER_USER, RATE_PER_CONNECTION, RATE_PER_USER, RATES_TABLE,
    RAW_WITHOUT_SENDER, RECIPIENTS_PER_USER, REPLAY_CONCURRENCY, REPLAY_DRAIN, REPLAY_KEYS, RETRY_INITIAL,
    RETRY_MAX, ROW_LIFETIME, SEND_POLICY, SET_ASIDE_AFTER, SHARED_USER_IDS, TIME_RESERVE, TOKEN_AUDIENCE,
    TOKEN_ISSUER, TOKEN_KEY, TOKEN_LIFETIME, TOKENS_TABLE, TOO_MANY_CONNECTIONS, USER_PREFIX, Variable,
};

/// A Lambda function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    /// Name within a deployment, and of its binary and its archive.
    pub name: &'static str,
    /// All environment variables that it reads.
    pub variables: &'static [Variable],
    /// Permissions of its role. The role may also write the function's log.
    pub permissions: &'static [Permission],
    /// Longest duration of an invocation, in seconds.
    pub timeout_seconds: u32,
}

/// Pushes or holds the notifications of the queue.
pub const DISPATCHER: Function = Function {
    name: "dispatcher",
    variables: &[
        LOG,
        METRICS_NAMESPACE,
        CONNECTIONS_TABLE,
        MAILBOX_TABLE,
        NOTIFICATIONS_QUEUE,
        DEAD_LETTER_QUEUE,
        MANAGEMENT_ENDPOINT,
        INLINE_DRAIN,
        REPLAY_DRAIN,
        MAILBOX_PAGE,
        HANDSHAKE_GRACE,
        DROP_HOLD,
        RETRY_INITIAL,
        RETRY_MAX,
        TIME_RESERVE,
        HUBS_TABLE,
        FAN_OUT_MEMBERS,
        HISTORY_TABLE,
        HISTORY_TTL,
        HISTORY_PAYLOADS,
        RAW_WITHOUT_SENDER,
        SET_ASIDE_AFTER,
        QUEUE_EPOCH,
    ],
    permissions: permissions::DISPATCHER,
    timeout_seconds: 30,
};

/// Requeues the held notifications of users who reconnected.
pub const REPLAYER: Function = Function {
    name: "replayer",
    variables: &[
        LOG,
        METRICS_NAMESPACE,
        MAILBOX_TABLE,
        NOTIFICATIONS_QUEUE,
        REPLAY_KEYS,
        REPLAY_CONCURRENCY,
        RETRY_INITIAL,
        RETRY_MAX,
        TIME_RESERVE,
    ],
    permissions: permissions::REPLAYER,
    timeout_seconds: 60,
};

/// Answers the routes of the WebSocket API.
pub const WS_EDGE: Function = Function {
    name: "ws-edge",
    variables: &[
        LOG,
        METRICS_NAMESPACE,
        CONNECTIONS_TABLE,
        MAILBOX_TABLE,
        ROW_LIFETIME,
        DEFAULT_FORMAT,
        RETRY_INITIAL,
        RETRY_MAX,
        HUBS_TABLE,
        RATES_TABLE,
        NOTIFICATIONS_QUEUE,
        MANAGEMENT_ENDPOINT,
        SEND_POLICY,
        EVERYONE_HUB,
        PRESENCE,
        RATE_PER_CONNECTION,
        RATE_PER_USER,
        ARRIVALS_PER_USER,
        ACKNOWLEDGEMENTS_PER_USER,
        RECIPIENTS_PER_USER,
        BYTES_PER_USER,
        QUOTA_PER_USER,
        QUOTA_PER_MAILBOX,
        MAX_CONNECTIONS,
        TOO_MANY_CONNECTIONS,
        CLOSE_WHEN_EXPIRED,
        HISTORY_TABLE,
        HISTORY_TTL,
    ],
    permissions: permissions::WS_EDGE,
    timeout_seconds: 10,
};

/// Issues connect tokens.
pub const AUTH_TOKEN_ISSUER: Function = Function {
    name: "auth-token-issuer",
    variables: &[
        LOG,
        METRICS_NAMESPACE,
        TOKENS_TABLE,
        TOKEN_KEY,
        TOKEN_ISSUER,
        TOKEN_AUDIENCE,
        TOKEN_LIFETIME,
        HUBS_CLAIMS,
        USER_PREFIX,
    ],
    permissions: permissions::AUTH_TOKEN_ISSUER,
    timeout_seconds: 10,
};

/// Decides handshakes.
pub const AUTH_TOKEN_AUTHORIZER: Function = Function {
    name: "auth-token-authorizer",
    variables: &[
        LOG,
        METRICS_NAMESPACE,
        TOKENS_TABLE,
        TOKEN_KEY,
        TOKEN_ISSUER,
        TOKEN_AUDIENCE,
        AUTH_METHODS,
        ALLOWED_ORIGINS,
        JWT_ISSUERS,
        JWT_SECRET,
        JWT_COOKIES,
        SHARED_USER_IDS,
        HMAC_SECRET,
        HMAC_REPLAY,
    ],
    permissions: permissions::AUTH_TOKEN_AUTHORIZER,
    timeout_seconds: 10,
};

/// All functions.
pub const FUNCTIONS: [&Function; 5] =
    [&AUTH_TOKEN_ISSUER, &AUTH_TOKEN_AUTHORIZER, &WS_EDGE, &DISPATCHER, &REPLAYER];
