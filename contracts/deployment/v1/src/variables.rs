//! The environment variables that the functions read.

use serde::Serialize;

use crate::permissions::Resource;

/// An environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is for, its unit included.
    pub purpose: &'static str,
    /// What holds when it is not set; without one it has to be set.
    pub default: Option<&'static str>,
    /// The resource that it names, where it names one. Such a variable has no default when the resource has to
    /// be there, and the empty text as its default when a deployment may do without.
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

/// See its purpose; so for all.
pub const LOG: Variable =
    optional("TIDINGS_LOG", "info", "what is logged: a level, or levels by module (info,dispatcher=debug)");
/// The namespace of metrics.
pub const METRICS_NAMESPACE: Variable =
    optional("TIDINGS_METRICS_NAMESPACE", "Tidings", "CloudWatch's namespace of the metrics");
/// The Connections table.
pub const CONNECTIONS_TABLE: Variable = required(
    "TIDINGS_CONNECTIONS_TABLE",
    Resource::ConnectionsTable,
    "name of the table of open connections",
);
/// The mailbox table.
pub const MAILBOX_TABLE: Variable =
    required("TIDINGS_MAILBOX_TABLE", Resource::MailboxTable, "name of the table of held notifications");
/// The table of the hubs' members.
pub const HUBS_TABLE: Variable =
    required("TIDINGS_HUBS_TABLE", Resource::HubsTable, "name of the table of the hubs' members");
/// The table of counts of clients' actions.
pub const RATES_TABLE: Variable = required(
    "TIDINGS_RATES_TABLE",
    Resource::RatesTable,
    "name of the table in which clients' actions are counted",
);
/// The table of connect tokens.
pub const TOKENS_TABLE: Variable =
    required("TIDINGS_TOKENS_TABLE", Resource::TokensTable, "name of the table of unused connect tokens");
/// The history's table.
pub const HISTORY_TABLE: Variable = optional_resource(
    "TIDINGS_HISTORY_TABLE",
    Resource::HistoryTable,
    "name of the table of the history; without one no history is kept",
);
/// How long the history is kept.
pub const HISTORY_TTL: Variable =
    optional("TIDINGS_HISTORY_TTL_DAYS", "30", "how long the history is kept, in days");
/// Whether the history has payloads.
pub const HISTORY_PAYLOADS: Variable =
    optional("TIDINGS_HISTORY_PAYLOADS", "false", "whether the history keeps payloads too: true or false");
/// The notifications queue.
pub const NOTIFICATIONS_QUEUE: Variable =
    required("TIDINGS_NOTIFICATIONS_QUEUE", Resource::NotificationsQueue, "URL of the notifications queue");
/// The dead-letter queue.
pub const DEAD_LETTER_QUEUE: Variable = required(
    "TIDINGS_DEAD_LETTER_QUEUE",
    Resource::DeadLetterQueue,
    "URL of the dead-letter queue of the notifications queue",
);
/// Where pushes go.
pub const MANAGEMENT_ENDPOINT: Variable = required(
    "TIDINGS_MANAGEMENT_ENDPOINT",
    Resource::Connections,
    "URL of the WebSocket API's stage for callbacks: https://{api}.execute-api.{region}.amazonaws.com/{stage}",
);
/// The key of connect tokens.
pub const TOKEN_KEY: Variable = required(
    "TIDINGS_TOKEN_KEY",
    Resource::TokenKey,
    "id, ARN or alias of the KMS key that encrypts connect tokens",
);
/// Who issues connect tokens.
pub const TOKEN_ISSUER: Variable = optional("TIDINGS_TOKEN_ISSUER", "tidings", "`iss` of connect tokens");
/// Whom connect tokens are for.
pub const TOKEN_AUDIENCE: Variable =
    optional("TIDINGS_TOKEN_AUDIENCE", "tidings", "`aud` of connect tokens: which gateway they are for");
/// How long a connect token is good for.
pub const TOKEN_LIFETIME: Variable =
    optional("TIDINGS_TOKEN_LIFETIME_MS", "30000", "how long a connect token is good for, in milliseconds");
/// Which claims list hubs.
pub const HUBS_CLAIMS: Variable = optional(
    "TIDINGS_HUBS_CLAIMS",
    "hubs",
    "claims of the caller's ID token that list the hubs the connection joins, separated by commas",
);
/// How a handshake may prove who it is.
pub const AUTH_METHODS: Variable = optional(
    "TIDINGS_AUTH_METHODS",
    "token",
    "how a handshake may prove who it is, separated by commas: token, jwt, hmac, open (for development only)",
);
/// Whose JSON Web Tokens are accepted.
pub const JWT_ISSUERS: Variable = optional(
    "TIDINGS_JWT_ISSUERS",
    "[]",
    "whose JSON Web Tokens are accepted: a list in JSON of {issuer, algorithm (RS256, ES256, EdDSA, HS256), \
     jwks_url?, allow_http?, secret?, audiences?, hubs_claims?}; the secret of HS256 is TIDINGS_JWT_SECRET \
     unless another is named",
);
/// The secret of JSON Web Tokens.
pub const JWT_SECRET: Variable = optional_resource(
    "TIDINGS_JWT_SECRET",
    Resource::JwtSecret,
    "name or ARN of the secret of JSON Web Tokens with HS256",
);
/// Cookies with JSON Web Tokens.
pub const JWT_COOKIES: Variable = optional(
    "TIDINGS_JWT_COOKIES",
    "auth,id_token,authToken",
    "cookies that may carry a JSON Web Token, separated by commas; the first of these that is there counts",
);
/// Pages that may connect.
pub const ALLOWED_ORIGINS: Variable = optional(
    "TIDINGS_ALLOWED_ORIGINS",
    "",
    "origins of web pages that may connect (https://app.example.com), separated by commas; when empty those of \
     every origin may, but not with a cookie",
);
/// The secret of signed handshakes.
pub const HMAC_SECRET: Variable = optional_resource(
    "TIDINGS_HMAC_SECRET",
    Resource::HmacSecret,
    "name or ARN of the secret by which handshakes are signed",
);
/// Whether signatures are good more than once.
pub const HMAC_REPLAY: Variable = optional(
    "TIDINGS_HMAC_REPLAY",
    "refuse",
    "whether a signed handshake may be repeated while its time is good: refuse, or allow for old clients",
);
/// How long a connection's row lives.
pub const ROW_LIFETIME: Variable = optional(
    "TIDINGS_ROW_LIFETIME_MS",
    "7800000",
    "how long after its handshake a connection's row is swept out, in milliseconds; API Gateway closes a \
     connection after 2 hours",
);
/// Which frames a connection gets.
pub const DEFAULT_FORMAT: Variable = optional(
    "TIDINGS_DEFAULT_FORMAT",
    "single",
    "which frames a connection gets that asks for none in particular: single, batch or raw",
);
/// How much is drained before a new notification.
pub const INLINE_DRAIN: Variable =
    optional("TIDINGS_INLINE_DRAIN", "25", "most held rows pushed before a new notification");
/// How much a replay drains.
pub const REPLAY_DRAIN: Variable =
    optional("TIDINGS_REPLAY_DRAIN", "1000", "most held rows pushed by one run with a replay entry");
/// How much is read at once.
pub const MAILBOX_PAGE: Variable = optional("TIDINGS_MAILBOX_PAGE", "100", "most held rows read at once");
/// How long a handshake may take.
pub const HANDSHAKE_GRACE: Variable = optional(
    "TIDINGS_HANDSHAKE_GRACE_MS",
    "5000",
    "how long after a handshake 410 means that the connection is not open yet, in milliseconds",
);
/// How long a dropped notification may wait.
pub const DROP_HOLD: Variable = optional(
    "TIDINGS_DROP_HOLD_MS",
    "30000",
    "how long a notification that is not to be held may wait behind held ones of a connected user, in \
     milliseconds",
);
/// The first delay between attempts.
pub const RETRY_INITIAL: Variable =
    optional("TIDINGS_RETRY_INITIAL_MS", "50", "bound of the first delay between attempts, in milliseconds");
/// The longest delay between attempts.
pub const RETRY_MAX: Variable =
    optional("TIDINGS_RETRY_MAX_MS", "2000", "bound of all delays between attempts, in milliseconds");
/// What an invocation keeps of its time.
pub const TIME_RESERVE: Variable = optional(
    "TIDINGS_TIME_RESERVE_MS",
    "2000",
    "how long before the end of its time an invocation stops retrying, in milliseconds",
);
/// How many keys the replayer reads at once.
pub const REPLAY_KEYS: Variable =
    optional("TIDINGS_REPLAY_KEYS", "1000", "keys of a mailbox read at once by the replayer");
/// How many mailboxes are replayed at once.
pub const REPLAY_CONCURRENCY: Variable =
    optional("TIDINGS_REPLAY_CONCURRENCY", "16", "mailboxes replayed at the same time");
/// Who may send to whom.
pub const SEND_POLICY: Variable = optional(
    "TIDINGS_SEND_POLICY",
    "off",
    "who may send to whom: off, same-hub (to one's hubs and to users in one of them), anyone",
);
/// The hub of everyone.
pub const EVERYONE_HUB: Variable = optional(
    "TIDINGS_EVERYONE_HUB",
    "",
    "hub that every connection joins and that messages for everyone go to; none when empty",
);
/// Whether hubs are told who comes and goes.
pub const PRESENCE: Variable = optional(
    "TIDINGS_PRESENCE",
    "false",
    "whether the members of a hub are told when another comes or goes: true or false",
);
/// How often a connection may act.
pub const RATE_PER_CONNECTION: Variable = optional(
    "TIDINGS_RATE_PER_CONNECTION",
    "off",
    "how many actions a connection may ask for, as number/milliseconds (20/1000), or off",
);
/// How often a user may act.
pub const RATE_PER_USER: Variable = optional(
    "TIDINGS_RATE_PER_USER",
    "off",
    "how many actions all connections of a user may ask for together, as number/milliseconds, or off",
);
/// How many connections a user may have.
pub const MAX_CONNECTIONS: Variable =
    optional("TIDINGS_MAX_CONNECTIONS", "off", "most connections of one user, or off");
/// What becomes of a connection too many.
pub const TOO_MANY_CONNECTIONS: Variable = optional(
    "TIDINGS_TOO_MANY_CONNECTIONS",
    "refuse-newest",
    "what becomes of a connection too many: refuse-newest or close-oldest",
);
/// Whether expired connections are closed.
pub const CLOSE_WHEN_EXPIRED: Variable = optional(
    "TIDINGS_CLOSE_WHEN_EXPIRED",
    "false",
    "whether a connection whose credential has ended is closed when it asks for something: true or false",
);
/// How much of a broadcast one entry does.
pub const FAN_OUT_MEMBERS: Variable =
    optional("TIDINGS_FAN_OUT_MEMBERS", "1000", "most members of a hub served by one entry of a broadcast");
