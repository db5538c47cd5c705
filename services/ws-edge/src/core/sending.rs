//! What clients send to each other: to whom, and what it becomes.

use contract_frames_v1::{
    Broadcast, ChatMessage, DirectMessage, DirectMessageData, FrameTooLarge, Message, MessageData, Presence,
    PresenceEvent, Recipient, SendMessage, require_fits,
};
use contract_identity_v1::Principal;
use contract_notifications_v1::{
    FanOut, HubName, Notification, NotificationId, Payload, Sequence, Timestamp, UserId, WhenOffline,
};

use super::frame::Caller;
use crate::{EdgeConfig, SendPolicy};

/// Whom something is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One user.
    User {
        /// Who.
        user_id: UserId,
        /// The hubs of which the user must be in one, or is not sent to; none, when anyone may be sent to.
        shared: Option<Vec<HubName>>,
    },
    /// All members of a hub.
    Hub {
        /// Which.
        hub: HubName,
        /// As it was named.
        name: Box<str>,
    },
}

impl Target {
    /// How the answer names it.
    pub fn name(&self) -> &str {
        match self {
            Self::User { user_id, .. } => user_id.as_str(),
            Self::Hub { name, .. } => name,
        }
    }
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOrder {
    /// To whom; at least one.
    pub targets: Vec<Target>,
    /// The sender's idempotency key, if there is one.
    pub id: Option<NotificationId>,
    /// What.
    pub letter: Letter,
}

/// What is sent, whoever it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The payload.
    pub payload: Payload,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What becomes of it for a user who is not there.
    pub when_offline: WhenOffline,
    /// The action it came by.
    pub kind: &'static str,
    /// Who sent it.
    pub sender: UserId,
}

/// Why a message is not sent. The text is for the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSent {
    /// Clients of this gateway don't send.
    #[error("clients of this gateway don't send to each other")]
    Off,
    /// There is no hub of everyone.
    #[error("this gateway has no hub that everyone is in; name a user or a hub")]
    NoEveryone,
    /// The sender is in no hub.
    #[error("you are in no hub that the message could go to")]
    NoHub,
    /// The sender is not in the hub.
    #[error("you are not in the hub {0:?}, and may send to your own hubs alone")]
    OtherHub(HubName),
    /// The hub is the gateway's own.
    #[error("nobody but the gateway sends to the hub {0:?}")]
    Reserved(HubName),
    /// No frame could carry it.
    #[error(transparent)]
    TooLarge(#[from] FrameTooLarge),
    /// It could not be written as JSON.
    #[error("the message could not be written")]
    Payload(#[source] serde_json::Error),
}

impl Letter {
    /// The notification of one user.
    pub fn to_user(&self, id: NotificationId, user_id: UserId) -> Notification {
        Notification {
            id,
            user_id,
            payload: self.payload.clone(),
            sent_at: self.sent_at,
            expires_at: None,
            when_offline: self.when_offline,
            kind: Some(self.kind.into()),
            source: Some(source(&self.sender)),
        }
    }

    /// The entry that stands for all members of a hub.
    pub fn to_hub(&self, id: NotificationId, hub: HubName) -> FanOut {
        FanOut {
            hub,
            after: None,
            except: None,
            id,
            payload: self.payload.clone(),
            sent_at: self.sent_at,
            expires_at: None,
            when_offline: self.when_offline,
            kind: Some(self.kind.into()),
            source: Some(source(&self.sender)),
        }
    }
}

/// How notifications name the client they come from.
fn source(sender: &UserId) -> Box<str> {
    format!("user/{sender}").into()
}

/// Decides a `sendMessage`: held for whoever is not there.
pub(crate) fn send_message(
    frame: SendMessage,
    caller: &Caller<'_>,
    config: &EdgeConfig,
) -> Result<SendOrder, NotSent> {
    let SendMessage { sessions, id, payload } = frame;
    let targets = sessions.into_iter().map(|user| user_target(user, caller, config));
    let targets = targets.collect::<Result<_, _>>()?;
    order(targets, id, payload, WhenOffline::Hold, "sendMessage", caller)
}

/// Decides a `message`: held for a user who is not there, and not for a hub's members.
pub(crate) fn message(
    frame: Message,
    caller: &Caller<'_>,
    config: &EdgeConfig,
) -> Result<SendOrder, NotSent> {
    let Message { id, data: MessageData { content, recipient } } = frame;
    let (target, when_offline) = match &recipient {
        Recipient::User(user) => (user_target(user.clone(), caller, config)?, WhenOffline::Hold),
        Recipient::Hub(hub) => (hub_target(hub.clone(), caller, config)?, WhenOffline::Drop),
        Recipient::All => (everyone(config)?, WhenOffline::Drop),
    };
    let sender = caller.principal.user_id.clone();
    let data = DirectMessageData { content, sender, recipient, timestamp: caller.now };
    let payload = Payload::from_value(&DirectMessage { data }).map_err(NotSent::Payload)?;
    order(vec![target], id, payload, when_offline, "message", caller)
}

/// Decides a `sendmessage`: for those who are there.
pub(crate) fn broadcast(
    frame: Broadcast,
    caller: &Caller<'_>,
    config: &EdgeConfig,
) -> Result<SendOrder, NotSent> {
    let Broadcast { id, message, hub } = frame;
    if config.sending == SendPolicy::Off {
        return Err(NotSent::Off);
    }
    let hub = match hub {
        Some(hub) => hub,
        None => caller.hubs.first().cloned().ok_or(NotSent::NoHub)?,
    };
    let target = hub_target(hub.clone(), caller, config)?;
    let Principal { user_id, username, .. } = caller.principal;
    let name = username.as_deref().unwrap_or(user_id.as_str());
    let chat = ChatMessage {
        message: format!("[{} - UTC]\n {name}  {message}\n", utc(caller.now)),
        text: message,
        sender: user_id.clone(),
        sender_name: username.as_deref().map(Into::into),
        hub,
        timestamp: caller.now,
    };
    let payload = Payload::from_value(&chat).map_err(NotSent::Payload)?;
    order(vec![target], id, payload, WhenOffline::Drop, "sendmessage", caller)
}

/// What the members of a hub are told when `principal` comes or goes.
pub(crate) fn presence(
    principal: &Principal,
    event: PresenceEvent,
    hub: HubName,
    id: NotificationId,
    now: Timestamp,
) -> Result<FanOut, NotSent> {
    let Principal { user_id, username, .. } = principal;
    let name = username.as_deref().unwrap_or(user_id.as_str());
    let message = match event {
        PresenceEvent::Joined => format!("A new user has joined the chat - {name}"),
        PresenceEvent::Left => format!("A user has left the chat - {name}"),
    };
    let notice = Presence {
        message,
        presence: event,
        user_id: user_id.clone(),
        username: username.as_deref().map(Into::into),
        hub: hub.clone(),
        timestamp: now,
    };
    let letter = Letter {
        payload: Payload::from_value(&notice).map_err(NotSent::Payload)?,
        sent_at: now,
        when_offline: WhenOffline::Drop,
        kind: "presence",
        sender: user_id.clone(),
    };
    Ok(FanOut { except: Some(user_id.clone()), ..letter.to_hub(id, hub) })
}

fn order(
    targets: Vec<Target>,
    id: Option<NotificationId>,
    payload: Payload,
    when_offline: WhenOffline,
    kind: &'static str,
    caller: &Caller<'_>,
) -> Result<SendOrder, NotSent> {
    let sender = caller.principal.user_id.clone();
    let letter = Letter { payload, sent_at: caller.now, when_offline, kind, sender };
    // The id that it gets is a UUID, which is shorter than a sequence.
    require_fits(&letter.to_user(Sequence::MAX.into(), letter.sender.clone()))?;
    Ok(SendOrder { targets, id, letter })
}

fn user_target(user_id: UserId, caller: &Caller<'_>, config: &EdgeConfig) -> Result<Target, NotSent> {
    match config.sending {
        SendPolicy::Off => Err(NotSent::Off),
        SendPolicy::SameHub => Ok(Target::User { user_id, shared: Some(caller.hubs.to_vec()) }),
        SendPolicy::Anyone => Ok(Target::User { user_id, shared: None }),
    }
}

fn hub_target(hub: HubName, caller: &Caller<'_>, config: &EdgeConfig) -> Result<Target, NotSent> {
    match config.sending {
        SendPolicy::Off => Err(NotSent::Off),
        _ if hub.is_reserved() => Err(NotSent::Reserved(hub)),
        SendPolicy::SameHub if !caller.hubs.contains(&hub) => Err(NotSent::OtherHub(hub)),
        SendPolicy::SameHub | SendPolicy::Anyone => {
            let name = hub.group().into();
            Ok(Target::Hub { hub, name })
        }
    }
}

fn everyone(config: &EdgeConfig) -> Result<Target, NotSent> {
    if config.sending == SendPolicy::Off {
        return Err(NotSent::Off);
    }
    let hub = config.everyone.clone().ok_or(NotSent::NoEveryone)?;
    Ok(Target::Hub { hub, name: "all".into() })
}

/// A time as people read it, to the second.
fn utc(time: Timestamp) -> String {
    let millis = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;
