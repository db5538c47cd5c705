//! Merges sorted lists that are read in parts.

use std::collections::VecDeque;

/// Rows that were read of a list, with their keys in ascending order.
#[derive(Debug)]
pub(super) struct Part<R> {
    /// The rows, which may be fewer than were asked for.
    pub(super) rows: VecDeque<(String, R)>,
    /// The last key looked at, if there may be more behind it.
    pub(super) last: Option<String>,
}

/// The next step of a merge.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<R> {
    /// The smallest row.
    Row(R),
    /// The lists to read on before the smallest row is known.
    Read(Vec<usize>),
    /// There are no more rows.
    End,
}

/// A merge of several lists.
#[derive(Debug)]
pub(super) struct Merge<R>(Vec<List<R>>);

#[derive(Debug)]
struct List<R> {
    part: Part<R>,
    /// Number of rows to read next.
    limit: usize,
}

impl<R> Merge<R> {
    /// Merges lists of which nothing is read, each from behind the key `after`. `limit` rows are read of each at
    /// first.
    pub(super) fn new(lists: usize, after: &str, limit: usize) -> Self {
        let list = |_| List { part: Part { rows: VecDeque::new(), last: Some(after.to_owned()) }, limit };
        Self((0..lists).map(list).collect())
    }

    /// Returns the key behind which a list is read next, and the number of rows to read.
    pub(super) fn position(&self, list: usize) -> (&str, usize) {
        let List { part, limit } = &self.0[list];
        (part.last.as_deref().unwrap_or_default(), *limit)
    }

    /// Adds rows that were read. The next time twice as many are read: the list has more than its share.
    pub(super) fn add(&mut self, list: usize, part: Part<R>) {
        let list = &mut self.0[list];
        list.part = part;
        list.limit = list.limit.saturating_mul(2);
    }

    /// Returns the next step. Rows with the same key come one after the other.
    pub(super) fn next(&mut self) -> Next<R> {
        let lists = self.0.iter().enumerate();
        let unknown = lists.filter(|(_, List { part, .. })| part.rows.is_empty() && part.last.is_some());
        let unknown: Vec<_> = unknown.map(|(list, _)| list).collect();
        if !unknown.is_empty() {
            return Next::Read(unknown);
        }
        let first = |list: &List<R>| list.part.rows.front().map(|(key, _)| key.clone());
        let smallest = self.0.iter_mut().filter(|list| first(list).is_some()).min_by_key(|list| first(list));
        smallest.and_then(|list| list.part.rows.pop_front()).map_or(Next::End, |(_, row)| Next::Row(row))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Reads a list as a table does: the rows behind a key, at most `limit`, and fewer now and then.
    fn read(keys: &BTreeSet<String>, after: &str, limit: usize) -> Part<String> {
        let mut rest = keys.iter().filter(|key| key.as_str() > after);
        let looked_at: Vec<_> = rest.by_ref().take(limit).cloned().collect();
        let last = looked_at.last().filter(|_| looked_at.len() == limit).cloned();
        // A row that can't be parsed is left out.
        let rows = looked_at.into_iter().filter(|key| !key.ends_with('x'));
        Part { rows: rows.map(|key| (key.clone(), key)).collect(), last }
    }

    proptest! {
        #[test]
        fn rows_of_all_lists_come_in_order_once(
            lists in prop::collection::vec(prop::collection::btree_set("[a-dx]{1,3}", 0..20), 1..5),
            after in "[a-d]{0,2}",
            limit in 1_usize..6,
        ) {
            let mut merge = Merge::new(lists.len(), &after, limit);
            let (mut merged, mut reads) = (Vec::new(), 0);
            loop {
                match merge.next() {
                    Next::Row(row) => merged.push(row),
                    Next::Read(parts) => {
                        reads += parts.len();
                        for part in parts {
                            let (after, limit) = merge.position(part);
                            let page = read(&lists[part], after, limit);
                            merge.add(part, page);
                        }
                    }
                    Next::End => break,
                }
            }
            let mut expected: Vec<_> = lists.iter().flatten().filter(|key| **key > after && !key.ends_with('x')).cloned().collect();
            expected.sort();
            prop_assert_eq!(merged, expected);
            prop_assert!(reads <= 6 * lists.len(), "{} reads", reads);
        }
    }

    #[test]
    fn lists_are_read_only_as_far_as_rows_are_taken() {
        let lists = [["a", "d"], ["b", "e"]].map(|keys| keys.map(str::to_owned).into_iter().collect());
        let mut merge = Merge::new(2, "", 1);
        assert_eq!(merge.next(), Next::Read(vec![0, 1]));
        for (list, keys) in lists.iter().enumerate() {
            merge.add(list, read(keys, "", 1));
        }
        assert_eq!(merge.next(), Next::Row("a".to_owned()));
        assert_eq!(merge.next(), Next::Read(vec![0]));
        assert_eq!(merge.position(0), ("a", 2));
    }
}
