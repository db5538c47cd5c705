//! Messages from client to client: decides who may receive them, and makes the notifications that carry them.

use std::borrow::Cow;

use contract_frames_v1::{
    Broadcast, ChatMessage, DirectMessage, DirectMessageData, FrameTooLarge, Message, MessageData, Presence,
    PresenceEvent, Recipient, SendMessage, Session, require_fits,
};
use contract_identity_v1::Principal;
use contract_notifications_v1::{
    FanOut, HubName, InvalidIdentifier, Notification, NotificationId, Payload, Sequence, Timestamp, UserId,
    WhenOffline, is_nested_deeper,
};

use super::caller::Caller;
use super::names::{display_name, one_line, shown_name};
use crate::config::{ClientMessagePolicy, EdgeConfig};

/// A recipient of a client message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One user.
    User {
        /// The user.
        user_id: UserId,
        /// Hubs of the sender. The user must be in at least one of them to receive the message. `None`: every
        /// user may receive it.
        shared_hubs: Option<Vec<HubName>>,
    },
    /// All members of a hub.
    Hub {
        /// The hub.
        hub: HubName,
        /// Name of the recipient in the answer.
        name: Box<str>,
    },
    /// No user can have this name.
    Invalid {
        /// The name.
        name: Box<str>,
        /// The rule that it breaks.
        error: InvalidIdentifier,
    },
}

impl Target {
    /// Returns the name of the recipient in the answer.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::User { user_id, .. } => user_id.as_written(),
            Self::Hub { name, .. } | Self::Invalid { name, .. } => Cow::Borrowed(name),
        }
    }
}

/// A client message with its recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendRequest {
    /// The recipients; at least one.
    pub targets: Vec<Target>,
    /// The sender's own id for the message, if it gave one.
    pub idempotency_key: Option<NotificationId>,
    /// The message.
    pub message: ClientMessage,
}

/// A message from a client, the same for all recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientMessage {
    /// Payload of the notifications that carry the message.
    pub payload: Payload,
    /// Time at which the client's frame arrived.
    pub sent_at: Timestamp,
    /// Holds or drops the message for recipients without a connection.
    pub when_offline: WhenOffline,
    /// Time until which the message is held, if it is.
    pub expires_at: Option<Timestamp>,
    /// Action of the client's frame; the notifications' kind.
    pub kind: &'static str,
    /// The sender.
    pub sender: UserId,
}

/// Reasons for refusing to send a message. The text is for the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendRefusal {
    /// The policy is [`ClientMessagePolicy::Off`].
    #[error("clients of this gateway don't send to each other")]
    Off,
    /// The message is for everyone, and there is no hub of everyone.
    #[error("this gateway has no hub of everyone; name a user or a hub")]
    NoEveryone,
    /// The message names no hub, and the sender is in none.
    #[error("the message names no hub, and you are in none")]
    NoHub,
    /// The policy is [`ClientMessagePolicy::SameHub`], and the sender is not in the hub.
    #[error("you are not in the hub {0:?}; you can send to your own hubs only")]
    OtherHub(HubName),
    /// The hub is reserved for the gateway's own messages.
    #[error("the hub {0:?} is reserved for the gateway; name another hub")]
    Reserved(HubName),
    /// Arrays and objects in the message are nested too deep.
    #[error("the message has more than {0} levels of arrays and objects; allowed are at most {0}")]
    TooDeep(usize),
    /// The notification would exceed the largest frame.
    #[error(transparent)]
    TooLarge(#[from] FrameTooLarge),
    /// The message could not be serialized.
    #[error("the message could not be serialized as JSON")]
    Payload(#[source] serde_json::Error),
}

/// Kind of the notices that tell the members of a hub who comes and goes.
pub const PRESENCE_KIND: &str = "presence";

/// Bytes that a held message takes beside its payload: its key, its envelope, and the engine's share.
const ENVELOPE_BYTES: u32 = 256;

impl ClientMessage {
    /// Returns the size that the message takes for each recipient, about.
    pub fn stored_bytes(&self) -> u32 {
        u32::try_from(self.payload.get().len()).unwrap_or(u32::MAX).saturating_add(ENVELOPE_BYTES)
    }

    /// Returns the notification for one user.
    pub fn to_user(&self, id: NotificationId, user_id: UserId) -> Notification {
        Notification {
            id,
            user_id,
            payload: self.payload.clone(),
            sent_at: self.sent_at,
            expires_at: self.expires_at,
            when_offline: self.when_offline,
            kind: Some(self.kind.into()),
            source: Some(source(&self.sender)),
        }
    }

    /// Returns the queue entry for all members of a hub.
    pub fn to_hub(&self, id: NotificationId, hub: HubName) -> FanOut {
        FanOut {
            hub,
            after: None,
            except: None,
            id,
            payload: self.payload.clone(),
            sent_at: self.sent_at,
            expires_at: self.expires_at,
            when_offline: self.when_offline,
            kind: Some(self.kind.into()),
            source: Some(source(&self.sender)),
        }
    }
}

/// Returns the source of notifications that a client sends.
fn source(sender: &UserId) -> Box<str> {
    format!("user/{}", sender.as_written()).into()
}

/// Decides a `sendMessage`. The message is held for offline recipients.
pub(crate) fn send_message(
    frame: SendMessage,
    caller: &Caller<'_>,
    config: &EdgeConfig,
) -> Result<SendRequest, SendRefusal> {
    let SendMessage { sessions, idempotency_key, payload } = frame;
    let targets = sessions.into_iter().map(|Session { name, user }| match user {
        Ok(user) => user_target(user, caller, config),
        Err(error) => Ok(Target::Invalid { name, error }),
    });
    let targets = targets.collect::<Result<_, _>>()?;
    send_request(targets, idempotency_key, payload, WhenOffline::Hold, "sendMessage", caller, config)
}

/// Decides a `message`. The message is held for a single user who is offline, and dropped for offline members
/// of a hub.
pub(crate) fn message(
    frame: Message,
    caller: &Caller<'_>,
    config: &EdgeConfig,
) -> Result<SendRequest, SendRefusal> {
    let Message { id: _, idempotency_key, data } = frame;
    let MessageData { content, recipient, recipient_as_sent } = data;
    let (target, when_offline) = match &recipient {
        Recipient::User(user) => (user_target(user.clone(), caller, config)?, WhenOffline::Hold),
        Recipient::Hub(hub) => (hub_target(hub.clone(), caller, config)?, WhenOffline::Drop),
        Recipient::All => (everyone(config)?, WhenOffline::Drop),
    };
    let recipient = match recipient_as_sent {
        Some(recipient) => recipient,
        None => Payload::from_value(&recipient).map_err(SendRefusal::Payload)?,
    };
    let sender = caller.principal.user_id.clone();
    let data = DirectMessageData { content, sender, recipient, timestamp: caller.now };
    let payload = Payload::from_value(&DirectMessage { data }).map_err(SendRefusal::Payload)?;
    send_request(vec![target], idempotency_key, payload, when_offline, "message", caller, config)
}

/// Decides a `sendmessage`. The message is dropped for offline members.
pub(crate) fn broadcast(
    frame: Broadcast,
    caller: &Caller<'_>,
    config: &EdgeConfig,
) -> Result<SendRequest, SendRefusal> {
    let Broadcast { id: _, idempotency_key, message, hub } = frame;
    if config.client_messages == ClientMessagePolicy::Off {
        return Err(SendRefusal::Off);
    }
    let hub = match hub {
        Some(hub) => hub,
        None => caller.hubs.first().cloned().ok_or(SendRefusal::NoHub)?,
    };
    let target = hub_target(hub.clone(), caller, config)?;
    let Principal { user_id, username, .. } = caller.principal;
    let name = shown_name(user_id, username.as_deref());
    let chat = ChatMessage {
        // Two lines: a line break in the message would forge those of another sender.
        message: format!("[{} - UTC]\n {name}  {}\n", utc(caller.now), one_line(&message)),
        text: message,
        sender: user_id.clone(),
        sender_name: username.as_deref().and_then(display_name).map(Into::into),
        hub,
        timestamp: caller.now,
    };
    let payload = Payload::from_value(&chat).map_err(SendRefusal::Payload)?;
    send_request(vec![target], idempotency_key, payload, WhenOffline::Drop, "sendmessage", caller, config)
}

/// Returns the notice for the other members of a hub that `principal` joined or left.
pub(crate) fn presence_notice(
    principal: &Principal,
    event: PresenceEvent,
    hub: HubName,
    id: NotificationId,
    now: Timestamp,
) -> Result<FanOut, SendRefusal> {
    let Principal { user_id, username, .. } = principal;
    let name = shown_name(user_id, username.as_deref());
    let text = match event {
        PresenceEvent::Joined => format!("A new user has joined the chat - {name}"),
        PresenceEvent::Left => format!("A user has left the chat - {name}"),
    };
    let notice = Presence {
        message: text,
        presence: event,
        user_id: user_id.clone(),
        username: username.as_deref().and_then(display_name).map(Into::into),
        hub: hub.clone(),
        timestamp: now,
    };
    let message = ClientMessage {
        payload: Payload::from_value(&notice).map_err(SendRefusal::Payload)?,
        sent_at: now,
        when_offline: WhenOffline::Drop,
        expires_at: None,
        kind: PRESENCE_KIND,
        sender: user_id.clone(),
    };
    Ok(FanOut { except: Some(user_id.clone()), ..message.to_hub(id, hub) })
}

fn send_request(
    targets: Vec<Target>,
    idempotency_key: Option<NotificationId>,
    payload: Payload,
    when_offline: WhenOffline,
    kind: &'static str,
    caller: &Caller<'_>,
    config: &EdgeConfig,
) -> Result<SendRequest, SendRefusal> {
    if is_nested_deeper(payload.get(), config.max_payload_depth) {
        return Err(SendRefusal::TooDeep(config.max_payload_depth));
    }
    let sender = caller.principal.user_id.clone();
    let lifetime = config.client_message_lifetime.filter(|_| when_offline == WhenOffline::Hold);
    let expires_at = lifetime.map(|lifetime| caller.now.plus(lifetime));
    let message = ClientMessage { payload, sent_at: caller.now, when_offline, expires_at, kind, sender };
    // The notification's id will be a UUID, which is shorter than a sequence.
    require_fits(&message.to_user(Sequence::MAX.into(), message.sender.clone()))?;
    Ok(SendRequest { targets, idempotency_key, message })
}

fn user_target(user_id: UserId, caller: &Caller<'_>, config: &EdgeConfig) -> Result<Target, SendRefusal> {
    match config.client_messages {
        ClientMessagePolicy::Off => Err(SendRefusal::Off),
        ClientMessagePolicy::SameHub => Ok(Target::User { user_id, shared_hubs: Some(caller.hubs.to_vec()) }),
        ClientMessagePolicy::Anyone => Ok(Target::User { user_id, shared_hubs: None }),
    }
}

fn hub_target(hub: HubName, caller: &Caller<'_>, config: &EdgeConfig) -> Result<Target, SendRefusal> {
    match config.client_messages {
        ClientMessagePolicy::Off => Err(SendRefusal::Off),
        _ if hub.is_reserved() => Err(SendRefusal::Reserved(hub)),
        ClientMessagePolicy::SameHub if !caller.hubs.contains(&hub) => Err(SendRefusal::OtherHub(hub)),
        ClientMessagePolicy::SameHub | ClientMessagePolicy::Anyone => {
            let name = hub.group().into();
            Ok(Target::Hub { hub, name })
        }
    }
}

fn everyone(config: &EdgeConfig) -> Result<Target, SendRefusal> {
    if config.client_messages == ClientMessagePolicy::Off {
        return Err(SendRefusal::Off);
    }
    let hub = config.everyone.clone().ok_or(SendRefusal::NoEveryone)?;
    Ok(Target::Hub { hub, name: "all".into() })
}

/// Formats a time for people, to the second.
fn utc(time: Timestamp) -> String {
    let millis = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use contract_identity_v1::AuthenticationMethod;
    use contract_notifications_v1::Version1;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn presence_notice_excludes_its_user() {
        let principal = Principal {
            version: Version1,
            user_id: UserId::new("jo").unwrap(),
            username: None,
            method: AuthenticationMethod::Token,
            hubs: Vec::new(),
            expires_at: None,
            source_key: None,
            source_token: None,
        };
        let (hub, id) = (HubName::new("all").unwrap(), NotificationId::new("i").unwrap());
        let notice =
            presence_notice(&principal, PresenceEvent::Joined, hub, id, Timestamp::from_millis(5)).unwrap();
        assert_eq!((notice.except, notice.when_offline), (UserId::new("jo").ok(), WhenOffline::Drop));
        let payload: Value = serde_json::from_str(notice.payload.get()).unwrap();
        assert_eq!(payload["message"], "A new user has joined the chat - jo");
        assert_eq!((&payload["presence"], &payload["userId"]), (&json!("joined"), &json!("jo")));
    }
}
