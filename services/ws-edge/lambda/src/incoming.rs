//! The two kinds of events that invoke this function: events of the WebSocket API, and requests for the
//! history from the REST API.

use aws_lambda_events::event::apigw::ApiGatewayWebsocketProxyRequest;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use shared_ports::{Clock as _, SystemClock};

use crate::history_api::HistoryEvent;

/// A field that every event of a WebSocket API has, and no event of a REST API.
const CONNECTION_ID: &str = "/requestContext/connectionId";

/// An event of either API, recognised by its fields.
pub enum Incoming {
    /// An event of the WebSocket API.
    WebSocket(Box<ApiGatewayWebsocketProxyRequest>),
    /// A request to the REST API.
    History(HistoryEvent),
}

impl<'de> Deserialize<'de> for Incoming {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut event = Value::deserialize(deserializer)?;
        let read = if event.pointer(CONNECTION_ID).is_some() {
            complete(&mut event);
            serde_json::from_value(event).map(|event| Self::WebSocket(Box::new(event)))
        } else {
            serde_json::from_value(event).map(Self::History)
        };
        read.map_err(serde::de::Error::custom)
    }
}

/// Adds what API Gateway always sends and handwritten events often lack: the times of the request and of the
/// connection, which are then now and that of the request, and the type of the event, which its route tells.
fn complete(event: &mut Value) {
    let Some(context) = event.get_mut("requestContext").and_then(Value::as_object_mut) else { return };
    let time = |context: &Map<String, Value>, name| context.get(name).and_then(Value::as_u64);
    let sent = time(context, "requestTimeEpoch").unwrap_or_else(|| SystemClock.now().millis());
    let opened = time(context, "connectedAt").unwrap_or(sent);
    context.insert("requestTimeEpoch".to_owned(), sent.into());
    context.insert("connectedAt".to_owned(), opened.into());
    if context.get("eventType").is_none_or(Value::is_null) {
        let event_type = match context.get("routeKey").and_then(Value::as_str) {
            Some("$connect") => "CONNECT",
            Some("$disconnect") => "DISCONNECT",
            Some(_) => "MESSAGE",
            None => return,
        };
        context.insert("eventType".to_owned(), event_type.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Route, WebSocketEvent};

    #[test]
    fn sample_events_are_told_apart() {
        for event in ["connect", "disconnect", "message", "history-sessions"] {
            let path = format!("{}/events/{event}.json", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).unwrap();
            let is_history = matches!(serde_json::from_str(&text).unwrap(), Incoming::History(_));
            assert_eq!(is_history, event.starts_with("history"), "{event}");
        }
        assert!(serde_json::from_str::<Incoming>("[]").is_err());
    }

    #[test]
    fn handwritten_event_is_completed() {
        let before = SystemClock.now();
        let principal = r#"{"version":1,"userId":"web-123","method":"open"}"#;
        let mut event = serde_json::json!({
            "requestContext": {
                "routeKey": "$connect",
                "connectionId": "abc123",
                "authorizer": { "principal": principal },
            },
            "queryStringParameters": { "client_id": "web-123" },
        });
        let opened_at = |event: &Value| {
            let Incoming::WebSocket(request) = serde_json::from_value(event.clone()).unwrap() else {
                panic!("another API")
            };
            match WebSocketEvent::read(*request).unwrap().route {
                Route::Connect(request) => request.opened_at,
                _ => panic!("another route"),
            }
        };
        assert!(opened_at(&event) >= before);
        event["requestContext"]["requestTimeEpoch"] = 7.into();
        assert_eq!(opened_at(&event).millis(), 7);
        event["requestContext"]["connectedAt"] = 5.into();
        assert_eq!(opened_at(&event).millis(), 5);
    }
}
