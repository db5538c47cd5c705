//! Connections and notifications of a load, made with the load generator.

use std::time::Duration;

use anyhow::bail;
use bench_load::frames::FrameProtocol;
use bench_load::http::Address;
use bench_load::{
    Handshake, HttpProducer, Receiver, Requests, RunId, SendReport, Sockets, Target, Workload, histogram,
    tokens,
};
use contract_connections_v1::FrameFormat;
use hdrhistogram::Histogram;

use super::Load;
use crate::open_files::raise_limit;

/// Files that the program opens in addition to sockets.
const OTHER_FILES: u64 = 64;
/// Tokens requested at once: few enough that none expires before its handshake.
const WAVE: usize = 2_000;

/// Raises the limit of open files to the number that `connections` need.
pub(super) fn raise_open_files(connections: u32) -> anyhow::Result<()> {
    let needed = u64::from(connections) + OTHER_FILES;
    if let Some(limit) = raise_limit().filter(|limit| *limit < needed) {
        bail!(
            "{connections} connections need {needed} open files, but the limit is {limit}; raise it with ulimit -n"
        );
    }
    Ok(())
}

/// Opens all connections, one user after the other. Returns the duration of each handshake and the total
/// duration, without the requests for tokens.
pub(super) async fn open(
    sockets: &mut Sockets,
    target: &Target,
    run: &RunId,
    load: &Load,
) -> anyhow::Result<(Histogram<u64>, Duration)> {
    let mut times = histogram();
    let mut took = Duration::ZERO;
    let address = Address::of(target)?;
    let acknowledge = load.acknowledge && load.format != FrameFormat::Raw;
    let query = query(load.format, acknowledge);
    let users: Vec<u32> = (0..load.connections).map(|connection| connection % load.users).collect();
    for wave in users.chunks(WAVE) {
        let names = wave.iter().map(|&user| run.user(user)).collect();
        let tokens = tokens::fetch(target, names).await?;
        let receivers = tokens.into_iter().map(|token| {
            let path = format!("{}/ws?token={token}&{query}", address.prefix);
            Receiver::new(Handshake::websocket(&address.host, path), FrameProtocol::new(acknowledge))
        });
        took += sockets.open(receivers.collect(), &mut times).await?;
    }
    Ok((times, took))
}

/// Returns the handshake's query parameters after the token.
fn query(format: FrameFormat, acknowledge: bool) -> String {
    let format = match format {
        FrameFormat::Single => "single",
        FrameFormat::Batch => "batch",
        FrameFormat::Raw => "raw",
    };
    let acknowledge = if acknowledge { "&acknowledge=true" } else { "" };
    format!("format={format}{acknowledge}")
}

/// Sends the load's notifications.
pub(super) async fn send(target: &Target, run: &RunId, load: &Load) -> anyhow::Result<SendReport> {
    let workload = Workload {
        users: load.users,
        producers: load.producers,
        batch: load.batch,
        messages: load.duration.is_none().then_some(load.messages),
        duration: load.duration,
        rate: load.rate,
        first_number: 0,
        window: None,
    };
    let requests =
        Requests { batched: load.batch > 1, with_ids: load.ids, payload_bytes: load.payload_bytes };
    HttpProducer::send(target, run, workload, requests).await
}
