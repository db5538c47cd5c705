//! Receives a user's notifications over WebSocket.
//!
//! A [`Listener`] is the application's side of a task, the [`Driver`], which owns the connection. Items flow
//! from the driver to the listener through a bounded channel; sequences to acknowledge flow back through an
//! unbounded one. Dropping the listener aborts the task.

use contract_connections_v1::FrameFormat;
use contract_notifications_v1::Sequence;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::acks::AckBatch;
use super::config::ListenerConfig;
use super::connector::Connector;
use super::credentials::Credentials;
use super::driver::{Driver, Item};
use super::duplicates::DuplicateFilter;
use super::error::ClientError;
use super::event::Event;

/// Receives one user's notifications: in order, each once, over as many connections as that takes.
///
/// The application has handled a notification when it calls [`Listener::next`] again,
/// [`Listener::acknowledge`] or [`Listener::close`]. Only then does the listener acknowledge it. After a
/// crash in between, or [`Listener::abandon`], the gateway delivers the notification again.
#[derive(Debug)]
pub struct Listener {
    items: mpsc::Receiver<Item>,
    handled: mpsc::UnboundedSender<Sequence>,
    in_hand: Option<Sequence>,
    duplicates: u64,
    acknowledge: bool,
    close: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Starts to listen at a gateway's WebSocket address, see
    /// [`Gateway::web_socket_url`](super::Gateway::web_socket_url).
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    pub fn start(
        url: impl Into<String>,
        credentials: impl Credentials + 'static,
        config: ListenerConfig,
    ) -> Self {
        super::install_tls_provider();
        let (item_sender, items) = mpsc::channel(config.buffer.max(1));
        let (handled, handled_receiver) = mpsc::unbounded_channel();
        let (close, close_receiver) = oneshot::channel();
        let acknowledge = config.acknowledge && config.format != Some(FrameFormat::Raw);
        let connector = Connector {
            url: url.into(),
            credentials,
            acknowledge,
            format: config.format,
            certificate_authorities: config.certificate_authorities.clone(),
            timeout: config.connect_timeout,
        };
        let driver = Driver {
            connector,
            duplicates: DuplicateFilter::new(config.remember),
            acks: AckBatch::new(config.ack_batch, config.ack_delay),
            items: item_sender,
            handled: handled_receiver,
            close: close_receiver,
            config,
        };
        let task = tokio::spawn(driver.run());
        Self { items, handled, in_hand: None, duplicates: 0, acknowledge, close: Some(close), task }
    }

    /// Returns the next event, waiting until there is one.
    ///
    /// An error is final: retries can't help, and the next call returns `None`. Cancelling the wait loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Result<Event, ClientError>> {
        self.acknowledge();
        loop {
            match self.items.recv().await? {
                Item::Event(event) => {
                    if let Event::Notification(received) = &event {
                        self.in_hand = Some(received.delivery.sequence);
                    }
                    return Some(Ok(event));
                }
                // The application has handled the first delivery, because items are in order.
                Item::Duplicate(sequence) => {
                    self.duplicates += 1;
                    self.in_hand = Some(sequence);
                    self.acknowledge();
                }
                Item::Failed(error) => return Some(Err(error)),
            }
        }
    }

    /// Acknowledges the last notification, which the application has handled.
    ///
    /// Without this call, the listener acknowledges it at the next call of [`Listener::next`].
    pub fn acknowledge(&mut self) {
        if let Some(sequence) = self.in_hand.take()
            && self.acknowledge
        {
            // This fails only after the driver has ended with an error.
            let _ = self.handled.send(sequence);
        }
    }

    /// Returns the number of duplicates that the listener has dropped.
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Acknowledges the last notification and closes the connection.
    pub async fn close(mut self) {
        self.acknowledge();
        self.end().await;
    }

    /// Closes the connection without acknowledging the last notification, which the application could not
    /// handle. The gateway delivers it again to the user's next connection.
    ///
    /// Earlier notifications are acknowledged, as by [`Listener::close`].
    pub async fn abandon(mut self) {
        self.in_hand = None;
        self.end().await;
    }

    async fn end(&mut self) {
        // Notifications that the application has not seen are not acknowledged.
        self.items.close();
        if let Some(close) = self.close.take() {
            let _ = close.send(());
        }
        // An error says that the task has panicked or that the runtime has ended. Either way it is over.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
