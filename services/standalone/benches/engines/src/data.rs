//! The synthetic notifications.

use crate::store::{Engine, Result, Row};

/// A source of users and values that hardly compress.
pub struct Source {
    state: u64,
    text: Vec<u8>,
    users: u64,
}

impl Source {
    /// A source for `users` users; equal seeds give equal rows.
    pub fn new(seed: u64, users: u64) -> Self {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut this = Self {
            state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            text: Vec::new(),
            users,
        };
        this.text = (0..1 << 20)
            .map(|_| ALPHABET[(this.random() >> 58) as usize])
            .collect();
        this
    }

    /// The next number of a xorshift generator.
    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A user and a value of about 300 bytes.
    pub fn next(&mut self) -> (u64, Vec<u8>) {
        let user = self.random() % self.users;
        let at = (self.random() >> 12) as usize % (self.text.len() - 256);
        let mut value = Vec::with_capacity(304);
        value.extend_from_slice(b"{\"topic\":\"orders\",\"priority\":5,\"body\":\"");
        value.extend_from_slice(&self.text[at..at + 250]);
        value.extend_from_slice(b"\"}");
        (user, value)
    }
}

/// The prefix of all keys of `user`.
pub fn prefix(user: u64) -> Vec<u8> {
    format!("user-{user:05}\0").into_bytes()
}

/// The key of notification `sequence` of `user`.
pub fn key(user: u64, sequence: u64) -> Vec<u8> {
    let mut key = prefix(user);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

/// The first key after all keys of `user`.
pub fn end(user: u64) -> Vec<u8> {
    let mut end = prefix(user);
    *end.last_mut().expect("prefix is not empty") = 1;
    end
}

/// The `dedup` row of a commit of `rows` notifications.
pub fn dedup(commit: u64, rows: usize) -> Row {
    (commit.to_be_bytes().to_vec(), vec![0xA5; rows * 16])
}

/// Writes notifications `from..from + count` in commits of `batch`; user is
/// the sequence modulo `users`.
pub fn load(
    engine: &dyn Engine,
    from: u64,
    count: u64,
    users: u64,
    batch: u64,
    mut committed: impl FnMut(u64) -> Result<()>,
) -> Result<()> {
    let mut source = Source::new(from + 1, users);
    let mut sequence = from;
    while sequence < from + count {
        let until = (sequence + batch).min(from + count);
        let rows: Vec<Row> = (sequence..until)
            .map(|s| (key(s % users, s), source.next().1))
            .collect();
        engine.commit(rows, dedup(sequence, (until - sequence) as usize))?;
        sequence = until;
        committed(sequence)?;
    }
    Ok(())
}
