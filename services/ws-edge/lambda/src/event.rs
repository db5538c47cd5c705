//! Events of the WebSocket API and their answers
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-requests.html>).

use std::collections::BTreeMap;

use aws_lambda_events::event::apigw::ApiGatewayWebsocketProxyRequest;
use contract_connections_v1::ConnectionId;
use contract_identity_v1::{InvalidContext, Principal};
use contract_notifications_v1::Timestamp;
use serde::Serialize;
use ws_edge::{ClientInfo, ConnectRequest, Inbound};

/// The header that carries subprotocols.
const SUBPROTOCOL_HEADER: &str = "Sec-WebSocket-Protocol";

/// Errors of reading an event.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEvent {
    /// The event has no principal: its route has no authorizer, or another one.
    #[error(
        "the event has no principal from the authorizer; requestContext.authorizer.principal must have one, as in \
         services/ws-edge/lambda/events/connect.json"
    )]
    Principal(#[from] InvalidContext),
    /// A field is missing that every event of a WebSocket API has.
    #[error("the event has no {0}; it must come from a WebSocket API")]
    Missing(&'static str),
}

/// A frame from a client.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// A text frame.
    Text(String),
    /// A binary frame.
    Binary,
}

impl Message {
    /// Returns the frame in the form that the edge takes.
    pub fn inbound(&self) -> Inbound<'_> {
        match self {
            Self::Text(text) => Inbound::Text(text),
            Self::Binary => Inbound::Binary,
        }
    }
}

/// The route of an event.
#[derive(Clone, PartialEq, Eq)]
pub enum Route {
    /// `$connect`: a handshake.
    Connect(ConnectRequest),
    /// `$disconnect`: the end of a connection.
    Disconnect {
        /// Time at which the connection began.
        opened_at: Timestamp,
    },
    /// Any other route: a frame.
    Message(Message),
}

/// An event of the WebSocket API.
#[derive(Clone, PartialEq, Eq)]
pub struct WebSocketEvent {
    /// The identity that the handshake proved.
    pub principal: Principal,
    /// The connection.
    pub connection_id: ConnectionId,
    /// Id of the event in logs and error frames.
    pub request_id: String,
    /// The route, with its data.
    pub route: Route,
}

impl WebSocketEvent {
    /// Reads an event as API Gateway sends it.
    ///
    /// # Errors
    /// [`InvalidEvent`] if it is not an event of a WebSocket API with Tidings' authorizer.
    pub fn read(request: ApiGatewayWebsocketProxyRequest) -> Result<Self, InvalidEvent> {
        let context = request.request_context;
        let fields = context.authorizer.fields.into_iter();
        let texts: BTreeMap<String, String> =
            fields.filter_map(|(key, value)| value.as_str().map(|text| (key, text.to_owned()))).collect();
        let principal = Principal::from_context(&texts)?;
        let connection_id =
            ConnectionId::new(context.connection_id.ok_or(InvalidEvent::Missing("connectionId"))?);
        // API Gateway's time, which is the same in all events of a connection.
        let opened_at = Timestamp::from_millis(u64::try_from(context.connected_at).unwrap_or_default());
        let route = match context.event_type.as_deref() {
            Some("CONNECT") => {
                let pairs = request.query_string_parameters.iter();
                let query = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                let offers = request.headers.get_all(SUBPROTOCOL_HEADER).into_iter();
                let subprotocols = offers
                    .filter_map(|value| value.to_str().ok())
                    .flat_map(|list| list.split(','))
                    .map(|offer| offer.trim().to_owned())
                    .collect();
                let identity = context.identity;
                let source_ip = identity.source_ip.unwrap_or_default();
                let client = ClientInfo { source_ip, user_agent: identity.user_agent };
                let connection_id = connection_id.clone();
                // The stack has no guests.
                let guest_of = None;
                Route::Connect(ConnectRequest {
                    connection_id,
                    query,
                    subprotocols,
                    opened_at,
                    client,
                    guest_of,
                })
            }
            Some("DISCONNECT") => Route::Disconnect { opened_at },
            Some("MESSAGE") if request.is_base64_encoded => Route::Message(Message::Binary),
            Some("MESSAGE") => Route::Message(Message::Text(request.body.unwrap_or_default())),
            _ => return Err(InvalidEvent::Missing("eventType")),
        };
        Ok(Self { principal, connection_id, request_id: context.request_id.unwrap_or_default(), route })
    }
}

/// An answer. API Gateway only logs the body of an answer to `$connect`. It sends the body of an answer to a
/// frame to the client, if the route has a route response. It has no `Debug`: its headers may have the credential.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl Answer {
    /// Creates an answer with a JSON body.
    pub fn json(status_code: u16, body: &impl Serialize) -> Self {
        let headers = BTreeMap::from([("Content-Type", "application/json".to_owned())]);
        // Bodies are structs of texts and numbers, which always serialize.
        Self { status_code, headers, body: Some(serde_json::to_string(body).unwrap_or_default()) }
    }

    /// Creates an answer without a body.
    pub const fn status(status_code: u16) -> Self {
        Self { status_code, headers: BTreeMap::new(), body: None }
    }

    /// Creates an answer with a text body.
    pub const fn text(status_code: u16, body: String) -> Self {
        Self { status_code, headers: BTreeMap::new(), body: Some(body) }
    }

    /// Creates the answer that completes a handshake, with the subprotocol to use.
    pub fn connected(subprotocol: Option<String>) -> Self {
        let headers = subprotocol.map(|subprotocol| (SUBPROTOCOL_HEADER, subprotocol));
        Self { status_code: 200, headers: headers.into_iter().collect(), body: None }
    }
}

#[cfg(test)]
mod tests {
    use contract_identity_v1::AuthenticationMethod;

    use super::*;

    const CONNECT: &str = include_str!("../events/connect.json");
    const DISCONNECT: &str = include_str!("../events/disconnect.json");
    const MESSAGE: &str = include_str!("../events/message.json");

    fn read(event: &str) -> WebSocketEvent {
        WebSocketEvent::read(serde_json::from_str(event).unwrap()).unwrap()
    }

    #[test]
    fn handshake_is_parsed() {
        let WebSocketEvent { principal, connection_id, request_id, route } = read(CONNECT);
        assert_eq!((principal.user_id.as_str(), principal.method), ("alice", AuthenticationMethod::Token));
        assert_eq!((connection_id.as_str(), request_id.as_str()), ("L0SM9cOFvHcCIhw=", "L0SM9EHGvHcFsYg="));
        let Route::Connect(request) = route else { panic!("another route") };
        assert_eq!(request.connection_id, connection_id);
        assert_eq!(request.opened_at.millis(), 1_767_225_600_000);
        assert_eq!(request.client.source_ip, "203.0.113.7");
        assert!(request.query.contains(&("acknowledge".to_owned(), "true".to_owned())));
        assert_eq!(request.subprotocols, ["tidings.v1"]);
    }

    #[test]
    fn frame_and_disconnect_are_parsed() {
        assert!(matches!(read(DISCONNECT).route, Route::Disconnect { .. }));
        let text = r#"{"action":"ack","sequences":["18849496460467696128"]}"#;
        assert!(read(MESSAGE).route == Route::Message(Message::Text(text.to_owned())));
        let binary = MESSAGE.replace(r#""isBase64Encoded": false"#, r#""isBase64Encoded": true"#);
        assert!(read(&binary).route == Route::Message(Message::Binary));
    }

    #[test]
    fn event_without_principal_is_refused() {
        let stranger = MESSAGE.replace("\"principal\"", "\"other\"");
        let error = WebSocketEvent::read(serde_json::from_str(&stranger).unwrap()).err().unwrap();
        assert!(matches!(error, InvalidEvent::Principal(InvalidContext::Missing)), "{error}");
    }

    #[test]
    fn authorizer_refusal_is_not_a_principal() {
        let refused = CONNECT.replacen("\"principal\"", "\"refusal\": \"400\", \"principal\"", 1);
        let error = WebSocketEvent::read(serde_json::from_str(&refused).unwrap()).err().unwrap();
        assert!(matches!(error, InvalidEvent::Principal(InvalidContext::Refused { status: 400 })), "{error}");
    }

    #[test]
    fn answers_have_api_gateways_form() {
        let json = |answer: &Answer| serde_json::to_string(answer).unwrap();
        assert_eq!(
            json(&Answer::connected(Some("tidings.v1".to_owned()))),
            r#"{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"tidings.v1"}}"#
        );
        assert_eq!(json(&Answer::connected(None)), r#"{"statusCode":200}"#);
        assert_eq!(json(&Answer::text(400, "no".to_owned())), r#"{"statusCode":400,"body":"no"}"#);
    }
}
