//! The bound of bodies whose senders are not known yet: those of logins, and of signed requests whose heads declare no
//! hash of the body.
//!
//! A body counts from its first byte until its sender is known or refused. All such bodies together have one bound, and
//! those of one address at most half of it, so that one address can't keep others out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use shared_sync::IgnorePoison as _;

use super::addresses::Origin;

/// The bytes of all bodies of unknown senders.
#[derive(Debug)]
pub(super) struct UnknownBodies {
    /// Maximum number of bytes of all addresses together.
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    bytes: usize,
    /// Bytes by origin; only of those that have some.
    by_origin: HashMap<Origin, usize>,
}

/// The bytes of one body. Dropping it gives them back.
#[derive(Debug)]
pub(super) struct UnknownBody<'a> {
    bodies: &'a UnknownBodies,
    origin: Origin,
    bytes: usize,
}

/// The bound is reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl UnknownBodies {
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// Begins a body without bytes.
    pub(super) fn begin(&self, address: IpAddr) -> UnknownBody<'_> {
        UnknownBody { bodies: self, origin: Origin::of(address), bytes: 0 }
    }
}

impl UnknownBody<'_> {
    /// Adds bytes that arrived.
    ///
    /// # Errors
    /// [`Full`] if there is no room for them. They don't count then.
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), Full> {
        let most = self.bodies.most;
        let mut taken = self.bodies.taken.lock().ignore_poison();
        let own = taken.by_origin.get(&self.origin).copied().unwrap_or(0);
        if taken.bytes + bytes > most || own + bytes > most / 2 {
            return Err(Full);
        }
        taken.bytes += bytes;
        taken.by_origin.insert(self.origin, own + bytes);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for UnknownBody<'_> {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut taken = self.bodies.taken.lock().ignore_poison();
        taken.bytes -= self.bytes;
        if let Some(own) = taken.by_origin.get_mut(&self.origin) {
            *own -= self.bytes;
            if *own == 0 {
                taken.by_origin.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(n: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, n))
    }

    #[test]
    fn one_address_gets_half_of_the_bound() {
        let bodies = UnknownBodies::new(100);
        let (mut first, mut second) = (bodies.begin(address(1)), bodies.begin(address(1)));
        assert_eq!(first.add(30), Ok(()));
        assert_eq!(second.add(20), Ok(()));
        assert_eq!(second.add(1), Err(Full));
        let mut other = bodies.begin(address(2));
        assert_eq!(other.add(50), Ok(()));
        assert_eq!(bodies.begin(address(3)).add(1), Err(Full), "the bound of all is reached");
        drop(other);
        assert_eq!(bodies.begin(address(3)).add(50), Ok(()));
    }

    #[test]
    fn ended_bodies_leave_nothing() {
        let bodies = UnknownBodies::new(100);
        let mut first = bodies.begin(address(1));
        first.add(10).unwrap();
        let mut second = bodies.begin(address(1));
        second.add(10).unwrap();
        drop((first, second, bodies.begin(address(1))));
        let taken = bodies.taken.lock().unwrap();
        assert_eq!((taken.bytes, taken.by_origin.len()), (0, 0));
    }
}
