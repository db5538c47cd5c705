//! Frames to the client: written from valid notifications and read as a client does.

use arbitrary::Arbitrary;
use contract_connections_v1::FrameFormat;
use contract_frames_v1::{
    Delivery, MAX_MESSAGE_BYTES, ServerFrame, encode_batch, encode_single, item_len, require_fits,
};
use contract_notifications_v1::{Notification, Sequence};
use dispatcher::core::frames::split;

use crate::any_notification::AnyNotification;
use crate::input::{Verdict, decode};

#[derive(Debug, Arbitrary)]
enum Input {
    Written { items: Vec<(AnyNotification, u128, bool)>, format: Format, max_batch_bytes: u16 },
    Read(String),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Format {
    Single,
    Batch,
    Raw,
}

/// Writes frames and reads them again: nothing changes, sizes are as counted, and frames of several keep the
/// limit.
pub fn server_frame(bytes: &[u8]) -> Verdict {
    decode(bytes, check)
}

fn check(input: Input) {
    match input {
        Input::Written { items, format, max_batch_bytes } => {
            let items: Vec<_> = items
                .iter()
                .map(|(notification, sequence, replayed)| {
                    (notification.build(), Sequence::new(*sequence), *replayed)
                })
                .collect();
            for item in &items {
                check_single(item);
            }
            check_batches(&items, format, max_batch_bytes.into());
        }
        Input::Read(text) => {
            if let Ok(frame) = ServerFrame::from_json(&text) {
                assert_eq!(
                    ServerFrame::from_json(&frame.to_json()).expect("a written frame can be read"),
                    frame
                );
            }
        }
    }
}

type Item = (Notification, Sequence, bool);

fn delivery((notification, sequence, replayed): &Item) -> Delivery {
    let Notification { id, payload, sent_at, kind, source, .. } = notification.clone();
    Delivery { id, sequence: *sequence, sent_at, payload, replayed: *replayed, kind, source }
}

fn read(bytes: &[u8]) -> ServerFrame {
    let text = std::str::from_utf8(bytes).expect("a frame is text");
    ServerFrame::from_json(text).expect("a written frame can be read")
}

fn check_single(item: &Item) {
    let (notification, sequence, replayed) = item;
    let mut frame = b"before".to_vec();
    encode_single(&mut frame, notification, *sequence, *replayed);
    let frame = frame.strip_prefix(b"before").expect("a frame is appended");
    assert_eq!(read(frame), ServerFrame::Notification(delivery(item)));
    let counted = item_len(notification);
    // "true" is a byte shorter than "false", which is counted.
    assert_eq!(frame.len() + usize::from(*replayed), counted, "the counted size is the written size");
    assert_eq!(require_fits(notification).is_ok(), counted <= MAX_MESSAGE_BYTES);
}

fn check_batches(items: &[Item], format: Format, max_batch_bytes: usize) {
    let format = match format {
        Format::Single => FrameFormat::Single,
        Format::Batch => FrameFormat::Batch,
        Format::Raw => FrameFormat::Raw,
    };
    let lens: Vec<_> = items.iter().map(|(notification, ..)| item_len(notification)).collect();
    let frames = split(format, lens.iter().copied().enumerate(), max_batch_bytes);
    let all: Vec<usize> = frames.concat();
    assert!(all.iter().copied().eq(0..items.len()), "every row is in one frame, in order: {frames:?}");
    for rows in frames {
        let mut frame = Vec::new();
        encode_batch(&mut frame, rows.iter().map(|&row| (&items[row].0, items[row].1, items[row].2)));
        let expected = rows.iter().map(|&row| delivery(&items[row])).collect();
        assert_eq!(read(&frame), ServerFrame::Notifications { items: expected });
        if rows.len() > 1 {
            assert_eq!(format, FrameFormat::Batch, "only batch connections share frames");
            let counted: usize = rows.iter().map(|&row| lens[row]).sum();
            assert!(frame.len() <= counted && counted <= max_batch_bytes, "{} bytes", frame.len());
        }
    }
}
