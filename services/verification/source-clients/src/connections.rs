//! websocket-connection-lambdas: connections that are tracked by the client's own word.

use serde_json::Value;

use crate::{Client, Gateway, unique};

/// A connection is known while it is open, by whom it is of and since when, and then not any longer.
pub async fn story(gateway: &Gateway) {
    // The client's word, as in `?client_id=web-123`.
    let client_id = unique("web-123");
    let url = format!("{}?client_id={client_id}", gateway.web_socket_url);
    let mut client = Client::open(&url, &[]).await.expect("whoever says a name is let in");
    client.send(r#"{"action":"whoami"}"#).await;
    let whoami = client.receive_where("type", "whoami").await;
    assert_eq!(whoami["userId"], client_id);
    let connection = whoami["connectionId"].as_str().unwrap().to_owned();

    assert!(gateway.is_connected(&connection).await);
    let is_it = |session: &Value| session["connectionId"] == connection;
    let session = gateway.until_in_history(&client_id, "sessions", is_it).await;
    assert!(session["openedAt"].is_u64() && session.get("closedAt").is_none(), "{session}");

    client.close().await;
    gateway.until_gone(&connection).await;
    gateway.until_session_ended(&client_id, &connection).await;

    // Without a name there is no credential.
    for query in ["", "?client_id="] {
        let refused = Client::open(&format!("{}{query}", gateway.web_socket_url), &[]).await;
        assert_eq!(refused.err(), Some(gateway.status(401)), "{query:?}");
    }
}
