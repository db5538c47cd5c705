//! Limits of logins by address, checked before a password is hashed.
//!
//! A pure state machine. Two budgets count: the attempts of an address, and the failures of an address at one account.
//! An address that has logged in to an account before has a budget of attempts of its own for that account, so that
//! neighbours behind the same address can't use it up. No budget counts an account as a whole: everybody could empty
//! it for the account's owner.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::time::Duration;

use shared_ports::Moment;

use tidings_budget::{Allowance, Budgets};

/// Most budgets of each kind, about 10 MB. Those beyond it share one.
const MAX_BUDGETS: usize = 100_000;
/// Most accounts whose addresses are remembered.
const MAX_ACCOUNTS: usize = 50_000;
/// Most addresses remembered for an account; the oldest make place.
const MAX_ADDRESSES: usize = 32;

/// Limits of logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginLimits {
    /// Logins from one address in a time, successful or not; `None` for no limit.
    pub attempts_per_address: Option<Allowance>,
    /// Wrong passwords from one address at one account in a time; `None` for no limit.
    pub failures_per_account: Option<Allowance>,
}

/// A client's address, as far as one customer of a network has it: an IPv4 address, or the first 64 bits of an IPv6
/// address (RFC 6177).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Source(IpAddr);

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(IpAddr::from([a, b, c, d, 0, 0, 0, 0]))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// An attempt that may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    source: Option<Source>,
    /// The account's name, hashed.
    pub(super) account: u64,
    /// True if the address has logged in to the account before.
    pub(super) known: bool,
}

/// The subject of a budget of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Subject {
    Address(Source),
    Known(Source, u64),
}

/// The limits and what was used of them.
#[derive(Debug)]
pub(super) struct Throttle {
    hasher: RandomState,
    attempts: Option<Budgets<Subject>>,
    failures: Option<Budgets<(Source, u64)>>,
    known: HashMap<u64, VecDeque<Source>>,
}

impl Throttle {
    pub(super) fn new(limits: LoginLimits) -> Self {
        Self {
            hasher: RandomState::new(),
            attempts: limits.attempts_per_address.map(|allowance| Budgets::new(allowance, MAX_BUDGETS)),
            failures: limits.failures_per_account.map(|allowance| Budgets::new(allowance, MAX_BUDGETS)),
            known: HashMap::new(),
        }
    }

    /// Takes an attempt at an account. Without an address there is no limit.
    ///
    /// # Errors
    /// The time to wait.
    pub(super) fn admit(
        &mut self,
        from: Option<IpAddr>,
        username: &str,
        now: Moment,
    ) -> Result<Attempt, Duration> {
        let account = self.hasher.hash_one(username);
        let Some(source) = from.map(Source::of) else {
            return Ok(Attempt { source: None, account, known: false });
        };
        let known = self.known.get(&account).is_some_and(|sources| sources.contains(&source));
        let subject = if known { Subject::Known(source, account) } else { Subject::Address(source) };
        // A failure is taken first and given back later, so that attempts at the same time count.
        if let Some(failures) = &mut self.failures {
            failures.take((source, account), 1, now)?;
        }
        if let Some(attempts) = &mut self.attempts {
            attempts.take(subject, 1, now).inspect_err(|_| {
                if let Some(failures) = &mut self.failures {
                    failures.give_back((source, account), 1, now);
                }
            })?;
        }
        Ok(Attempt { source: Some(source), account, known })
    }

    /// The password was right.
    pub(super) fn succeeded(&mut self, attempt: Attempt, now: Moment) {
        self.undecided(attempt, now);
        let Some(source) = attempt.source else { return };
        if self.known.len() >= MAX_ACCOUNTS && !self.known.contains_key(&attempt.account) {
            return;
        }
        let sources = self.known.entry(attempt.account).or_default();
        sources.retain(|known| *known != source);
        sources.push_back(source);
        if sources.len() > MAX_ADDRESSES {
            sources.pop_front();
        }
    }

    /// The password was not checked.
    pub(super) fn undecided(&mut self, attempt: Attempt, now: Moment) {
        if let (Some(failures), Some(source)) = (&mut self.failures, attempt.source) {
            failures.give_back((source, attempt.account), 1, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(attempts: u64, failures: u64) -> LoginLimits {
        let per_minute = |most| Allowance::new(most, Duration::from_mins(1)).ok();
        LoginLimits { attempts_per_address: per_minute(attempts), failures_per_account: per_minute(failures) }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    /// Returns the number of guesses that are let through.
    fn guesses(throttle: &mut Throttle, from: &str, username: &str, tries: usize, now: Moment) -> usize {
        (0..tries).filter(|_| throttle.admit(Some(address(from)), username, now).is_ok()).count()
    }

    #[test]
    fn guesses_at_one_account_are_few() {
        let mut throttle = Throttle::new(limits(100, 5));
        assert_eq!(guesses(&mut throttle, "10.0.0.1", "alice", 60, at(0)), 5);
        assert_eq!(throttle.admit(Some(address("10.0.0.1")), "alice", at(0)), Err(Duration::from_secs(12)));
        assert_eq!(guesses(&mut throttle, "10.0.0.1", "alice", 60, at(12_000)), 1);
        // Another address, and another account, have budgets of their own.
        assert_eq!(guesses(&mut throttle, "10.0.0.2", "alice", 60, at(12_000)), 5);
        assert_eq!(guesses(&mut throttle, "10.0.0.1", "bob", 60, at(12_000)), 5);
    }

    #[test]
    fn guesses_at_many_accounts_are_few() {
        let mut throttle = Throttle::new(limits(20, 5));
        let admitted = (0..100)
            .filter(|n| throttle.admit(Some(address("10.0.0.1")), &format!("user{n}"), at(0)).is_ok())
            .count();
        assert_eq!(admitted, 20);
        // An attempt that the address could not make is not a failure at the account.
        assert_eq!(guesses(&mut throttle, "10.0.0.1", "user99", 9, at(60_000)), 5);
    }

    #[test]
    fn attacker_elsewhere_does_not_lock_the_owner_out() {
        let mut throttle = Throttle::new(limits(20, 5));
        let first = throttle.admit(Some(address("10.0.0.1")), "alice", at(0)).unwrap();
        throttle.succeeded(first, at(0));
        for n in 0..2_000_u32 {
            let from = IpAddr::from((0x0b00_0000 + n).to_be_bytes());
            let _ = throttle.admit(Some(from), "alice", at(1));
        }
        let again = throttle.admit(Some(address("10.0.0.1")), "alice", at(2)).unwrap();
        assert!(again.known && !first.known);
    }

    #[test]
    fn neighbours_do_not_use_up_the_attempts_of_a_known_owner() {
        let mut throttle = Throttle::new(limits(20, 5));
        let first = throttle.admit(Some(address("10.0.0.1")), "alice", at(0)).unwrap();
        throttle.succeeded(first, at(0));
        for n in 0..100 {
            let _ = throttle.admit(Some(address("10.0.0.1")), &format!("user{n}"), at(1));
        }
        assert!(throttle.admit(Some(address("10.0.0.1")), "bob", at(2)).is_err());
        assert!(throttle.admit(Some(address("10.0.0.1")), "alice", at(2)).is_ok());
    }

    #[test]
    fn right_passwords_are_no_failures_but_attempts() {
        let mut throttle = Throttle::new(limits(20, 5));
        let mut logins = 0;
        while let Ok(attempt) = throttle.admit(Some(address("10.0.0.1")), "alice", at(0)) {
            throttle.succeeded(attempt, at(0));
            logins += 1;
        }
        // The first is the address's, the others are the known owner's.
        assert_eq!(logins, 21);
        for _ in 0..50 {
            if let Ok(attempt) = throttle.admit(Some(address("10.0.0.1")), "bob", at(0)) {
                throttle.undecided(attempt, at(0));
            }
        }
        assert_eq!(guesses(&mut throttle, "10.0.0.1", "bob", 9, at(60_000)), 5);
    }

    #[test]
    fn one_customer_has_one_budget() {
        let mut throttle = Throttle::new(limits(100, 5));
        let admitted = (0..60)
            .filter(|n| {
                throttle.admit(Some(address(&format!("2001:db8:1:2::{n:x}"))), "alice", at(0)).is_ok()
            })
            .count();
        assert_eq!(admitted, 5);
        assert_eq!(guesses(&mut throttle, "2001:db8:1:3::1", "alice", 9, at(0)), 5);
        assert_eq!(guesses(&mut throttle, "10.0.0.1", "alice", 3, at(0)), 3);
        assert_eq!(guesses(&mut throttle, "::ffff:10.0.0.1", "alice", 9, at(0)), 2);
        // Without an address, and without limits, everybody may try.
        assert!((0..100).all(|_| throttle.admit(None, "alice", at(0)).is_ok()));
        let none = LoginLimits { attempts_per_address: None, failures_per_account: None };
        assert_eq!(guesses(&mut Throttle::new(none), "10.0.0.1", "alice", 100, at(0)), 100);
    }

    #[test]
    fn memory_is_bounded() {
        let mut throttle = Throttle::new(limits(20, 5));
        for n in 0..40_u8 {
            let attempt = throttle.admit(Some(address(&format!("10.0.0.{n}"))), "alice", at(0)).unwrap();
            throttle.succeeded(attempt, at(0));
        }
        assert_eq!(throttle.known.values().map(VecDeque::len).sum::<usize>(), MAX_ADDRESSES);
        for n in 0..200_000_u32 {
            let from = IpAddr::from((0x0b00_0000 + n).to_be_bytes());
            let _ = throttle.admit(Some(from), "alice", at(1));
        }
        assert!(throttle.attempts.as_ref().unwrap().len() <= MAX_BUDGETS);
        assert!(throttle.failures.as_ref().unwrap().len() <= MAX_BUDGETS);
    }
}
