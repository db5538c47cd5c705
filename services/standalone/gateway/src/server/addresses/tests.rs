use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const ALICE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const BOB: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn limits() -> AddressLimits {
    let rate = |most| Some(RateLimit { most, per: Duration::from_secs(1) });
    AddressLimits {
        connections: 2,
        web_sockets: 1,
        handshakes: rate(5),
        requests: rate(10),
        exempt_loopback: true,
    }
}

fn addresses() -> Arc<Addresses> {
    Arc::new(Addresses::new(limits()))
}

#[test]
fn places_of_an_address_are_given_back() {
    let (addresses, now) = (addresses(), Instant::now());
    let first = addresses.connect(ALICE, now).unwrap();
    let second = addresses.connect(ALICE, now).unwrap();
    assert!(first.is_some() && second.is_some());
    assert_eq!(addresses.connect(ALICE, now).unwrap_err(), TooMany);
    assert!(addresses.connect(BOB, now).is_ok());
    let socket = addresses.open_web_socket(ALICE, now).unwrap();
    assert_eq!(addresses.open_web_socket(ALICE, now).unwrap_err(), TooMany);
    drop((second, socket));
    assert!(addresses.connect(ALICE, now).is_ok());
    assert!(addresses.open_web_socket(ALICE, now).is_ok());
}

#[test]
fn rate_is_refused_with_the_time_to_wait() {
    let (addresses, now) = (addresses(), Instant::now());
    let allowed = (0..100).filter(|_| addresses.request(ALICE, now).is_ok()).count();
    assert_eq!(allowed, 10);
    let wait = addresses.request(ALICE, now).unwrap_err();
    assert!(wait > Duration::ZERO && wait <= Duration::from_millis(100), "{wait:?}");
    assert!(addresses.request(BOB, now).is_ok(), "another address has its own rate");
    assert!(addresses.request(ALICE, now + Duration::from_millis(101)).is_ok());
    assert_eq!((0..100).filter(|_| addresses.handshake(ALICE, now).is_ok()).count(), 5);
}

#[test]
fn excused_requests_do_not_count() {
    let (addresses, now) = (addresses(), Instant::now());
    for _ in 0..100 {
        addresses.request(ALICE, now).expect("the producer is not refused");
        addresses.excuse_request(ALICE);
    }
    assert_eq!((0..100).filter(|_| addresses.request(ALICE, now).is_ok()).count(), 10);
}

#[test]
fn loopback_is_exempt_unless_switched_off() {
    let (exempt, now) = (addresses(), Instant::now());
    assert!((0..1_000).all(|_| exempt.request(LOOPBACK, now).is_ok()));
    assert!(exempt.connect(LOOPBACK, now).unwrap().is_none());
    assert_eq!(exempt.len(), 0);
    let counted = Addresses::new(AddressLimits { exempt_loopback: false, ..limits() });
    assert_eq!((0..1_000).filter(|_| counted.request(LOOPBACK, now).is_ok()).count(), 10);
}

#[test]
fn network_of_an_ipv6_client_counts_as_one() {
    let (addresses, now) = (addresses(), Instant::now());
    let client = |n| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n));
    assert_eq!((0..100).filter(|n| addresses.request(client(*n), now).is_ok()).count(), 10);
    let other = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1));
    assert!(addresses.request(other, now).is_ok());
    let mapped = IpAddr::V6(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
    assert_eq!(Origin::of(mapped), Origin::of(ALICE));
}

#[test]
fn table_of_addresses_is_bounded() {
    let (addresses, now) = (addresses(), Instant::now());
    let client = |n: u32| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n));
    for n in 0..400_000 {
        let _ = addresses.request(client(n), now);
    }
    assert!(addresses.len() <= SHARDS * (MAX_SHARD + 1), "{}", addresses.len());
    // An address without an entry shares the rate of all others, and still gets a place.
    assert!(addresses.request(client(500_000), now).is_err());
    assert!(addresses.connect(client(500_000), now).unwrap().is_some());
    // Unused entries make room.
    let later = now + Duration::from_secs(2);
    for n in 0..400_000 {
        let _ = addresses.request(client(n), later + Duration::from_millis(u64::from(n)));
    }
    assert!(addresses.len() < SHARDS * MAX_SHARD / 8, "{}", addresses.len());
}
