//! Devices: clients that connect, read, acknowledge, get slow or stuck, and leave.

use std::collections::BTreeSet;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract_connections_v1::{Connection, ConnectionKey, FrameFormat};
use contract_frames_v1::ClientFrame;
use contract_notifications_v1::{Sequence, Timestamp};
use futures_util::future::select;
use futures_util::{SinkExt as _, StreamExt as _};
use tidings_sockets::{Attachment, Peer};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use ws_edge::{Admission, ClientInfo, ConnectRequest};

use crate::plan::DevicePlan;
use crate::process::{FrameHandler, Process, principal};
use crate::recording_socket::{RecordingSocket, items};
use crate::simulation::{Simulation, connection_id, user_id};
use crate::trace::EventKind;
use crate::vanishing::vanishing;

/// Sequences in one ack: as many as our own client puts there.
const ACK_BATCH: usize = 25;

/// The behaviour of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Connects as soon as it can, and reads and acknowledges everything.
    Stable,
    /// Comes and goes, in every way there is.
    Unstable,
}

/// The way in which an unstable client ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disconnect {
    /// With a close frame.
    Close,
    /// Without a word.
    Drop,
    /// Not at all: it reads no more bytes and leaves the connection open.
    Freeze,
}

/// Runs a device for the life of the server's process.
pub(crate) async fn run_device(
    sim: Arc<Simulation>,
    process: Process,
    user: usize,
    plan: DevicePlan,
    behaviour: Behaviour,
) {
    loop {
        let away = match behaviour {
            Behaviour::Stable => sim.random.millis(1, 50),
            Behaviour::Unstable if sim.random.chance(400) => sim.random.millis(1, 300),
            Behaviour::Unstable => sim.random.millis(300, 12_000),
        };
        sleep(away).await;
        if !process.is_listening() {
            return;
        }
        connect(&sim, &process, user, plan, behaviour).await;
    }
}

/// Makes one connection and uses it from the handshake to the end.
async fn connect(
    sim: &Arc<Simulation>,
    process: &Process,
    user: usize,
    plan: DevicePlan,
    behaviour: Behaviour,
) {
    let connection = sim.next_connection();
    let DevicePlan { acknowledges, format } = plan;
    let Some(user_id) = user_id(user) else { return };
    let principal = Arc::new(principal(user_id));
    sim.log(Some(user), EventKind::Connecting { connection, acknowledges });
    let format_name = match format {
        FrameFormat::Single => "single",
        FrameFormat::Batch => "batch",
        FrameFormat::Raw => "raw",
    };
    let query = vec![
        ("format".to_owned(), format_name.to_owned()),
        ("acknowledge".to_owned(), acknowledges.to_string()),
    ];
    let request = ConnectRequest {
        connection_id: connection_id(connection),
        query,
        subprotocols: Vec::new(),
        opened_at: Timestamp::from_millis(sim.now()),
        client: ClientInfo::default(),
        guest_of: None,
    };
    // As in the gateway, a task of its own opens the connection, and forgets it if the client is gone by then.
    let opening = {
        let (process, principal) = (process.clone(), Arc::clone(&principal));
        async move {
            let Admission { row, .. } = process.edge.connect(&principal, request).await.ok()?;
            let attachment = process.registry.attach(&row.connection_id);
            Some((row, attachment))
        }
    };
    let mut opening = tokio::spawn(opening);
    let opened = if let Some(opened) = vanishing(sim, user, &mut opening).await {
        opened.ok().flatten()
    } else {
        let process = process.clone();
        tokio::spawn(async move {
            if let Ok(Some((row, attachment))) = opening.await {
                drop(attachment);
                process.store.connection_closed(&ConnectionKey::from(&row));
                let principal = self::principal(row.user_id);
                let _ = process.edge.disconnect(&principal, &row.connection_id, row.connected_at).await;
            }
        });
        None
    };
    let Some((row, attachment)) = opened else {
        return sim.log(Some(user), EventKind::Client { connection, does: "is refused" });
    };
    let Some(attachment) = attachment else {
        return sim.log(Some(user), EventKind::Client { connection, does: "finds its row gone" });
    };
    let (socket, far) = duplex(sim.plan.socket_buffer_bytes);
    let server_socket = RecordingSocket {
        socket: far,
        sim: Arc::clone(sim),
        user,
        connection,
        format,
        bytes: Vec::new(),
        text: Vec::new(),
    };
    let handler = FrameHandler {
        sim: Arc::clone(sim),
        process: process.clone(),
        principal,
        id: row.connection_id.clone(),
    };
    let serve = serve(Arc::clone(sim), process.clone(), row, attachment, server_socket, handler);
    let is_slow = behaviour == Behaviour::Unstable && sim.random.chance(100);
    let handshake = if is_slow { sim.random.millis(500, 12_000) } else { sim.random.millis(0, 40) };
    tokio::spawn(async move {
        sleep(handshake).await;
        serve.await;
    });
    Client { sim, user, connection, format, acknowledges, behaviour, unacknowledged: BTreeSet::new() }
        .run(socket)
        .await;
}

/// The server's side of a connection.
async fn serve(
    sim: Arc<Simulation>,
    process: Process,
    row: Connection,
    attachment: Attachment,
    socket: RecordingSocket,
    handler: FrameHandler,
) {
    let (user, connection) = (socket.user, socket.connection);
    sim.log(Some(user), EventKind::Opened { connection });
    let peer = Peer { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), user_agent: "device".into() };
    attachment.run(socket, Bytes::new(), peer, handler).await;
    sim.log(Some(user), EventKind::Closed { connection });
    process.store.connection_closed(&ConnectionKey::from(&row));
    // The next push finds a row that stays behind.
    let _ = process.edge.disconnect(&principal(row.user_id), &row.connection_id, row.connected_at).await;
}

/// The client's side of a connection.
struct Client<'a> {
    sim: &'a Arc<Simulation>,
    user: usize,
    connection: u32,
    format: FrameFormat,
    acknowledges: bool,
    behaviour: Behaviour,
    unacknowledged: BTreeSet<u64>,
}

impl Client<'_> {
    async fn run(mut self, socket: DuplexStream) {
        let random = &self.sim.random;
        let config = WebSocketConfig::default().read_buffer_size(256).write_buffer_size(0);
        let socket = WebSocketStream::from_raw_socket(socket, Role::Client, Some(config)).await;
        let (mut sink, mut stream) = socket.split();
        // The client goes on reading while it can't write.
        let (send_queue, mut queue) = mpsc::unbounded_channel();
        let mut writing = pin!(async move {
            while let Some(message) = queue.recv().await {
                if sink.send(message).await.is_err() {
                    break;
                }
            }
            pending::<()>().await;
        });
        let is_unstable = self.behaviour == Behaviour::Unstable;
        let stay = if is_unstable { random.millis(1, 15_000) } else { Duration::from_hours(24) };
        let end = Instant::now() + stay;
        let pace =
            if is_unstable && random.chance(200) { random.millis(100, 3_000) } else { random.millis(0, 10) };
        let forgets_acks = is_unstable && random.chance(150);
        let ack_after = random.millis(0, 800);
        let mut ack_at = None;
        loop {
            let acks = sleep_until(ack_at.unwrap_or(end));
            tokio::select! {
                biased;
                () = sleep_until(end) => break,
                () = acks, if ack_at.is_some() => {
                    ack_at = None;
                    self.acknowledge(&send_queue);
                }
                () = &mut writing => {}
                message = stream.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        let has_items = self.read(text.as_str());
                        if has_items && self.acknowledges && !forgets_acks {
                            ack_at = ack_at.or(Some(Instant::now() + ack_after));
                        }
                        sleep(pace).await;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
            }
        }
        match self.choose_disconnect() {
            Disconnect::Close => {
                let _ = send_queue.send(Message::Close(None));
                // What arrives before the server's close frame is read too: its receipt may be on the way.
                let closing = async {
                    while let Some(Ok(message)) = stream.next().await {
                        if let Message::Text(text) = message {
                            self.read(text.as_str());
                        }
                    }
                };
                let _ = timeout(Duration::from_secs(3), select(pin!(closing), writing)).await;
            }
            Disconnect::Drop => {}
            Disconnect::Freeze => sleep(self.sim.random.millis(1_000, 40_000)).await,
        }
    }

    /// Reads a message. Returns true if it has notifications.
    fn read(&mut self, text: &str) -> bool {
        let connection = self.connection;
        let Some(items) = items(self.sim, self.format, text) else {
            self.sim.log(Some(self.user), EventKind::WrongFrame { connection });
            return false;
        };
        if items.is_empty() {
            return false;
        }
        let numbers = items.iter().map(|(number, _)| *number).collect();
        self.sim.log(Some(self.user), EventKind::Read { connection, numbers });
        self.unacknowledged.extend(items.into_iter().filter_map(|(_, sequence)| sequence));
        true
    }

    fn acknowledge(&mut self, send_queue: &UnboundedSender<Message>) {
        let all: Vec<_> = std::mem::take(&mut self.unacknowledged).into_iter().collect();
        for sequences in all.chunks(ACK_BATCH) {
            let acked = EventKind::AckSent { connection: self.connection, sequences: sequences.to_vec() };
            self.sim.log(Some(self.user), acked);
            let sequences = sequences.iter().map(|sequence| Sequence::new((*sequence).into())).collect();
            // The queue lives as long as the client.
            let _ = send_queue.send(Message::text(ClientFrame::Ack { sequences }.to_json()));
        }
    }

    fn choose_disconnect(&self) -> Disconnect {
        let disconnect = self.sim.random.pick([Disconnect::Close, Disconnect::Drop, Disconnect::Freeze]);
        let does = match disconnect {
            Disconnect::Close => "closes",
            Disconnect::Drop => "is gone",
            Disconnect::Freeze => "freezes",
        };
        self.sim.log(Some(self.user), EventKind::Client { connection: self.connection, does });
        disconnect
    }
}
