//! The two kinds of events that invoke this function: events of the WebSocket API, and requests for the
//! history from the REST API.

use aws_lambda_events::event::apigw::ApiGatewayWebsocketProxyRequest;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

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
        let event = Value::deserialize(deserializer)?;
        let read = if event.pointer(CONNECTION_ID).is_some() {
            serde_json::from_value(event).map(|event| Self::WebSocket(Box::new(event)))
        } else {
            serde_json::from_value(event).map(Self::History)
        };
        read.map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
