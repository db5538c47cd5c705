//! The queue of a message group, in a deployment with several notifications queues.

use std::num::NonZeroUsize;

/// Largest number of notifications queues of a deployment.
pub const MAX_QUEUES: usize = 16;

/// Returns the index of the notifications queue that a message group belongs to, from 0: the CRC-32 of the group's
/// UTF-8 bytes, modulo the number of queues. The group of a notification is its user id.
///
/// CRC-32 is that of zlib and of Ethernet: `zlib.crc32` in Python and Node.js, `java.util.zip.CRC32`,
/// `hash/crc32.ChecksumIEEE` in Go (<https://www.rfc-editor.org/rfc/rfc1952#section-8>).
pub fn home_queue(group: &str, queues: NonZeroUsize) -> usize {
    // The remainder is less than the number of queues.
    usize::try_from(u64::from(crc32(group.as_bytes())) % queues.get() as u64).unwrap_or(0)
}

fn crc32(bytes: &[u8]) -> u32 {
    /// The polynomial of the standard, reversed.
    const POLYNOMIAL: u32 = 0xEDB8_8320;
    let step = |rest: u32| (rest >> 1) ^ (POLYNOMIAL & (rest & 1).wrapping_neg());
    !bytes.iter().fold(!0, |rest, byte| (0..8).fold(rest ^ u32::from(*byte), |rest, _| step(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vector {
        group: String,
        crc32: u32,
        queues: Vec<(usize, usize)>,
    }

    /// The vectors were made with Python's `zlib.crc32`.
    #[test]
    fn published_vectors_hold() {
        let vectors: Vec<Vector> =
            serde_json::from_str(include_str!("../fixtures/home-queues.json")).unwrap();
        assert!(vectors.len() > 5);
        for Vector { group, crc32: expected, queues } in vectors {
            assert_eq!(crc32(group.as_bytes()), expected, "{group}");
            for (count, queue) in queues {
                assert_eq!(
                    home_queue(&group, NonZeroUsize::new(count).unwrap()),
                    queue,
                    "{group} of {count}"
                );
            }
        }
    }

    #[test]
    fn users_spread_over_queues() {
        for count in 2..=MAX_QUEUES {
            let mut users = vec![0_usize; count];
            for user in 0..16_000 {
                users[home_queue(&format!("user-{user}"), NonZeroUsize::new(count).unwrap())] += 1;
            }
            let even = 16_000 / count;
            assert!(users.iter().all(|users| users.abs_diff(even) < even / 10), "{count}: {users:?}");
        }
    }
}
