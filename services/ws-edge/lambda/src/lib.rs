//! The edge on Lambda: answers the routes of the WebSocket API and the readers of the history, and gives the
//! service its ports on DynamoDB.

mod config;
mod connections;
mod event;
mod history;
mod history_door;
mod hubs;
mod incoming;
mod mailbox;
mod outbox;
mod rates;

use aws_config::SdkConfig;
use aws_lambda_events::event::apigw::ApiGatewayWebsocketProxyRequest;
use contract_identity_v1::InvalidContext;
use shared_aws::{Invocation, management_client};
use shared_ports::SystemClock;
use ws_edge::{Edge, MessageRequest};

pub use config::Config;
pub use connections::DynamoConnections;
pub use event::{Answer, InvalidEvent, Route, WebSocketEvent};
pub use history::DynamoHistory;
pub use history_door::HistoryEvent;
pub use hubs::DynamoHubs;
pub use incoming::Incoming;
pub use mailbox::DynamoMailbox;
pub use outbox::SqsOutbox;
pub use rates::DynamoRates;

/// The edge over AWS.
pub struct Function {
    service: Edge<
        DynamoConnections,
        DynamoMailbox,
        SystemClock,
        DynamoHubs,
        SqsOutbox,
        DynamoRates,
        Option<DynamoHistory<SystemClock>>,
    >,
}

impl Function {
    /// Puts the edge together.
    pub fn new(config: &Config, sdk: &SdkConfig) -> Self {
        // One client for all tables: to make one is a good part of a start, and each would resolve endpoint and
        // credentials anew.
        let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
        let management = management_client(sdk, &config.management_endpoint);
        let history = config.history.as_ref();
        let history =
            history.map(|(table, lifetime)| DynamoHistory::new(&dynamodb, table, *lifetime, SystemClock));
        let service = Edge {
            connections: DynamoConnections::new(&dynamodb, &config.connections_table, management),
            mailbox: DynamoMailbox::new(&dynamodb, &config.mailbox_table, config.retry),
            clock: SystemClock,
            hubs: DynamoHubs::new(&dynamodb, &config.hubs_table, config.retry),
            outbox: SqsOutbox::new(&aws_sdk_sqs::Client::new(sdk), &config.notifications_queue),
            rates: DynamoRates::new(&dynamodb, &config.rates_table),
            history,
            config: config.edge.clone(),
        };
        Self { service }
    }

    /// Answers one event. What can't be answered is 500, with the reason in the log.
    pub async fn invoke(&self, invocation: Invocation<Incoming>) -> Answer {
        match invocation.event {
            Incoming::WebSocket(request) => self.answer_websocket(*request).await,
            Incoming::History(event) => history_door::answer(&self.service.history, event).await,
        }
    }

    async fn answer_websocket(&self, request: ApiGatewayWebsocketProxyRequest) -> Answer {
        let event = match WebSocketEvent::read(request) {
            Ok(event) => event,
            // The authorizer has logged why.
            Err(InvalidEvent::Principal(InvalidContext::Refused { status })) => {
                return Answer::status(status);
            }
            Err(error) => {
                let error = shared_telemetry::chain(&error);
                tracing::error!(error, "an event of the WebSocket API can't be read");
                return Answer::status(500);
            }
        };
        self.answer(event).await
    }

    async fn answer(&self, event: WebSocketEvent) -> Answer {
        let WebSocketEvent { principal, connection_id, request_id, route } = event;
        match route {
            Route::Connect(request) => match self.service.connect(&principal, request).await {
                Ok(admission) => Answer::connected(admission.subprotocol),
                Err(error) => {
                    let status = error.status();
                    if status >= 500 {
                        let error = shared_telemetry::chain(&error);
                        tracing::error!(error, "a connection could not be stored");
                    }
                    Answer::text(status, error.to_string())
                }
            },
            Route::Disconnect { opened_at } => {
                match self.service.disconnect(&principal, &connection_id, opened_at).await {
                    Ok(()) => Answer::status(200),
                    Err(error) => {
                        // The dispatcher finds it gone, and the row expires.
                        let error = shared_telemetry::chain(&error);
                        tracing::warn!(error, "a connection's row could not be deleted");
                        Answer::status(500)
                    }
                }
            }
            Route::Message(message) => {
                let request = MessageRequest {
                    connection_id: &connection_id,
                    request_id: &request_id,
                    frame: message.inbound(),
                };
                match self.service.message(&principal, request).await {
                    Some(frame) => Answer::text(200, frame.to_json()),
                    None => Answer::status(200),
                }
            }
        }
    }
}
