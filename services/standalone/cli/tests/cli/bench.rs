//! Tests of the benchmark against a gateway in memory, which keeps its promises or breaks them on purpose.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_connections_v1::FrameFormat;
use contract_frames_v1::encode_batch;
use contract_notifications_v1::{Notification, NotificationId, NotificationRequest, Sequence, Timestamp};
use tidings::bench::{Load, Mode, Report, Target, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Fault of the gateway.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Drops every hundredth notification.
    Loses,
    /// Sends every hundredth twice.
    Repeats,
    /// Swaps neighbours.
    Swaps,
}

#[derive(Default)]
struct User {
    held: Vec<(Notification, Sequence, bool)>,
    devices: Vec<UnboundedSender<Vec<u8>>>,
}

#[derive(Clone)]
struct Gateway {
    users: Arc<Mutex<HashMap<String, User>>>,
    fault: Fault,
}

impl Gateway {
    /// Starts a gateway and returns its address.
    fn start(fault: Fault) -> String {
        let gateway = Self { users: Arc::default(), fault };
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    stream.set_nodelay(true).unwrap();
                    tokio::spawn(gateway.clone().serve(stream));
                }
            });
        });
        format!("http://{}", receiver.recv().unwrap())
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        loop {
            let head = loop {
                if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                    break buffer.drain(..end + 4).collect::<Vec<_>>();
                }
                if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                    return;
                }
            };
            let head = String::from_utf8(head).unwrap();
            if let Some(user) = head.strip_prefix("GET /ws?token=") {
                return self.open(user.split('&').next().unwrap(), stream).await;
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let length: usize = length.parse().unwrap();
            while buffer.len() < length {
                stream.read_buf(&mut buffer).await.unwrap();
            }
            let body: Vec<u8> = buffer.drain(..length).collect();
            let answer = self.answer(&head, std::str::from_utf8(&body).unwrap());
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    fn answer(&self, head: &str, body: &str) -> String {
        if head.starts_with("POST /v1/token ") {
            let request: serde_json::Value = serde_json::from_str(body).unwrap();
            return serde_json::json!({ "token": request["userId"] }).to_string();
        }
        let lines: Vec<_> = body.lines().map(notification).collect();
        let accepted = lines.len();
        let mut users = self.users.lock().unwrap();
        for notification in lines {
            let user = users.entry(notification.user_id.to_string()).or_default();
            let sequence = Sequence::new(user.held.len() as u128 + 1);
            user.held.push((notification, sequence, false));
            if self.fault != Fault::Swaps || user.held.len().is_multiple_of(2) {
                let from = user.held.len() - if self.fault == Fault::Swaps { 2 } else { 1 };
                let mut new: Vec<_> = user.held[from..].to_vec();
                new.reverse();
                self.push(&new, &user.devices);
            }
        }
        format!(r#"{{"accepted":{accepted},"refused":0}}"#)
    }

    fn push(&self, items: &[(Notification, Sequence, bool)], devices: &[UnboundedSender<Vec<u8>>]) {
        let hundredth = items.iter().any(|(_, sequence, _)| sequence.number() % 100 == 0);
        if devices.is_empty() || self.fault == Fault::Loses && hundredth {
            return;
        }
        let frame = frame(items);
        for device in devices {
            let _ = device.send(frame.clone());
            if self.fault == Fault::Repeats && hundredth {
                let _ = device.send(frame.clone());
            }
        }
    }

    async fn open(self, user: &str, stream: TcpStream) {
        let (sender, mut frames) = unbounded_channel();
        {
            let mut users = self.users.lock().unwrap();
            let user = users.entry(user.to_owned()).or_default();
            user.held.chunks(40).for_each(|chunk| sender.send(frame(chunk)).unwrap());
            user.devices.push(sender);
        }
        let (mut reader, mut writer) = stream.into_split();
        writer.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await.unwrap();
        tokio::spawn(async move {
            while let Some(frame) = frames.recv().await {
                if writer.write_all(&frame).await.is_err() {
                    return;
                }
            }
        });
        let mut ignored = [0; 1024];
        while reader.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
    }
}

fn notification(line: &str) -> Notification {
    NotificationRequest::from_json(line)
        .unwrap()
        .complete(|| NotificationId::new("x").unwrap(), Timestamp::from_millis(1))
}

fn frame(items: &[(Notification, Sequence, bool)]) -> Vec<u8> {
    let mut text = Vec::new();
    encode_batch(&mut text, items.iter().map(|(n, sequence, replayed)| (n, *sequence, *replayed)));
    let mut frame = vec![0x81];
    match u16::try_from(text.len()) {
        Ok(length) if length < 126 => frame.push(u8::try_from(length).unwrap()),
        Ok(length) => {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend((text.len() as u64).to_be_bytes());
        }
    }
    frame.extend(text);
    frame
}

fn load() -> Load {
    Load {
        users: 20,
        connections: 20,
        messages: 200,
        payload_bytes: 256,
        producers: 3,
        batch: 50,
        rate: None,
        duration: None,
        acknowledge: false,
        format: FrameFormat::Batch,
        ids: false,
        quiet: Duration::from_secs(5),
    }
}

fn measure(mode: Mode, fault: Fault, load: &Load) -> Report {
    let target = Target {
        url: Gateway::start(fault),
        api_key: "key".to_owned(),
        // The gateway runs in this process.
        pid: cfg!(target_os = "linux").then(std::process::id),
    };
    run(mode, &target, load).unwrap()
}

#[test]
fn sound_gateway_passes() {
    let report = measure(Mode::Online, Fault::None, &Load { acknowledge: true, ids: true, ..load() });
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.accepted, report.delivered), (Some(4_000), Some(4_000)));
    assert!(report.delivery_micros.unwrap().p50 > 0 && report.accepted_per_second.unwrap() > 0.0);
}

#[test]
fn every_device_gets_everything() {
    let report = measure(Mode::Online, Fault::None, &Load { connections: 50, batch: 1, ..load() });
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.accepted, report.delivered), (Some(4_000), Some(10_000)));
}

#[test]
fn held_notifications_are_replayed() {
    let report = measure(Mode::Offline, Fault::None, &load());
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.delivered, Some(4_000));
}

#[test]
fn rate_is_kept_for_the_duration() {
    let rate = Load { rate: Some(2_000.0), duration: Some(Duration::from_millis(500)), batch: 1, ..load() };
    let report = measure(Mode::Online, Fault::None, &rate);
    assert!(report.is_sound(), "{report:?}");
    // Never faster than requested. A loaded machine may be slower.
    assert!((1..=1_003).contains(&report.accepted.unwrap()), "{report:?}");
    assert!(report.lateness_micros.is_some());
}

#[test]
fn broken_promises_are_found() {
    let lost = measure(Mode::Online, Fault::Loses, &Load { quiet: Duration::from_millis(500), ..load() });
    assert!(!lost.is_sound());
    assert_eq!((lost.lost, lost.duplicates, lost.reordered), (Some(40), Some(0), Some(0)));
    let repeated = measure(Mode::Online, Fault::Repeats, &load());
    assert_eq!((repeated.lost, repeated.duplicates, repeated.reordered), (Some(0), Some(40), Some(0)));
    let swapped = measure(Mode::Online, Fault::Swaps, &load());
    assert_eq!((swapped.lost, swapped.duplicates, swapped.reordered), (Some(0), Some(0), Some(2_000)));
}

#[test]
fn connections_are_opened_and_measured() {
    let report = measure(Mode::Connect, Fault::None, &Load { connections: 300, ..load() });
    assert!(report.is_sound() && report.connects_per_second.unwrap() > 0.0, "{report:?}");
    if cfg!(target_os = "linux") {
        let report = measure(Mode::Idle, Fault::None, &Load { connections: 300, ..load() });
        assert!(report.is_sound() && report.bytes_per_connection.is_some(), "{report:?}");
    }
}
