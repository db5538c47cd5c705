//! Sets of small numbers.

use serde::{Deserialize, Serialize};

/// A set of the numbers 0 to 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Set(u8);

impl Set {
    /// The numbers from 0 up to and without `end`.
    pub const fn below(end: u8) -> Self {
        if end >= 8 { Self(u8::MAX) } else { Self((1 << end) - 1) }
    }

    /// Whether `member` is in it.
    pub const fn contains(self, member: u8) -> bool {
        self.0 & (1 << member) != 0
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many are in it.
    pub fn len(self) -> u8 {
        // At most 8.
        u8::try_from(self.0.count_ones()).unwrap_or(8)
    }

    /// The set as a number that stands for it.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The numbers that `names` has in the places of those in it.
    pub fn renamed(self, names: &[u8]) -> Self {
        self.iter().filter_map(|member| names.get(usize::from(member)).copied()).collect()
    }

    /// Adds `member`.
    pub const fn insert(&mut self, member: u8) {
        self.0 |= 1 << member;
    }

    /// Takes `member` out.
    pub const fn remove(&mut self, member: u8) {
        self.0 &= !(1 << member);
    }

    /// What is in this or in `other`.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The highest number in it.
    pub fn last(self) -> Option<u8> {
        self.iter().last()
    }

    /// The numbers in it, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..8).filter(move |member| self.contains(*member))
    }
}

impl FromIterator<u8> for Set {
    fn from_iter<I: IntoIterator<Item = u8>>(members: I) -> Self {
        let mut set = Self::default();
        for member in members {
            set.insert(member);
        }
        set
    }
}
