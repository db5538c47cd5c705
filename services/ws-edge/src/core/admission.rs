//! Decides handshakes: the frame format of a new connection, and if it acknowledges.

use std::net::IpAddr;

use contract_connections_v1::{Connection, ConnectionId, FrameFormat, UnknownFormat};
use contract_frames_v1::{SUBPROTOCOL, UnknownSubprotocol, choose_subprotocol};
use contract_identity_v1::Principal;
use contract_notifications_v1::{Timestamp, Version1};

use crate::config::EdgeConfig;

/// A handshake after authorization. It has no `Debug`: query and subprotocols may carry the credential.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectRequest {
    /// The new connection's id.
    pub connection_id: ConnectionId,
    /// The query's parameters, percent-decoded. If a name repeats, its last value counts, as in API Gateway.
    /// Unknown names are ignored. Known are:
    ///
    /// - `format`: `single`, `batch` or `raw`; the default is [`EdgeConfig::default_format`];
    /// - `protocol`: `tidings.v1`, for clients that can't offer a subprotocol;
    /// - `acknowledge`: `true` or `1`, `false` (default) or `0`.
    pub query: Vec<(String, String)>,
    /// The subprotocols the client offers.
    pub subprotocols: Vec<String>,
    /// Time at which the server accepted the connection. The report of the connection's end repeats it.
    pub opened_at: Timestamp,
    /// The client's address and program.
    pub client: ClientInfo,
    /// If the user is a guest, the address whose guests share the rates and the quota of one user.
    pub guest_of: Option<IpAddr>,
}

/// The address and program of a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientInfo {
    /// IP address.
    pub source_ip: String,
    /// Value of the `User-Agent` header.
    pub user_agent: Option<String>,
}

/// An admitted connection. It has no `Debug`: the subprotocol may be the credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Admission {
    /// The row to store.
    pub row: Connection,
    /// Subprotocol that answers the handshake, one of those offered; `None` if the client offered none.
    pub subprotocol: Option<String>,
}

/// Reasons for refusing a handshake with status 400. The text is for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectRefusal {
    /// The gateway speaks no subprotocol that the client offers.
    #[error(transparent)]
    Subprotocol(#[from] UnknownSubprotocol),
    /// The value of `format` is unknown.
    #[error(transparent)]
    Format(#[from] UnknownFormat),
    /// The value of `protocol` is unknown.
    #[error("protocol {found:?} is unknown; known is {SUBPROTOCOL:?}")]
    Protocol {
        /// The value, cut to 64 characters.
        found: String,
    },
    /// The value of `acknowledge` is not a boolean.
    #[error("acknowledge is {found:?}; allowed are \"true\", \"1\", \"false\" and \"0\"")]
    Acknowledge {
        /// The value, cut to 64 characters.
        found: String,
    },
    /// The client asks to acknowledge raw frames, which carry no sequence.
    #[error(
        "a connection with format \"raw\" can't acknowledge, because its frames have no sequence; leave out \
         acknowledge, or use format \"single\" or \"batch\""
    )]
    AcknowledgeRaw,
}

/// Decides a handshake at `now`.
///
/// A client that speaks `tidings.v1` gets batched frames, unless `format` asks for others: a client may offer
/// the subprotocol only to carry its token. An acknowledging client that asks for no format never gets raw
/// frames, even if they are the default: they carry no sequence to acknowledge.
///
/// # Errors
/// [`ConnectRefusal`] names the wrong parameter and the allowed values.
pub fn admit(
    principal: &Principal,
    request: ConnectRequest,
    now: Timestamp,
    config: &EdgeConfig,
) -> Result<Admission, ConnectRefusal> {
    let ConnectRequest { connection_id, query, subprotocols, .. } = request;
    let parameter =
        |name: &str| query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let subprotocol = choose_subprotocol(&subprotocols)?.map(str::to_owned);
    let batches = match parameter("protocol") {
        None => subprotocol.as_deref() == Some(SUBPROTOCOL),
        Some(SUBPROTOCOL) => true,
        Some(other) => return Err(ConnectRefusal::Protocol { found: excerpt(other) }),
    };
    let acknowledges = match parameter("acknowledge") {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(other) => return Err(ConnectRefusal::Acknowledge { found: excerpt(other) }),
    };
    let format = match (parameter("format"), config.default_format) {
        (Some(value), _) => FrameFormat::from_query(value)?,
        (None, _) if batches => FrameFormat::Batch,
        (None, FrameFormat::Raw) if acknowledges => FrameFormat::Single,
        (None, default) => default,
    };
    if acknowledges && format == FrameFormat::Raw {
        return Err(ConnectRefusal::AcknowledgeRaw);
    }
    let row = Connection {
        version: Version1,
        user_id: principal.user_id.clone(),
        connection_id,
        connected_at: now,
        acknowledges,
        format,
        expires_at: principal.expires_at,
        ttl: now.plus(config.row_lifetime).ttl_seconds(),
    };
    Ok(Admission { row, subprotocol })
}

/// Returns the first 64 characters of untrusted text, for an error message.
fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use contract_identity_v1::AuthenticationMethod;
    use contract_notifications_v1::UserId;
    use proptest::prelude::*;

    use super::*;

    fn principal() -> Principal {
        Principal {
            version: Version1,
            user_id: UserId::new("jo").unwrap(),
            username: None,
            method: AuthenticationMethod::Token,
            hubs: Vec::new(),
            expires_at: Some(Timestamp::from_millis(9)),
            source_key: None,
            source_token: None,
        }
    }

    fn connect(query: &[(&str, &str)], subprotocols: &[&str]) -> Result<Admission, ConnectRefusal> {
        connect_to(&EdgeConfig::default(), query, subprotocols)
    }

    fn connect_to(
        config: &EdgeConfig,
        query: &[(&str, &str)],
        subprotocols: &[&str],
    ) -> Result<Admission, ConnectRefusal> {
        let request = ConnectRequest {
            connection_id: ConnectionId::new("c"),
            query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            subprotocols: subprotocols.iter().map(|offer| (*offer).to_owned()).collect(),
            opened_at: Timestamp::default(),
            client: ClientInfo::default(),
            guest_of: None,
        };
        admit(&principal(), request, Timestamp::from_millis(1_500), config)
    }

    #[test]
    fn plain_connection_gets_unacknowledged_single_frames() {
        let Admission { row, subprotocol } = connect(&[("x", "y")], &["token.x"]).unwrap();
        assert_eq!(subprotocol.as_deref(), Some("token.x"));
        let expected = Connection {
            version: Version1,
            user_id: UserId::new("jo").unwrap(),
            connection_id: ConnectionId::new("c"),
            connected_at: Timestamp::from_millis(1_500),
            acknowledges: false,
            format: FrameFormat::Single,
            expires_at: Some(Timestamp::from_millis(9)),
            // Rounded up, 2 h 10 min later.
            ttl: 2 + 7_800,
        };
        assert_eq!(row, expected);
    }

    #[test]
    fn protocol_comes_as_subprotocol_or_parameter() {
        let offered = connect(&[], &["token.x", "tidings.v1"]).unwrap();
        assert_eq!(
            (offered.row.format, offered.subprotocol),
            (FrameFormat::Batch, Some("tidings.v1".to_owned()))
        );
        let asked = connect(&[("protocol", "tidings.v1")], &[]).unwrap();
        assert_eq!((asked.row.format, asked.subprotocol), (FrameFormat::Batch, None));
        let raw = connect(&[("format", "raw")], &["tidings.v1", "token.x"]).unwrap();
        assert_eq!((raw.row.format, raw.subprotocol), (FrameFormat::Raw, Some("tidings.v1".to_owned())));
        let unknown = connect(&[], &["my-app.v2"]).err();
        assert_eq!(unknown, Some(ConnectRefusal::Subprotocol(UnknownSubprotocol)));
        let refusal = connect(&[("protocol", "tidings.v2")], &[]).err().unwrap();
        assert_eq!(refusal.to_string(), r#"protocol "tidings.v2" is unknown; known is "tidings.v1""#);
    }

    #[test]
    fn acknowledgement_is_optional_and_excludes_raw() {
        for (value, expected) in [("true", true), ("1", true), ("false", false), ("0", false)] {
            assert_eq!(connect(&[("acknowledge", value)], &[]).unwrap().row.acknowledges, expected);
        }
        for value in ["", "yes", "TRUE"] {
            let refusal = connect(&[("acknowledge", value)], &[]).err().unwrap();
            assert_eq!(refusal, ConnectRefusal::Acknowledge { found: value.to_owned() });
        }
        let raw = connect(&[("format", "raw"), ("acknowledge", "1")], &[]);
        assert_eq!(raw.err(), Some(ConnectRefusal::AcknowledgeRaw));
        assert!(connect(&[("format", "raw"), ("acknowledge", "0")], &[]).is_ok());
    }

    #[test]
    fn default_format_is_the_operators() {
        let config = EdgeConfig { default_format: FrameFormat::Raw, ..EdgeConfig::default() };
        for (query, subprotocols, expected) in [
            (&[][..], &[][..], FrameFormat::Raw),
            (&[("format", "single")], &[], FrameFormat::Single),
            (&[("acknowledge", "true")], &[], FrameFormat::Single),
            (&[("protocol", "tidings.v1")], &[], FrameFormat::Batch),
            (&[], &["tidings.v1"], FrameFormat::Batch),
        ] {
            let row = connect_to(&config, query, subprotocols).unwrap().row;
            assert_eq!(row.format, expected, "{query:?} {subprotocols:?}");
        }
    }

    #[test]
    fn unknown_format_is_refused_by_name() {
        let text = connect(&[("format", "xml")], &[]).err().unwrap().to_string();
        assert!(text.contains("xml") && text.contains("raw"), "{text}");
    }

    #[test]
    fn last_value_of_a_parameter_counts() {
        let row = connect(&[("format", "raw"), ("format", "batch")], &[]).unwrap().row;
        assert_eq!(row.format, FrameFormat::Batch);
    }

    proptest! {
        #[test]
        fn raw_connection_never_acknowledges(
            query in prop::collection::vec(
                (
                    prop::sample::select(vec!["format", "acknowledge", "protocol", "x"]),
                    prop::sample::select(vec!["raw", "single", "batch", "1", "0", "tidings.v1"]),
                ),
                0..5,
            ),
        ) {
            if let Ok(Admission { row, .. }) = connect(&query, &[]) {
                prop_assert!(!(row.acknowledges && row.format == FrameFormat::Raw));
            }
        }
    }
}
