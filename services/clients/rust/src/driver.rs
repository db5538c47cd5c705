//! The task behind a listener: connects, reads, acknowledges, and reconnects.
//!
//! One task owns everything here, so nothing is locked. Duplicates and outstanding acknowledgements outlive a
//! connection. The driver reads from the gateway only while its queue is empty, so a slow application slows
//! the gateway down instead of filling memory.

use std::collections::VecDeque;
use std::time::Duration;

use contract_connections_v1::FrameFormat;
use contract_frames_v1::{Delivery, InvalidServerFrame, ServerFrame};
use contract_notifications_v1::Sequence;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::acks::AckBatch;
use super::config::ListenerConfig;
use super::connector::{Connector, Socket};
use super::credentials::Credentials;
use super::duplicates::{DuplicateFilter, Verdict};
use super::error::ClientError;
use super::event::{Disconnect, Event, ReceivedNotification};
use super::network::NetworkFailure;

/// Longest duration of closing: acknowledgements, the close frame, and the answer to it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// An item that the driver passes to the listener.
#[derive(Debug)]
pub(super) enum Item {
    /// An event for the application.
    Event(Event),
    /// A delivery that the application has received before.
    Duplicate(Sequence),
    /// The final error.
    Failed(ClientError),
}

/// End of a connection.
enum End {
    /// The application closes the listener.
    Closing,
    /// The connection was lost.
    Lost(Disconnect),
}

/// Next thing to do on a connection.
enum Step<'a> {
    Close,
    Handled(Sequence),
    AcksDue,
    /// The channel has capacity for an item. `None` if the application has closed the channel.
    Capacity(Option<mpsc::Permit<'a, Item>>),
    Message(Option<Result<Message, Error>>),
    PingDue,
}

/// A frame whose notifications are not read yet.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Frame<'a> {
    #[serde(borrow)]
    r#type: Option<&'a str>,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

/// The part of a notification by which it is acknowledged.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    sequence: Option<Sequence>,
}

/// State of the task, which outlives connections.
pub(super) struct Driver<C> {
    pub(super) connector: Connector<C>,
    pub(super) config: ListenerConfig,
    pub(super) duplicates: DuplicateFilter,
    pub(super) acks: AckBatch,
    pub(super) items: mpsc::Sender<Item>,
    pub(super) handled: mpsc::UnboundedReceiver<Sequence>,
    pub(super) close: oneshot::Receiver<()>,
}

impl<C: Credentials> Driver<C> {
    pub(super) async fn run(mut self) {
        let mut failures = 0_u32;
        let mut ever_connected = false;
        loop {
            let connected = tokio::select! {
                _ = &mut self.close => return,
                connected = self.connector.connect() => connected,
            };
            let why = match connected {
                Ok(mut socket) => {
                    ever_connected = true;
                    failures = 0;
                    match self.session(&mut socket).await {
                        End::Closing => return,
                        End::Lost(why) => why,
                    }
                }
                Err(error) => {
                    failures += 1;
                    let hopeless = !ever_connected && failures >= self.config.first_attempts;
                    if hopeless || !error.is_retryable() {
                        let _ = self.items.send(Item::Failed(error)).await;
                        return;
                    }
                    Disconnect::Handshake(error)
                }
            };
            let retry_in = self.config.retry.delay(failures);
            let event = Item::Event(Event::Disconnected { why, retry_in });
            if self.items.send(event).await.is_err() {
                return;
            }
            tokio::select! {
                _ = &mut self.close => return,
                () = sleep(retry_in) => {}
            }
        }
    }

    async fn session(&mut self, socket: &mut Socket) -> End {
        let patience = self.config.ping_interval * 2;
        let items = self.items.clone();
        let mut queue = VecDeque::from([Item::Event(Event::Connected)]);
        let mut heard = Instant::now();
        let mut ping_at = heard + self.config.ping_interval;
        loop {
            let due = self.acks.due();
            let step = tokio::select! {
                _ = &mut self.close => Step::Close,
                Some(sequence) = self.handled.recv() => Step::Handled(sequence),
                () = sleep_until(due.unwrap_or(ping_at)), if due.is_some() => Step::AcksDue,
                permit = items.reserve(), if !queue.is_empty() => Step::Capacity(permit.ok()),
                message = socket.next(), if queue.is_empty() => Step::Message(message),
                () = sleep_until(ping_at) => Step::PingDue,
            };
            let done = match step {
                Step::Close => {
                    let _ = timeout(CLOSE_TIMEOUT, self.finish(socket)).await;
                    return End::Closing;
                }
                Step::Handled(sequence) => {
                    self.acks.push(sequence, Instant::now());
                    Ok(())
                }
                Step::AcksDue => self.flush_acks(socket).await,
                Step::Capacity(permit) => {
                    match (permit, queue.pop_front()) {
                        (Some(permit), Some(item)) => permit.send(item),
                        // The application has closed or dropped the listener.
                        _ => queue.clear(),
                    }
                    // The application's delay does not count as silence of the gateway.
                    heard = Instant::now();
                    Ok(())
                }
                Step::Message(message) => {
                    heard = Instant::now();
                    self.message(message, &mut queue)
                }
                Step::PingDue if queue.is_empty() && heard.elapsed() >= patience => {
                    Err(Disconnect::Silent(patience))
                }
                Step::PingDue => {
                    ping_at = Instant::now() + self.config.ping_interval;
                    write(socket, Message::Ping(bytes::Bytes::new()), patience).await
                }
            };
            if let Err(why) = done {
                return self.lost(queue, why).await;
            }
        }
    }

    /// Passes on the items that arrived before the connection was lost.
    async fn lost(&mut self, queue: VecDeque<Item>, why: Disconnect) -> End {
        for item in queue {
            if self.items.send(item).await.is_err() {
                break;
            }
        }
        End::Lost(why)
    }

    fn message(
        &mut self,
        message: Option<Result<Message, Error>>,
        queue: &mut VecDeque<Item>,
    ) -> Result<(), Disconnect> {
        match message {
            None => Err(Disconnect::Closed { code: None, reason: String::new() }),
            Some(Err(error)) => Err(Disconnect::Broken(NetworkFailure::new(error))),
            Some(Ok(Message::Close(frame))) => {
                let code = frame.as_ref().map(|frame| frame.code.into());
                let reason = frame.map(|frame| frame.reason.as_str().to_owned()).unwrap_or_default();
                Err(Disconnect::Closed { code, reason })
            }
            Some(Ok(Message::Text(text))) => {
                if self.config.format == Some(FrameFormat::Raw) {
                    queue.push_back(Item::Event(Event::Raw(text.as_str().to_owned())));
                } else {
                    self.frame(&text, queue);
                }
                Ok(())
            }
            Some(Ok(_)) => Ok(()),
        }
    }

    fn frame(&mut self, text: &str, queue: &mut VecDeque<Item>) {
        match ServerFrame::from_json(text) {
            Ok(ServerFrame::Notification(delivery)) => queue.push_back(self.delivery(delivery)),
            Ok(ServerFrame::Notifications { items }) => {
                queue.extend(items.into_iter().map(|delivery| self.delivery(delivery)));
            }
            Ok(ServerFrame::Error { code, message, request_id, .. }) => {
                queue.push_back(Item::Event(Event::Refused { code, message, request_id }));
            }
            Ok(
                ServerFrame::Pong { .. }
                | ServerFrame::AckOk { .. }
                | ServerFrame::Sent { .. }
                | ServerFrame::History { .. }
                | ServerFrame::Members { .. }
                | ServerFrame::Whoami(_),
            ) => {}
            Err(error) => self.salvage(text, &error, queue),
        }
    }

    /// Reads the notifications of a frame one by one: one that can't be read must neither hide the others nor come again
    /// with every connection. It is reported and acknowledged.
    fn salvage(&mut self, text: &str, error: &InvalidServerFrame, queue: &mut VecDeque<Item>) {
        let frame: Frame<'_> = serde_json::from_str(text).unwrap_or_default();
        let items = match frame.r#type {
            Some("notification") => vec![text],
            Some("notifications") => frame.items.iter().map(|item| item.get()).collect(),
            // A newer gateway may send frames that this version does not know.
            _ => {
                tracing::debug!(%error, "ignored a frame that this version does not know");
                return;
            }
        };
        for item in items {
            match serde_json::from_str(item) {
                Ok(delivery) => queue.push_back(self.delivery(delivery)),
                Err(error) => {
                    let head: Head = serde_json::from_str(item).unwrap_or_default();
                    if let Some(sequence) = head.sequence.filter(|_| self.config.acknowledge) {
                        self.acks.push(sequence, Instant::now());
                    }
                    let Head { sequence } = head;
                    queue.push_back(Item::Event(Event::Unreadable { sequence, error: error.to_string() }));
                }
            }
        }
    }

    fn delivery(&mut self, delivery: Delivery) -> Item {
        match self.duplicates.check(&delivery) {
            Verdict::New { out_of_order } => {
                Item::Event(Event::Notification(ReceivedNotification { delivery, out_of_order }))
            }
            Verdict::Duplicate => Item::Duplicate(delivery.sequence),
        }
    }

    async fn flush_acks(&mut self, socket: &mut Socket) -> Result<(), Disconnect> {
        while let Some(frame) = self.acks.frame() {
            let message = Message::text(frame.to_json());
            write(socket, message, self.config.ping_interval * 2).await?;
            self.acks.sent();
        }
        Ok(())
    }

    /// Sends the last acknowledgements and a close frame, then waits until the gateway closes.
    async fn finish(&mut self, socket: &mut Socket) -> Result<(), Disconnect> {
        while let Ok(sequence) = self.handled.try_recv() {
            self.acks.push(sequence, Instant::now());
        }
        self.flush_acks(socket).await?;
        socket.close(None).await.map_err(|error| Disconnect::Broken(NetworkFailure::new(error)))?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok(())
    }
}

async fn write(socket: &mut Socket, message: Message, patience: Duration) -> Result<(), Disconnect> {
    match timeout(patience, socket.send(message)).await {
        Ok(sent) => sent.map_err(|error| Disconnect::Broken(NetworkFailure::new(error))),
        Err(_) => Err(Disconnect::Silent(patience)),
    }
}
