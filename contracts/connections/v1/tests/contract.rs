//! Checks that version 1 keeps its published form: reading and writing a fixture gives the same bytes, and
//! the types generate the JSON Schema in `schema/`.

use contract_connections_v1::{Connection, ConnectionKey, FrameFormat, HubMember, HubPartition, HubRow};

const CONNECTION: &str = include_str!("../fixtures/connection.json");
const HUB_MEMBER: &str = include_str!("../fixtures/hub-member.json");
const HUB_ROW: &str = include_str!("../fixtures/hub-row.json");
const STREAM_IMAGE: &str = include_str!("../fixtures/stream-image.json");

#[test]
fn fixtures_round_trip() {
    let row: Connection = serde_json::from_str(CONNECTION).unwrap();
    assert_eq!(serde_json::to_string(&row).unwrap(), CONNECTION.trim_end());
    let key: ConnectionKey = serde_json::from_str(STREAM_IMAGE).unwrap();
    assert_eq!(serde_json::to_string(&key).unwrap(), STREAM_IMAGE.trim_end());
    assert_eq!(ConnectionKey::from(&row), key);
    let member: HubMember = serde_json::from_str(HUB_MEMBER).unwrap();
    assert_eq!(serde_json::to_string(&member).unwrap(), HUB_MEMBER.trim_end());
    assert_eq!(member.member.user_id.as_str(), "alice");
    let in_shard: HubRow = serde_json::from_str(HUB_ROW).unwrap();
    assert_eq!(serde_json::to_string(&in_shard).unwrap(), HUB_ROW.trim_end());
    assert_eq!(HubRow::from(&member), in_shard);
    // A member by the operator's decision, and a row of before hubs had shards.
    let in_own: HubRow = serde_json::from_str(HUB_MEMBER).unwrap();
    assert_eq!(in_own, HubRow { partition: HubPartition::own(&member.hub), ..in_shard });
    assert!(row.acknowledges);
    assert_eq!(row.format, FrameFormat::Batch);
}

#[test]
fn unknown_format_is_refused_with_its_name() {
    assert_eq!(FrameFormat::from_query("raw"), Ok(FrameFormat::Raw));
    let message = FrameFormat::from_query("xml").unwrap_err().to_string();
    assert_eq!(message, r#"format "xml" is unknown; known are "single", "batch" and "raw""#);
}

#[test]
fn schemas_are_current() {
    contract_schema::assert_current(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/connection.json"),
        &contract_schema::schema_for!(Connection),
    );
    contract_schema::assert_current(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/hub-member.json"),
        &contract_schema::schema_for!(HubMember),
    );
    contract_schema::assert_current(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/hub-row.json"),
        &contract_schema::schema_for!(HubRow),
    );
    contract_schema::assert_current(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/stream-image.json"),
        &contract_schema::schema_for!(ConnectionKey),
    );
}
