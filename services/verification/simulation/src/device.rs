//! The devices: they connect, read, acknowledge, get slow or stuck, and go.

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
use crate::process::{Frames, Process, principal};
use crate::tap::{Tap, items};
use crate::trace::What;
use crate::world::{World, connection_id, user_id};

/// Sequences in one ack: as many as our own client puts there.
const ACK_BATCH: usize = 25;

/// How a device behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temper {
    /// Connects as soon as it can, and reads and acknowledges what comes.
    Steady,
    /// Comes and goes, in every way there is.
    Flighty,
}

/// How a flighty client's connection goes on after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    /// It says goodbye.
    Close,
    /// It is gone.
    Drop,
    /// It takes no more bytes, and nobody is told.
    Freeze,
}

/// One device for as long as the process lives.
pub(crate) async fn live(world: Arc<World>, process: Process, user: usize, plan: DevicePlan, temper: Temper) {
    loop {
        let away = match temper {
            Temper::Steady => world.dice.millis(1, 50),
            Temper::Flighty if world.dice.hits(400) => world.dice.millis(1, 300),
            Temper::Flighty => world.dice.millis(300, 12_000),
        };
        sleep(away).await;
        if !process.listens() {
            return;
        }
        connect(&world, &process, user, plan, temper).await;
    }
}

/// One connection, from the handshake to the end.
async fn connect(world: &Arc<World>, process: &Process, user: usize, plan: DevicePlan, temper: Temper) {
    let connection = world.next_connection();
    let DevicePlan { acknowledges, format } = plan;
    let Some(user_id) = user_id(user) else { return };
    let principal = Arc::new(principal(user_id));
    world.log(Some(user), What::Connecting { connection, acknowledges });
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
        opened_at: Timestamp::from_millis(world.now()),
        client: ClientInfo::default(),
    };
    let Ok(Admission { row, .. }) = process.edge.connect(&principal, request).await else {
        return world.log(Some(user), What::Client { connection, does: "is refused" });
    };
    let Some(attachment) = process.registry.attach(&row.connection_id) else {
        return world.log(Some(user), What::Client { connection, does: "finds its row gone" });
    };
    let (socket, far) = duplex(world.plan.pipe);
    let tap = Tap {
        socket: far,
        world: Arc::clone(world),
        user,
        connection,
        format,
        bytes: Vec::new(),
        text: Vec::new(),
    };
    let session = Frames { process: process.clone(), principal, id: row.connection_id.clone() };
    let serve = serve(Arc::clone(world), process.clone(), row, attachment, tap, session);
    let slow_handshake = temper == Temper::Flighty && world.dice.hits(100);
    let handshake = if slow_handshake { world.dice.millis(500, 12_000) } else { world.dice.millis(0, 40) };
    tokio::spawn(async move {
        sleep(handshake).await;
        serve.await;
    });
    Client { world, user, connection, format, acknowledges, temper, unacknowledged: BTreeSet::new() }
        .run(socket)
        .await;
}

/// The server's side of a connection.
async fn serve(
    world: Arc<World>,
    process: Process,
    row: Connection,
    attachment: Attachment,
    tap: Tap,
    session: Frames,
) {
    let (user, connection) = (tap.user, tap.connection);
    world.log(Some(user), What::Opened { connection });
    let peer = Peer { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), user_agent: "device".into() };
    attachment.run(tap, Bytes::new(), peer, session).await;
    world.log(Some(user), What::Closed { connection });
    process.store.connection_closed(&ConnectionKey::from(&row));
    // A row that stays behind is found gone by the next push.
    let _ = process.edge.disconnect(&principal(row.user_id), &row.connection_id, row.connected_at).await;
}

/// The client's side of a connection.
struct Client<'a> {
    world: &'a Arc<World>,
    user: usize,
    connection: u32,
    format: FrameFormat,
    acknowledges: bool,
    temper: Temper,
    unacknowledged: BTreeSet<u64>,
}

impl Client<'_> {
    async fn run(mut self, socket: DuplexStream) {
        let dice = &self.world.dice;
        let config = WebSocketConfig::default().read_buffer_size(256).write_buffer_size(0);
        let socket = WebSocketStream::from_raw_socket(socket, Role::Client, Some(config)).await;
        let (mut sink, mut stream) = socket.split();
        // A client reads on while it can't write.
        let (outbox, mut queue) = mpsc::unbounded_channel();
        let mut writing = pin!(async move {
            while let Some(message) = queue.recv().await {
                if sink.send(message).await.is_err() {
                    break;
                }
            }
            pending::<()>().await;
        });
        let flighty = self.temper == Temper::Flighty;
        let stay = if flighty { dice.millis(1, 15_000) } else { Duration::from_hours(24) };
        let end = Instant::now() + stay;
        let pace = if flighty && dice.hits(200) { dice.millis(100, 3_000) } else { dice.millis(0, 10) };
        let forgets_acks = flighty && dice.hits(150);
        let ack_after = dice.millis(0, 800);
        let mut ack_at = None;
        loop {
            let acks = sleep_until(ack_at.unwrap_or(end));
            tokio::select! {
                biased;
                () = sleep_until(end) => break,
                () = acks, if ack_at.is_some() => {
                    ack_at = None;
                    self.acknowledge(&outbox);
                }
                () = &mut writing => {}
                message = stream.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        let read = self.read(text.as_str());
                        if read && self.acknowledges && !forgets_acks {
                            ack_at = ack_at.or(Some(Instant::now() + ack_after));
                        }
                        sleep(pace).await;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
            }
        }
        match self.farewell() {
            Farewell::Close => {
                let _ = outbox.send(Message::Close(None));
                let closing = async { while let Some(Ok(_)) = stream.next().await {} };
                let _ = timeout(Duration::from_secs(3), select(pin!(closing), writing)).await;
            }
            Farewell::Drop => {}
            Farewell::Freeze => sleep(self.world.dice.millis(1_000, 40_000)).await,
        }
    }

    /// Whether there was something to acknowledge in a message.
    fn read(&mut self, text: &str) -> bool {
        let connection = self.connection;
        let Some(items) = items(self.world, self.format, text) else {
            self.world.log(Some(self.user), What::Garbled { connection });
            return false;
        };
        if items.is_empty() {
            return false;
        }
        let numbers = items.iter().map(|(number, _)| *number).collect();
        self.world.log(Some(self.user), What::Read { connection, numbers });
        self.unacknowledged.extend(items.into_iter().filter_map(|(_, sequence)| sequence));
        true
    }

    fn acknowledge(&mut self, outbox: &UnboundedSender<Message>) {
        let all: Vec<_> = std::mem::take(&mut self.unacknowledged).into_iter().collect();
        for sequences in all.chunks(ACK_BATCH) {
            let acked = What::AckSent { connection: self.connection, sequences: sequences.to_vec() };
            self.world.log(Some(self.user), acked);
            let sequences = sequences.iter().map(|sequence| Sequence::new((*sequence).into())).collect();
            // It lives as long as the client.
            let _ = outbox.send(Message::text(ClientFrame::Ack { sequences }.to_json()));
        }
    }

    fn farewell(&self) -> Farewell {
        let farewell = self.world.dice.pick([Farewell::Close, Farewell::Drop, Farewell::Freeze]);
        let does = match farewell {
            Farewell::Close => "closes",
            Farewell::Drop => "is gone",
            Farewell::Freeze => "freezes",
        };
        self.world.log(Some(self.user), What::Client { connection: self.connection, does });
        farewell
    }
}
