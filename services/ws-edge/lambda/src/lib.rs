//! The edge on Lambda. One function answers the routes of the WebSocket API, and the requests of operators for
//! a user's history, which come through the REST API. The edge's ports are on DynamoDB, SQS and API Gateway.

mod config;
mod connections;
mod event;
mod history;
mod history_api;
mod hubs;
mod incoming;
mod mailbox;
mod message_queue;
mod rate_limits;

use aws_config::SdkConfig;
use aws_lambda_events::event::apigw::ApiGatewayWebsocketProxyRequest;
use contract_identity_v1::InvalidContext;
use shared_aws::{Invocation, management_client};
use shared_ports::SystemClock;
use ws_edge::ports::Ports;
use ws_edge::{Edge, MessageRequest};

pub use config::Config;
pub use connections::DynamoConnections;
pub use event::{Answer, InvalidEvent, Route, WebSocketEvent};
pub use history::DynamoHistory;
pub use history_api::HistoryEvent;
pub use hubs::DynamoHubs;
pub use incoming::Incoming;
pub use mailbox::DynamoMailbox;
pub use message_queue::SqsMessageQueue;
pub use rate_limits::DynamoRateLimits;

/// The ports of the edge on AWS.
struct AwsPorts;

impl Ports for AwsPorts {
    type Connections = DynamoConnections;
    type Mailbox = DynamoMailbox;
    type Clock = SystemClock;
    type Hubs = DynamoHubs;
    type MessageQueue = SqsMessageQueue;
    type RateLimits = DynamoRateLimits;
    type History = Option<DynamoHistory<SystemClock>>;
}

/// The Lambda function. One instance serves all invocations of an execution environment.
pub struct Function {
    edge: Edge<AwsPorts>,
}

impl Function {
    /// Creates the function with clients for the tables, the queue and API Gateway. It does no IO.
    pub fn new(config: &Config, sdk: &SdkConfig) -> Self {
        // All tables share one client: creating a client is a large part of a cold start, and each client
        // would resolve endpoint and credentials by itself.
        let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
        let management = management_client(sdk, &config.management_endpoint);
        let history = config.history.as_ref();
        let history =
            history.map(|(table, lifetime)| DynamoHistory::new(&dynamodb, table, *lifetime, SystemClock));
        let edge = Edge {
            connections: DynamoConnections::new(&dynamodb, &config.connections_table, management),
            mailbox: DynamoMailbox::new(&dynamodb, &config.mailbox_table, config.retry),
            clock: SystemClock,
            hubs: DynamoHubs::new(&dynamodb, &config.hubs_table, config.retry),
            message_queue: SqsMessageQueue::new(&aws_sdk_sqs::Client::new(sdk), &config.notifications_queue),
            rate_limits: DynamoRateLimits::new(&dynamodb, &config.rates_table),
            history,
            config: config.edge.clone(),
        };
        Self { edge }
    }

    /// Answers one event. If that fails, the answer is status 500 and the log has the reason.
    pub async fn invoke(&self, invocation: Invocation<Incoming>) -> Answer {
        match invocation.event {
            Incoming::WebSocket(request) => self.answer_websocket(*request).await,
            Incoming::History(event) => history_api::answer(&self.edge.history, event).await,
        }
    }

    async fn answer_websocket(&self, request: ApiGatewayWebsocketProxyRequest) -> Answer {
        let event = match WebSocketEvent::read(request) {
            Ok(event) => event,
            // The authorizer has logged the reason.
            Err(InvalidEvent::Principal(InvalidContext::Refused { status })) => {
                return Answer::status(status);
            }
            Err(error) => {
                let error = shared_telemetry::chain(&error);
                tracing::error!(error, "an event of the WebSocket API can't be parsed");
                return Answer::status(500);
            }
        };
        self.answer(event).await
    }

    async fn answer(&self, event: WebSocketEvent) -> Answer {
        let WebSocketEvent { principal, connection_id, request_id, route } = event;
        match route {
            Route::Connect(request) => match self.edge.connect(&principal, request).await {
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
                match self.edge.disconnect(&principal, &connection_id, opened_at).await {
                    Ok(()) => Answer::status(200),
                    Err(error) => {
                        // The row does no harm: the dispatcher deletes it when it finds the connection gone,
                        // or it expires.
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
                    // No guests log in on AWS.
                    guest_of: None,
                };
                match self.edge.message(&principal, request).await {
                    Some(frame) => Answer::text(200, frame.to_json()),
                    None => Answer::status(200),
                }
            }
        }
    }
}
