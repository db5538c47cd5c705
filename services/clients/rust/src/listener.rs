//! A user's notifications over WebSocket.

use std::fmt;
use std::time::Duration;

use contract_connections_v1::FrameFormat;
use contract_frames_v1::{Delivery, ErrorCode};
use contract_notifications_v1::Sequence;
use shared_retry::RetryPolicy;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::acks::AckBatch;
use super::connector::Connector;
use super::credentials::Credentials;
use super::error::ClientError;
use super::intake::Intake;
use super::session::{Driver, Item};

/// How a [`Listener`] behaves.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// Whether the gateway keeps each notification until the application has taken it.
    pub acknowledge: bool,
    /// The frames to ask for; several notifications in one when not said. Bare payloads can't be
    /// acknowledged.
    pub format: Option<FrameFormat>,
    /// How many acknowledgements go in one frame.
    pub ack_batch: usize,
    /// The longest an acknowledgement waits.
    pub ack_delay: Duration,
    /// How often to ask whether the connection is alive. It is given up when nothing was heard for twice
    /// that long.
    pub ping_interval: Duration,
    /// How long a handshake may take.
    pub connect_timeout: Duration,
    /// How delays between attempts to connect grow.
    pub retry: RetryPolicy,
    /// How many attempts in a row may fail before the first that succeeds; afterwards there is no limit.
    pub first_attempts: u32,
    /// How many ids are remembered to recognise duplicates.
    pub remember: usize,
    /// How many events may wait for the application. When as many wait, the gateway is not read from.
    pub buffer: usize,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            acknowledge: true,
            format: None,
            ack_batch: 25,
            ack_delay: Duration::from_secs(1),
            ping_interval: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            retry: RetryPolicy { initial: Duration::from_millis(200), max: Duration::from_secs(15) },
            first_attempts: 5,
            remember: 10_000,
            buffer: 256,
        }
    }
}

/// A notification the application has not seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The notification.
    pub delivery: Delivery,
    /// Whether one of a higher sequence was handed over before, against the gateway's promise.
    pub out_of_order: bool,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Disconnect {
    /// The gateway closed it.
    #[error("the gateway closed the connection{}", CloseText(*.code, .reason))]
    Closed {
        /// The WebSocket close code, if one was given.
        code: Option<u16>,
        /// The reason, if one was given.
        reason: String,
    },
    /// Nothing was heard for too long.
    #[error("nothing was heard for {} s", .0.as_secs())]
    Silent(Duration),
    /// The network failed.
    #[error("the connection broke")]
    Broken(#[source] Box<tokio_tungstenite::tungstenite::Error>),
    /// The handshake did not succeed, or there was no credential for it.
    #[error(transparent)]
    Handshake(ClientError),
}

struct CloseText<'a>(Option<u16>, &'a str);

impl fmt::Display for CloseText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (None, _) => Ok(()),
            (Some(code), "") => write!(f, " ({code})"),
            (Some(code), reason) => write!(f, " ({code}: {reason})"),
        }
    }
}

/// What a listener tells its application.
#[derive(Debug)]
pub enum Event {
    /// There is a connection now.
    Connected,
    /// There is none any more, or an attempt failed.
    Disconnected {
        /// Why.
        why: Disconnect,
        /// When the next attempt is made.
        retry_in: Duration,
    },
    /// A notification the application has not seen before.
    Notification(Received),
    /// A bare payload, from a connection that asked for those.
    Raw(String),
    /// The gateway refused a frame of ours, or said something of itself.
    Refused {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
        /// Names the request in the gateway's log.
        request_id: String,
    },
}

/// Receives one user's notifications, for as long as it takes: in order, each once, across as many
/// connections as that needs.
///
/// A notification counts as taken when the application comes back for the next event, or says so with
/// [`Listener::taken`], or closes; only then is it acknowledged. An application that crashes in between is
/// given it again.
#[derive(Debug)]
pub struct Listener {
    items: mpsc::Receiver<Item>,
    taken: mpsc::UnboundedSender<Sequence>,
    in_hand: Option<Sequence>,
    duplicates: u64,
    acknowledge: bool,
    close: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Starts listening at a gateway's WebSocket address, see
    /// [`Gateway::web_socket_url`](super::Gateway::web_socket_url). Must be called within a tokio runtime.
    pub fn start(
        url: impl Into<String>,
        credentials: impl Credentials + 'static,
        config: ListenerConfig,
    ) -> Self {
        super::install_tls_provider();
        let (item_sender, items) = mpsc::channel(config.buffer.max(1));
        let (taken, taken_receiver) = mpsc::unbounded_channel();
        let (close, close_receiver) = oneshot::channel();
        let acknowledge = config.acknowledge && config.format != Some(FrameFormat::Raw);
        let connector = Connector {
            url: url.into(),
            credentials,
            acknowledge,
            format: config.format,
            timeout: config.connect_timeout,
        };
        let driver = Driver {
            connector,
            intake: Intake::new(config.remember),
            acks: AckBatch::new(config.ack_batch, config.ack_delay),
            items: item_sender,
            taken: taken_receiver,
            close: close_receiver,
            config,
        };
        let task = tokio::spawn(driver.run());
        Self { items, taken, in_hand: None, duplicates: 0, acknowledge, close: Some(close), task }
    }

    /// The next event. After an error, which no further attempt can mend, and after that only, there is
    /// none. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Option<Result<Event, ClientError>> {
        self.taken();
        loop {
            match self.items.recv().await? {
                Item::Event(event) => {
                    if let Event::Notification(received) = &event {
                        self.in_hand = Some(received.delivery.sequence);
                    }
                    return Some(Ok(event));
                }
                // Its first delivery was handed over before, as items are in order.
                Item::Duplicate(sequence) => {
                    self.duplicates += 1;
                    self.in_hand = Some(sequence);
                    self.taken();
                }
                Item::Failed(error) => return Some(Err(error)),
            }
        }
    }

    /// Says that the application is done with the notification it was given last.
    pub fn taken(&mut self) {
        if let Some(sequence) = self.in_hand.take()
            && self.acknowledge
        {
            // The driver ends only after an error; then nobody can be told.
            let _ = self.taken.send(sequence);
        }
    }

    /// How many duplicates were dropped.
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Acknowledges what was taken and closes the connection.
    pub async fn close(mut self) {
        self.taken();
        // What was not handed over is not acknowledged; nobody will ask for it.
        self.items.close();
        if let Some(close) = self.close.take() {
            let _ = close.send(());
        }
        // It can only have panicked or been cancelled with the runtime; either way it is over.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
