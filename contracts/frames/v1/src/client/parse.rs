//! Parses a client's frame: first its action, then the fields of that action.

use std::borrow::Cow;

use contract_history_v1::{HistoryKind, MAX_PAGE};
use contract_notifications_v1::{HubName, InvalidIdentifier, NotificationId, Payload, UserId};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use super::frame::{
    Broadcast, ClientFrame, HistoryQuery, MAX_ACK_SEQUENCES, MAX_MEMBERS, MAX_SESSIONS, MembersQuery,
    Message, MessageData, Recipient, SendMessage, Session,
};
use super::invalid::{InvalidFrame, named_field};
use super::strip::without_members;

impl ClientFrame {
    /// Parses a client's frame. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`InvalidFrame`] with what is wrong and what is allowed.
    pub fn from_json(text: &str) -> Result<Self, InvalidFrame> {
        #[derive(Deserialize)]
        struct Tag {
            action: Option<String>,
        }
        // A derived struct would also be read from an array of its fields.
        if text.trim_start().starts_with('[') {
            return Err(InvalidFrame::Json(de::Error::custom("an array, not an object")));
        }
        let Tag { action } = serde_json::from_str(text).map_err(|error| without_action(text, error))?;
        match action.ok_or(InvalidFrame::MissingAction)?.as_str() {
            "sendMessage" => send_message(text),
            "message" => message(text),
            "sendmessage" => broadcast(text),
            "ping" => Ok(Self::Ping),
            "ack" => ack(text),
            "history" => history(text),
            "members" => members(text),
            "whoami" => Ok(Self::Whoami),
            other => Err(InvalidFrame::UnknownAction { found: other.chars().take(64).collect() }),
        }
    }
}

/// Returns the error about a frame whose action can't be read.
fn without_action(text: &str, error: serde_json::Error) -> InvalidFrame {
    if let Some(field) = repeated_field(&error) {
        return InvalidFrame::Repeated { field };
    }
    // In an object the action is all that can have a wrong type.
    if error.is_data() && text.trim_start().starts_with('{') {
        return InvalidFrame::ActionNotText;
    }
    InvalidFrame::Json(error)
}

/// Returns the field that a struct of ours has and the text has twice, if that is the error.
fn repeated_field(error: &serde_json::Error) -> Option<String> {
    named_field(error, "duplicate field")
}

/// Parses the fields of an action.
fn fields<'a, T: Deserialize<'a>>(
    text: &'a str,
    action: &'static str,
    expected: &'static str,
) -> Result<T, InvalidFrame> {
    serde_json::from_str(text).map_err(|source| match repeated_field(&source) {
        Some(field) => InvalidFrame::Repeated { field },
        None => InvalidFrame::Form { action, expected, source },
    })
}

fn ack(text: &str) -> Result<ClientFrame, InvalidFrame> {
    #[derive(Deserialize)]
    struct Fields {
        sequences: Vec<String>,
    }
    let Fields { sequences } = fields(text, "ack", r#"{"action":"ack","sequences":["…"]}"#)?;
    if sequences.len() > MAX_ACK_SEQUENCES {
        return Err(InvalidFrame::TooManySequences { found: sequences.len() });
    }
    let sequences = sequences.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    Ok(ClientFrame::Ack { sequences })
}

fn send_message(text: &str) -> Result<ClientFrame, InvalidFrame> {
    const ACTION: &str = "sendMessage";
    const EXPECTED: &str = r#"{"action":"sendMessage","sessions":["…"], …}"#;
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Fields<'a> {
        #[serde(borrow, default)]
        sessions: Vec<&'a RawValue>,
        idempotency_key: Option<String>,
    }
    let Fields { sessions, idempotency_key } = fields(text, ACTION, EXPECTED)?;
    if !(1..=MAX_SESSIONS).contains(&sessions.len()) {
        return Err(InvalidFrame::Sessions { found: sessions.len() });
    }
    let sessions = sessions.into_iter().map(session).collect();
    let payload = without_members(text, &["sessions", "idempotencyKey"])
        .map_err(|source| InvalidFrame::Form { action: ACTION, expected: EXPECTED, source })?;
    let idempotency_key = self::idempotency_key(idempotency_key)?;
    Ok(ClientFrame::SendMessage(SendMessage { sessions, idempotency_key, payload }))
}

/// Reads one session. Its name is kept although no user may have it.
fn session(json: &RawValue) -> Session {
    match serde_json::from_str::<String>(json.get()) {
        Ok(name) => Session { user: UserId::new(name.as_str()), name: name.into() },
        Err(_) => {
            Session { name: json.get().into(), user: Err(InvalidIdentifier::NotText { what: "user id" }) }
        }
    }
}

fn message(text: &str) -> Result<ClientFrame, InvalidFrame> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum To<'a> {
        Text(#[serde(borrow)] Cow<'a, str>),
        Named { user: Option<String>, hub: Option<String> },
    }
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        content: &'a RawValue,
        // Required: who forgets it does not mean everyone.
        #[serde(borrow)]
        recipient: &'a RawValue,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Fields<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        idempotency_key: Option<String>,
        // Ignored, it would make a message to everyone of one to somebody.
        #[serde(borrow)]
        recipient: Option<&'a RawValue>,
    }
    const ACTION: &str = "message";
    const EXPECTED: &str = r#"{"action":"message","data":{"content":…,"recipient":"all"}}, where the recipient is "all", a user, {"user":"…"} or {"hub":"…"}"#;
    let Fields { data, id, idempotency_key, recipient: misplaced } = fields(text, ACTION, EXPECTED)?;
    if misplaced.is_some() {
        let source = de::Error::custom("the recipient is beside data");
        return Err(InvalidFrame::Form { action: ACTION, expected: EXPECTED, source });
    }
    // A text alone goes to everyone.
    let data = if data.get().starts_with('"') {
        MessageData { content: data.into(), recipient: Recipient::All, recipient_as_sent: None }
    } else {
        if data.get().starts_with('[') {
            let source = de::Error::custom("an array, not an object");
            return Err(InvalidFrame::Form { action: ACTION, expected: EXPECTED, source });
        }
        let Data { content, recipient } = fields(data.get(), ACTION, EXPECTED)?;
        let recipient_as_sent = Some(Payload::from(recipient));
        let recipient = match fields::<To<'_>>(recipient.get(), ACTION, EXPECTED)? {
            To::Text(text) if text == "all" => Recipient::All,
            To::Text(text) => Recipient::User(UserId::new(text.as_ref())?),
            To::Named { user: Some(user), hub: None } => Recipient::User(UserId::new(user)?),
            To::Named { user: None, hub: Some(hub) } => Recipient::Hub(HubName::new(hub)?),
            To::Named { user: Some(_), hub: Some(_) } => return Err(InvalidFrame::UserAndHub),
            To::Named { user: None, hub: None } => {
                let source = de::Error::missing_field("user");
                return Err(InvalidFrame::Form { action: ACTION, expected: EXPECTED, source });
            }
        };
        MessageData { content: Payload::from(content), recipient, recipient_as_sent }
    };
    let (id, idempotency_key) = (id.map(Payload::from), self::idempotency_key(idempotency_key)?);
    Ok(ClientFrame::Message(Message { id, idempotency_key, data }))
}

fn broadcast(text: &str) -> Result<ClientFrame, InvalidFrame> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Fields<'a> {
        message: Box<str>,
        hub: Option<String>,
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        idempotency_key: Option<String>,
    }
    let expected = r#"{"action":"sendmessage","message":"…"}"#;
    let Fields { message, hub, id, idempotency_key } = fields(text, "sendmessage", expected)?;
    if message.is_empty() {
        return Err(InvalidFrame::EmptyMessage);
    }
    let hub = hub.map(HubName::new).transpose()?;
    let (id, idempotency_key) = (id.map(Payload::from), self::idempotency_key(idempotency_key)?);
    Ok(ClientFrame::Broadcast(Broadcast { id, idempotency_key, message, hub }))
}

fn history(text: &str) -> Result<ClientFrame, InvalidFrame> {
    #[derive(Deserialize)]
    struct Fields {
        of: Option<HistoryKind>,
        before: Option<Box<str>>,
        limit: Option<usize>,
    }
    let expected = r#"{"action":"history","of":"messages","before":"…","limit":…}, where "of" is "messages" or "sessions""#;
    let Fields { of, before, limit } = fields(text, "history", expected)?;
    require_limit(limit, MAX_PAGE)?;
    let of = of.unwrap_or(HistoryKind::Messages);
    Ok(ClientFrame::History(HistoryQuery { of, before, limit }))
}

fn members(text: &str) -> Result<ClientFrame, InvalidFrame> {
    #[derive(Deserialize)]
    struct Fields {
        hub: Option<String>,
        after: Option<String>,
        limit: Option<usize>,
    }
    let expected = r#"{"action":"members","hub":"…","after":"…","limit":…}"#;
    let Fields { hub, after, limit } = fields(text, "members", expected)?;
    require_limit(limit, MAX_MEMBERS)?;
    let (hub, after) = (hub.map(HubName::new).transpose()?, after.map(UserId::new).transpose()?);
    Ok(ClientFrame::Members(MembersQuery { hub, after, limit }))
}

fn require_limit(limit: Option<usize>, most: usize) -> Result<(), InvalidFrame> {
    match limit.filter(|limit| !(1..=most).contains(limit)) {
        Some(found) => Err(InvalidFrame::Limit { found, most }),
        None => Ok(()),
    }
}

fn idempotency_key(key: Option<String>) -> Result<Option<NotificationId>, InvalidFrame> {
    key.map(NotificationId::new).transpose().map_err(InvalidFrame::IdempotencyKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_is_not_a_frame() {
        for text in ["[]", r#"["ping"]"#, r#" ["ack", ["1"]]"#] {
            assert!(matches!(ClientFrame::from_json(text), Err(InvalidFrame::Json(_))), "{text}");
        }
    }

    #[test]
    fn mistakes_in_action_and_fields_are_named() {
        for (text, expected) in [
            ("{}", "the field \"action\" is missing; actions are sendMessage,"),
            (r#"{"action":null}"#, "the field \"action\" is missing; actions are sendMessage,"),
            (r#"{"action":7}"#, "the field \"action\" is not a text; actions are sendMessage,"),
            (r#"{"action":"ping","action":"whoami"}"#, "the field \"action\" is given twice"),
            (r#"{"action":"ack","sequences":[],"sequences":[]}"#, "the field \"sequences\" is given twice"),
            (
                r#"{"action":"message","data":{"content":1,"content":2}}"#,
                "the field \"content\" is given twice",
            ),
            (r#"{"action":"ack"}"#, "; the field \"sequences\" is missing"),
            (r#"{"action":"message","data":{}}"#, "; the field \"content\" is missing"),
            (r#"{"action":"message","data":"x","recipient":"al"}"#, "not of the expected form"),
            (r#"{"action":"message","data":{"content":1}}"#, "; the field \"recipient\" is missing"),
            (r#"{"action":"message","data":{"content":1,"recipient":null}}"#, "not of the expected form"),
            (
                r#"{"action":"message","data":{"content":1,"recipient":{"user":"a","hub":"b"}}}"#,
                "names a user and a hub",
            ),
            (r#"{"action":"message","data":{"content":1,"recipient":{}}}"#, "not of the expected form"),
            (r#"{"action":"message","data":"x","idempotencyKey":""}"#, "the field \"idempotencyKey\""),
            (r#"{"action":"ping""#, "the frame is not a JSON object"),
            ("7", "the frame is not a JSON object"),
        ] {
            let message = ClientFrame::from_json(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
        let unknown = ClientFrame::from_json(r#"{"action":""}"#).unwrap_err();
        assert!(matches!(unknown, InvalidFrame::UnknownAction { .. }), "{unknown}");
    }

    fn recipient(data: &str) -> Recipient {
        match ClientFrame::from_json(&format!(r#"{{"action":"message","data":{data}}}"#)).unwrap() {
            ClientFrame::Message(message) => message.data.recipient,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn recipient_has_several_forms() {
        let user = |text: &str| Recipient::User(UserId::new(text).unwrap());
        assert_eq!(recipient(r#"{"content":1,"recipient":"all"}"#), Recipient::All);
        assert_eq!(recipient(r#""hello""#), Recipient::All);
        assert_eq!(recipient(r#"{"content":1,"recipient":"bob"}"#), user("bob"));
        assert_eq!(recipient(r#"{"content":1,"recipient":{"user":"all"}}"#), user("all"));
        assert_eq!(recipient(r#"{"content":1,"recipient":{"user":"bob","hub":null}}"#), user("bob"));
        let hub = Recipient::Hub(HubName::new("team").unwrap());
        assert_eq!(recipient(r#"{"content":1,"recipient":{"hub":"team"}}"#), hub);
    }

    #[test]
    fn send_message_payload_has_no_sessions() {
        let text = r#"{"action":"sendMessage","sessions":["s1","s2"],"price":1.50e0,"to":{"sessions":[]}}"#;
        let ClientFrame::SendMessage(send) = ClientFrame::from_json(text).unwrap() else {
            panic!("another action")
        };
        assert_eq!(send.payload.get(), r#"{"action":"sendMessage","price":1.50e0,"to":{"sessions":[]}}"#);
        assert_eq!(send.sessions.iter().map(|session| &*session.name).collect::<Vec<_>>(), ["s1", "s2"]);
    }

    #[test]
    fn unusable_session_fails_alone() {
        let text = r#"{"action":"sendMessage","sessions":["s1","",7,"José",{"s":1}]}"#;
        let ClientFrame::SendMessage(send) = ClientFrame::from_json(text).unwrap() else {
            panic!("another action")
        };
        let sessions: Vec<_> =
            send.sessions.iter().map(|session| (&*session.name, session.user.is_ok())).collect();
        assert_eq!(
            sessions,
            [("s1", true), ("", false), ("7", false), ("José", true), (r#"{"s":1}"#, false)]
        );
        assert_eq!(ClientFrame::SendMessage(send).to_json(), text);
    }

    #[test]
    fn id_is_the_clients_own() {
        for id in ["7", r#""order 17""#, "null", "[1]"] {
            for rest in [
                r#""sendMessage","sessions":["s"]"#,
                r#""message","data":"x""#,
                r#""sendmessage","message":"x""#,
            ] {
                let text = format!(r#"{{"action":{rest},"id":{id},"idempotencyKey":"k"}}"#);
                let key = match ClientFrame::from_json(&text).unwrap() {
                    ClientFrame::SendMessage(frame) => {
                        assert_eq!(frame.payload.get(), format!(r#"{{"action":"sendMessage","id":{id}}}"#));
                        frame.idempotency_key
                    }
                    ClientFrame::Message(frame) => frame.idempotency_key,
                    ClientFrame::Broadcast(frame) => frame.idempotency_key,
                    other => panic!("{other:?}"),
                };
                assert_eq!(key, NotificationId::new("k").ok(), "{text}");
            }
        }
    }

    #[test]
    fn recipient_is_kept_as_sent() {
        for sent in [r#""bob""#, r#"{"user":"bob"}"#, r#"{ "hub": "team", "x": 1.0 }"#] {
            let text = format!(r#"{{"action":"message","data":{{"content":1,"recipient":{sent}}}}}"#);
            let ClientFrame::Message(message) = ClientFrame::from_json(&text).unwrap() else {
                panic!("another action")
            };
            assert_eq!(message.data.recipient_as_sent.as_ref().unwrap().get(), sent);
            assert_eq!(ClientFrame::Message(message).to_json(), text);
        }
    }
}
