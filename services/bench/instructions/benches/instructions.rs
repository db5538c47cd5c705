//! Counts of instructions, which are the same in every run, with an upper limit for each.
//!
//! A limit is a tenth above the count when it was set, with Rust 1.95 on x86-64. A change that exceeds a
//! limit is either a mistake or worth its cost; in the second case the change raises the limit and its commit
//! says why.
#![allow(clippy::exit, reason = "the library's main exits")]

use std::hint::black_box;

use bench_instructions::{Body, Scenario, notification, request};
use contract_frames_v1::encode_single;
use contract_notifications_v1::{NotificationRequest, Sequence};
use dispatcher::core::run::Report;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    LibraryBenchmarkConfig::default()
        .tool(Callgrind::default().hard_limits([(EventKind::Ir, instructions)]))
        .clone()
}

#[library_benchmark]
#[bench::online_1(args = (Scenario::new(1, 1)), config = at_most(8_400))]
#[bench::online_10(args = (Scenario::new(10, 1)), config = at_most(32_000))]
#[bench::online_10_on_3_devices(args = (Scenario::new(10, 3)), config = at_most(61_000))]
#[bench::offline_1(args = (Scenario::new(1, 0)), config = at_most(3_300))]
#[bench::offline_10(args = (Scenario::new(10, 0)), config = at_most(11_500))]
#[bench::replay_100(args = (Scenario::replay(100)), config = at_most(265_000))]
fn decide(scenario: Scenario) -> Report {
    black_box(scenario.run())
}

#[library_benchmark]
#[bench::frame(args = (notification(1)), config = at_most(1_300))]
fn encode((notification, sequence): (Body, Sequence)) -> Vec<u8> {
    let mut into = Vec::with_capacity(512);
    encode_single(&mut into, &notification, sequence, false);
    black_box(into)
}

#[library_benchmark]
#[bench::request(args = (request(1)), config = at_most(4_600))]
fn read(text: String) -> NotificationRequest {
    black_box(NotificationRequest::from_json(&text).expect("the request is valid"))
}

library_benchmark_group!(name = core, benchmarks = [decide, encode, read]);
main!(library_benchmark_groups = core);
