//! websocket-connection-lambdas: connections tracked by a client id that the client chooses.

use serde_json::Value;

use crate::client::Client;
use crate::gateway::Gateway;
use crate::unique::unique;

/// Runs the scenario: a connection is listed with its user and its start while it is open, and then no
/// longer.
pub async fn scenario(gateway: &Gateway) {
    // As in `?client_id=web-123`.
    let client_id = unique("web-123");
    let url = format!("{}?client_id={client_id}", gateway.web_socket_url);
    let mut client = Client::open(&url, &[]).await.expect("a client with an id connects");
    client.send(r#"{"action":"whoami"}"#).await;
    let whoami = client.receive_where("type", "whoami").await;
    assert_eq!(whoami["userId"], client_id);
    let connection = whoami["connectionId"].as_str().unwrap().to_owned();

    assert!(gateway.is_connected(&connection).await);
    let is_own = |session: &Value| session["connectionId"] == connection;
    let session = gateway.until_in_history(&client_id, "sessions", is_own).await;
    assert!(session["openedAt"].is_u64() && session.get("closedAt").is_none(), "{session}");

    client.close().await;
    gateway.until_gone(&connection).await;
    gateway.until_session_ended(&client_id, &connection).await;

    // A handshake without a client id has no credential.
    for query in ["", "?client_id="] {
        let refused = Client::open(&format!("{}{query}", gateway.web_socket_url), &[]).await;
        assert_eq!(refused.err(), Some(gateway.status(401)), "{query:?}");
    }
}
