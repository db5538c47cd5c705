//! MQTT 3.1.1 (<https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html>).
//!
//! A subscriber has one topic with QoS 1 in a persistent session. A publisher publishes with QoS 1.

use std::ops::ControlFlow;

use anyhow::bail;
use bench_load::{ArrivalCounter, Opcode, Protocol, RunId, Sink, Template};

use super::buffer::Buffer;
use super::pipeline::Pipeline;

// First bytes of packets: type and flags.
const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH_QOS_1: u8 = 0x32;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;

/// Mask of the packet type.
const TYPE: u8 = 0xf0;
/// Mask of the QoS flags of a PUBLISH.
const QOS: u8 = 0x06;
const CLEAN_SESSION: u8 = 0x02;

fn topic(user: &str) -> String {
    format!("u/{user}")
}

/// A packet from the server.
#[derive(Debug, PartialEq, Eq)]
enum Packet<'a> {
    /// CONNACK.
    Connected { refused: bool },
    /// SUBACK.
    Subscribed { refused: bool },
    /// PUBLISH. With QoS 1 it has a packet identifier to acknowledge.
    Published { packet: Option<[u8; 2]>, payload: &'a [u8] },
    /// PUBACK.
    Acknowledged,
    /// Anything else.
    Other,
}

/// Decodes the packet at the front and returns it with its size. Returns `None` until it is complete.
fn packet(bytes: &[u8]) -> Option<(Packet<'_>, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let (length, digits) = remaining_length(rest)?;
    let body = rest.get(digits..digits + length)?;
    let packet = match first & TYPE {
        CONNACK => Packet::Connected { refused: body.get(1) != Some(&0) },
        SUBACK => Packet::Subscribed { refused: body.get(2).is_none_or(|code| code & 0x80 != 0) },
        0x30 => published(first, body),
        PUBACK => Packet::Acknowledged,
        _ => Packet::Other,
    };
    Some((packet, 1 + digits + length))
}

fn published(first: u8, body: &[u8]) -> Packet<'_> {
    let Some((length, rest)) = body.split_first_chunk() else { return Packet::Other };
    let rest = rest.get(usize::from(u16::from_be_bytes(*length))..).unwrap_or_default();
    if first & QOS == 0 {
        return Packet::Published { packet: None, payload: rest };
    }
    let Some((packet, payload)) = rest.split_first_chunk() else { return Packet::Other };
    Packet::Published { packet: Some(*packet), payload }
}

/// Decodes the "remaining length" field (section 2.2.3) and returns it with the field's size.
fn remaining_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((length, index + 1));
        }
    }
    None
}

fn write_remaining_length(mut length: usize, out: &mut Vec<u8>) {
    loop {
        // A remainder of a division by 128 fits.
        let digit = u8::try_from(length % 128).unwrap_or(0);
        length /= 128;
        out.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            return;
        }
    }
}

/// Appends a string with its length before it. The benchmark's are far below the limit of 65,535 bytes.
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn write_connect(client: &str, clean: bool, out: &mut Vec<u8>) {
    out.push(CONNECT);
    write_remaining_length(10 + 2 + client.len(), out);
    write_string("MQTT", out);
    // Protocol level 4 is MQTT 3.1.1. A keep-alive of 0 turns it off.
    out.extend_from_slice(&[4, if clean { CLEAN_SESSION } else { 0 }, 0, 0]);
    write_string(client, out);
}

fn write_subscribe(topic: &str, out: &mut Vec<u8>) {
    out.push(SUBSCRIBE);
    write_remaining_length(2 + 2 + topic.len() + 1, out);
    out.extend_from_slice(&[0, 1]);
    write_string(topic, out);
    out.push(1);
}

/// A subscriber with a persistent session. It subscribes on every connection, which changes nothing if the
/// session exists already.
#[derive(Debug)]
pub(crate) struct Subscriber {
    user: String,
    buffer: Buffer,
    open: bool,
}

impl Subscriber {
    pub(crate) fn new(user: String) -> Self {
        Self { user, buffer: Buffer::default(), open: false }
    }
}

impl Protocol for Subscriber {
    fn opcode(&self) -> Opcode {
        Opcode::Binary
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        write_connect(&self.user, false, out);
        write_subscribe(&topic(&self.user), out);
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn feed(&mut self, bytes: &[u8], arrivals: &mut ArrivalCounter, out: &mut Vec<u8>) -> ControlFlow<()> {
        let Self { buffer, open, .. } = self;
        let mut flow = ControlFlow::Continue(());
        buffer.feed(bytes, |bytes| {
            let mut at = 0;
            while let Some((packet, length)) = packet(&bytes[at..]) {
                at += length;
                match packet {
                    Packet::Published { packet, payload } => {
                        arrivals.count(payload, |_| {});
                        if let Some([high, low]) = packet {
                            out.extend_from_slice(&[PUBACK, 2, high, low]);
                        }
                    }
                    Packet::Connected { refused } | Packet::Subscribed { refused } if refused => {
                        flow = ControlFlow::Break(());
                    }
                    Packet::Subscribed { .. } => *open = true,
                    Packet::Connected { .. } | Packet::Acknowledged | Packet::Other => {}
                }
            }
            at
        });
        flow
    }
}

/// A publisher for some users. The server acknowledges each notification.
#[derive(Debug)]
pub(crate) struct Publisher {
    pipeline: Pipeline,
    /// The PUBLISH packet of each user.
    packets: Vec<PublishPacket>,
    /// The next packet identifier. 0 is not allowed.
    next: u16,
}

#[derive(Debug)]
struct PublishPacket {
    template: Template,
    /// Offset of the packet identifier.
    identifier: usize,
}

impl Publisher {
    pub(crate) fn connect(
        host: &str,
        run: &RunId,
        users: &[u32],
        payload_bytes: usize,
    ) -> anyhow::Result<Self> {
        let mut pipeline = Pipeline::connect(host)?;
        let client = format!("{}-producer", run.user(users.first().copied().unwrap_or(0)));
        write_connect(&client, true, &mut pipeline.out);
        pipeline.send()?;
        let mut connected = false;
        while !connected {
            pipeline.read(|bytes| match packet(bytes) {
                Some((Packet::Connected { refused: false }, length)) => {
                    connected = true;
                    Ok((length, 0))
                }
                Some(_) => bail!("the server refused the producer's connection"),
                None => Ok((0, 0)),
            })?;
        }
        let packets = users.iter().map(|&user| publish_packet(run, user, payload_bytes)).collect();
        Ok(Self { pipeline, packets, next: 1 })
    }
}

fn publish_packet(run: &RunId, user: u32, payload_bytes: usize) -> PublishPacket {
    let payload = Template::payload(run, payload_bytes);
    let topic = topic(&run.user(user));
    let mut head = vec![PUBLISH_QOS_1];
    write_remaining_length(2 + topic.len() + 2 + payload.len(), &mut head);
    write_string(&topic, &mut head);
    let identifier = head.len();
    head.extend_from_slice(&[0; 2]);
    PublishPacket { template: payload.framed(&head, b""), identifier }
}

/// Counts acknowledgements of notifications.
fn acknowledged(bytes: &[u8]) -> anyhow::Result<(usize, u64)> {
    let (mut used, mut count) = (0, 0);
    while let Some((packet, length)) = packet(&bytes[used..]) {
        used += length;
        match packet {
            Packet::Acknowledged => count += 1,
            other => bail!("the server sent the producer an unexpected packet: {other:?}"),
        }
    }
    Ok((used, count))
}

impl Sink for Publisher {
    fn write(&mut self, user: usize, time: u64, number: u32) {
        let packet = &self.packets[user];
        let start = self.pipeline.add(&packet.template, time, number) + packet.identifier;
        self.pipeline.out[start..start + 2].copy_from_slice(&self.next.to_be_bytes());
        self.next = self.next.checked_add(1).unwrap_or(1);
    }

    fn flush(&mut self) -> anyhow::Result<bool> {
        self.pipeline.flush(acknowledged)?;
        Ok(true)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.pipeline.finish(acknowledged)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_match_the_standard() {
        // Table 2.4: the lengths at which the field grows.
        for (length, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
        ] {
            let mut written = Vec::new();
            write_remaining_length(length, &mut written);
            assert_eq!(written, bytes);
            assert_eq!(remaining_length(bytes), Some((length, bytes.len())));
        }
        let mut out = Vec::new();
        write_connect("ab", false, &mut out);
        assert_eq!(out, b"\x10\x0e\x00\x04MQTT\x04\x00\x00\x00\x00\x02ab");
        out.clear();
        write_subscribe("a/b", &mut out);
        assert_eq!(out, b"\x82\x08\x00\x01\x00\x03a/b\x01");
        assert_eq!(packet(b"\x20\x02\x00\x00"), Some((Packet::Connected { refused: false }, 4)));
        assert_eq!(packet(b"\x20\x02\x00\x05"), Some((Packet::Connected { refused: true }, 4)));
        assert_eq!(packet(b"\x90\x03\x00\x01\x80"), Some((Packet::Subscribed { refused: true }, 5)));
        assert_eq!(
            packet(b"\x30\x04\x00\x01ax\x40"),
            Some((Packet::Published { packet: None, payload: b"x" }, 6))
        );
    }

    proptest! {
        #[test]
        fn published_packet_is_decoded(bytes in 0_usize..20_000, identifier: u16, cut in 0_usize..20_000) {
            let run = RunId::new();
            let publish = publish_packet(&run, 3, bytes);
            let mut wire = Vec::new();
            publish.template.write(17, 4, &mut wire);
            wire[publish.identifier..publish.identifier + 2].copy_from_slice(&identifier.to_be_bytes());
            let (packet, length) = packet(&wire).unwrap();
            prop_assert_eq!(length, wire.len());
            let mut payload = Vec::new();
            Template::payload(&run, bytes).write(17, 4, &mut payload);
            let expected = Packet::Published { packet: Some(identifier.to_be_bytes()), payload: &payload };
            prop_assert_eq!(packet, expected);
            prop_assert_eq!(super::packet(&wire[..cut.min(wire.len() - 1)]), None);
        }
    }
}
