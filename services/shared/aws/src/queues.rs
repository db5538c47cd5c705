//! The notifications queues of a deployment.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use contract_notifications_v1::{MAX_QUEUES, home_queue};

use crate::environment::Value;

/// The URLs of the notifications queues, or of their dead-letter queues, in order. Most deployments have one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queues {
    first: String,
    others: Vec<String>,
}

impl Queues {
    /// Returns the number of queues.
    pub fn count(&self) -> NonZeroUsize {
        NonZeroUsize::MIN.saturating_add(self.others.len())
    }

    /// Returns the index of the queue that a message group belongs to.
    pub fn home(&self, group: &str) -> usize {
        if self.others.is_empty() { 0 } else { home_queue(group, self.count()) }
    }

    /// Returns the URL of a queue by its index; the first one's for an index without a queue.
    pub fn url(&self, index: usize) -> &str {
        index.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.first)
    }

    /// Returns the URL of the queue that a message group belongs to.
    pub fn of(&self, group: &str) -> &str {
        self.url(self.home(group))
    }

    /// Returns the index of the queue with this ARN. The only queue of a deployment has every ARN.
    pub fn index_of(&self, arn: &str) -> Option<usize> {
        if self.others.is_empty() {
            return Some(0);
        }
        // An ARN and a URL both end with the queue's name
        // (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html).
        let name = arn.rsplit(':').next()?;
        (0..self.count().get()).find(|index| self.url(*index).rsplit('/').next() == Some(name))
    }
}

impl From<&str> for Queues {
    /// The only queue of a deployment.
    fn from(url: &str) -> Self {
        Self { first: url.to_owned(), others: Vec::new() }
    }
}

impl From<&String> for Queues {
    fn from(url: &String) -> Self {
        url.as_str().into()
    }
}

impl From<&Queues> for Queues {
    fn from(queues: &Queues) -> Self {
        queues.clone()
    }
}

impl Value for Queues {
    const EXPECTED: &'static str = "1 to 16 different URLs of queues, separated by commas";

    fn parse(text: &str) -> Option<Self> {
        let urls: Vec<_> = text.split(',').map(str::to_owned).collect();
        let are_different = urls.iter().collect::<HashSet<_>>().len() == urls.len();
        let are_valid = are_different && urls.len() <= MAX_QUEUES && !urls.iter().any(String::is_empty);
        let mut urls = urls.into_iter();
        Some(Self { first: urls.next().filter(|_| are_valid)?, others: urls.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_has_one_home() {
        let queues =
            Queues::parse("https://sqs/1/q.fifo,https://sqs/1/q-1.fifo,https://sqs/1/q-2.fifo").unwrap();
        // See the vectors of the contract.
        assert_eq!([queues.of("alice"), queues.of("a")], [queues.url(2), queues.url(0)]);
        assert_eq!(queues.count().get(), 3);
        assert_eq!(queues.index_of("arn:aws:sqs:eu-west-1:1:q-2.fifo"), Some(2));
        assert_eq!(queues.index_of("arn:aws:sqs:eu-west-1:1:q.fifo"), Some(0));
        assert_eq!(queues.index_of("arn:aws:sqs:eu-west-1:1:other.fifo"), None);
    }

    #[test]
    fn only_queue_is_everybodys() {
        let queues = Queues::from("https://sqs/1/q.fifo");
        assert_eq!((queues.of("alice"), queues.index_of("arn:any")), ("https://sqs/1/q.fifo", Some(0)));
        assert_eq!(Queues::parse("https://sqs/1/q.fifo"), Some(queues));
    }

    #[test]
    fn wrong_lists_are_refused() {
        let many = |count: usize| (0..count).map(|n| format!("q{n}")).collect::<Vec<_>>().join(",");
        for wrong in ["", ",", "a,", "a,,b", "a,b,a", &many(17)] {
            assert_eq!(Queues::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Queues::parse(&many(16)).unwrap().count().get(), 16);
    }
}
