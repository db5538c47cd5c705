//! Calls of the real edge: its decisions about handshakes and acks.

use anyhow::{Context as _, bail};
use contract_connections_v1::FrameFormat;
use contract_frames_v1::ClientFrame;
use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::{Sequence, Timestamp, UserId, Version1};
use dispatcher::core::run::OpenConnection;
use ws_edge::{Caller, ClientInfo, ConnectRequest, Decision, EdgeConfig, Inbound, admit, decide};

use crate::ids::connection_id;
use crate::scope::Device;

/// The model's one user.
fn principal() -> anyhow::Result<Principal> {
    Ok(Principal {
        version: Version1,
        user_id: UserId::new("u")?,
        username: None,
        method: AuthenticationMethod::Token,
        hubs: Vec::new(),
        expires_at: None,
        source_key: None,
        source_token: None,
    })
}

/// Admits device `index` and returns the dispatcher's view of the row that the edge writes for it.
///
/// # Errors
/// The edge refuses the device.
pub(crate) fn admitted(index: u8, device: Device) -> anyhow::Result<OpenConnection> {
    let principal = principal()?;
    let format = match device.format {
        FrameFormat::Single => "single",
        FrameFormat::Batch => "batch",
        FrameFormat::Raw => "raw",
    };
    let query = [("format", format), ("acknowledge", if device.acknowledges { "1" } else { "0" })];
    let request = ConnectRequest {
        connection_id: connection_id(index),
        query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        subprotocols: Vec::new(),
        opened_at: Timestamp::default(),
        client: ClientInfo::default(),
        guest_of: None,
    };
    let now = Timestamp::from_millis(u64::from(index));
    let row =
        admit(&principal, request, now, &EdgeConfig::default()).context("the edge refuses a device")?.row;
    Ok(OpenConnection {
        id: row.connection_id,
        connected_at: row.connected_at,
        acknowledges: row.acknowledges,
        format: row.format,
    })
}

/// The rows that the edge clears for an ack of `sequence`.
///
/// # Errors
/// The edge does not recognise the ack.
pub(crate) fn cleared(sequence: Sequence) -> anyhow::Result<Vec<Sequence>> {
    let frame = ClientFrame::Ack { sequences: vec![sequence] }.to_json();
    let (principal, connection_id) = (principal()?, connection_id(0));
    let now = Timestamp::default();
    let caller = Caller { principal: &principal, connection_id: &connection_id, hubs: &[], now };
    match decide(Inbound::Text(&frame), &caller, &EdgeConfig::default()) {
        Decision::Acknowledge { sequences, .. } => Ok(sequences),
        other => bail!("the edge answers an ack with {other:?}"),
    }
}
