//! Sets of small numbers.

use serde::{Deserialize, Serialize};

/// A set of numbers from 0 to 7, kept in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Set(u8);

impl Set {
    /// The numbers from 0 up to but not including `end`.
    pub const fn below(end: u8) -> Self {
        if end >= 8 { Self(u8::MAX) } else { Self((1 << end) - 1) }
    }

    /// True if `member` is in the set.
    pub const fn contains(self, member: u8) -> bool {
        self.0 & (1 << member) != 0
    }

    /// True if the set has no member.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of members.
    pub fn len(self) -> u8 {
        // At most 8.
        u8::try_from(self.0.count_ones()).unwrap_or(8)
    }

    /// The set as a bit mask.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Replaces every member by its entry in `names`. Members without an entry are left out.
    pub fn renamed(self, names: &[u8]) -> Self {
        self.iter().filter_map(|member| names.get(usize::from(member)).copied()).collect()
    }

    /// Adds `member`.
    pub const fn insert(&mut self, member: u8) {
        self.0 |= 1 << member;
    }

    /// Removes `member`.
    pub const fn remove(&mut self, member: u8) {
        self.0 &= !(1 << member);
    }

    /// Members of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Members of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The highest member.
    pub fn last(self) -> Option<u8> {
        self.iter().last()
    }

    /// The members in ascending order.
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
