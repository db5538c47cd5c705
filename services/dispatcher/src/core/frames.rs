//! Groups notifications into WebSocket frames.

use contract_connections_v1::FrameFormat;

/// Splits rows, given as (index, length in bytes), into frames, and returns the indexes of each frame's rows.
///
/// Only [`FrameFormat::Batch`] puts several rows into one frame, up to `max_batch_bytes`. A longer row gets a
/// frame of its own.
pub fn split(
    format: FrameFormat,
    rows: impl IntoIterator<Item = (usize, usize)>,
    max_batch_bytes: usize,
) -> Vec<Vec<usize>> {
    let mut frames: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, len) in rows {
        match frames.last_mut() {
            Some(frame) if format == FrameFormat::Batch && bytes + len <= max_batch_bytes => {
                frame.push(index);
                bytes += len;
            }
            _ => {
                frames.push(vec![index]);
                bytes = len;
            }
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_batch_connections_share_frames() {
        let rows = || [10, 10, 10].into_iter().enumerate();
        assert_eq!(split(FrameFormat::Single, rows(), 100), [[0], [1], [2]]);
        assert_eq!(split(FrameFormat::Raw, rows(), 100), [[0], [1], [2]]);
        assert_eq!(split(FrameFormat::Batch, rows(), 100), [[0, 1, 2]]);
        assert_eq!(split(FrameFormat::Batch, rows(), 20), [vec![0, 1], vec![2]]);
    }

    proptest! {
        #[test]
        fn each_row_is_in_one_frame_in_order(lens in prop::collection::vec(1_usize..50, 0..60), max in 1_usize..120) {
            let frames = split(FrameFormat::Batch, lens.iter().copied().enumerate(), max);
            let flat: Vec<usize> = frames.concat();
            prop_assert_eq!(flat, (0..lens.len()).collect::<Vec<_>>());
            for frame in frames {
                let bytes: usize = frame.iter().map(|&index| lens[index]).sum();
                prop_assert!(bytes <= max || frame.len() == 1);
            }
        }
    }
}
