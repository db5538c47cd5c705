//! The unchanged clients of other gateways, each with a server configured like the example for that gateway.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::process::Command;
use verification_source_clients::cognito::Trusted;
use verification_source_clients::messaging::{Person, run};
use verification_source_clients::{Client, Gateway, Issuer, chat, cognito, connections, hub, messaging};

use crate::support::{Server, example};

/// The server as its clients and its operator reach it.
fn gateway(server: &Server) -> Gateway {
    let key = std::fs::read_to_string(server.data_dir.join("api-key")).unwrap();
    Gateway {
        web_socket_url: format!("{}/ws", server.url.replacen("http", "ws", 1)),
        management_url: server.url.clone(),
        history_url: format!("{}/v1/history", server.url),
        authorization: format!("Bearer {}", key.trim()),
        is_emulated: false,
    }
}

#[tokio::test]
async fn lambda_hub_websocket_auth() {
    let directory = tempfile::tempdir().unwrap();
    let secret = "sua_chave_secreta";
    let server = Server::start_example("hub.toml", directory.path(), &[("HUB_SECRET", secret)]).await;
    hub::scenario(&gateway(&server), secret).await;
}

#[tokio::test]
async fn signed_handshake_repeats_where_replay_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let secret = "sua_chave_secreta";
    let settings = [("HUB_SECRET", secret), ("TIDINGS_HANDSHAKE__HMAC_ALLOW_REPLAY", "true")];
    let server = Server::start_example("hub.toml", directory.path(), &settings).await;
    hub::replay_is_accepted(&gateway(&server), secret).await;
}

#[tokio::test]
async fn websocket_connection_lambdas() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_example("connections.toml", directory.path(), &[]).await;
    connections::scenario(&gateway(&server)).await;
}

#[tokio::test]
async fn websocket_chat_application() {
    let directory = tempfile::tempdir().unwrap();
    let secret = "a secret of at least 32 characters";
    let server = Server::start_example("chat.toml", directory.path(), &[("CHAT_JWT_SECRET", secret)]).await;
    chat::scenario(&gateway(&server), secret).await;
}

#[tokio::test]
async fn websocket_lambda_cognito_auth() {
    let directory = tempfile::tempdir().unwrap();
    let config: toml::Table = std::fs::read_to_string(example("cognito.toml")).unwrap().parse().unwrap();
    // The example's issuer, whose keys are published here instead of by Amazon.
    let mut trusted = config["handshake"]["jwt_issuers"][0].clone();
    let issuer = Issuer::start();
    trusted.as_table_mut().unwrap().insert("jwks_url".to_owned(), issuer.jwks_url.clone().into());
    let issuers = toml::Value::Array(vec![trusted.clone()]).to_string();
    let settings = [("TIDINGS_HANDSHAKE__JWT_ISSUERS", issuers.as_str())];
    let server = Server::start_example("cognito.toml", directory.path(), &settings).await;
    let trusted = Trusted {
        issuer: &issuer,
        name: trusted["issuer"].as_str().unwrap(),
        audience: trusted["audiences"][0].as_str().unwrap(),
        origin: config["handshake"]["allowed_origins"][0].as_str().unwrap(),
    };
    cognito::scenario(&gateway(&server), trusted).await;
}

/// Asks for a token as the client of serverless-async-messaging-gateway does: with GET, and with the ID token of the
/// pool alone in the header. Connects with it.
async fn token_for_a_bare_id_token(server: &Server, issuer: &Issuer, pool: &toml::Value) {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (iss, aud) = (pool["issuer"].as_str().unwrap(), pool["audiences"][0].as_str().unwrap());
    let id_token = issuer.sign(&json!({
        "iss": iss, "aud": aud, "sub": "f4b8c4d8-9041", "token_use": "id", "exp": seconds + 600,
    }));
    let request = server.http().get(format!("{}/v1/token", server.url)).header("authorization", id_token);
    let answer: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
    let url = format!("{}?token={}", gateway(server).web_socket_url, answer["token"].as_str().unwrap());
    Client::open(&url, &[]).await.expect("the user connects");
}

/// Makes a `tidings` command for the server.
fn tidings(server: &Server, data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verification-acceptance"));
    command.env("TIDINGS_URL", &server.url).env("TIDINGS_DATA_DIR", data_dir);
    command
}

#[tokio::test]
async fn serverless_async_messaging_gateway() {
    let directory = tempfile::tempdir().unwrap();
    let config: toml::Table =
        std::fs::read_to_string(example("async-messaging.toml")).unwrap().parse().unwrap();
    // The example's user pool, whose keys are published here instead of by Amazon.
    let mut pool = config["handshake"]["jwt_issuers"][0].clone();
    let issuer = Issuer::start();
    pool.as_table_mut().unwrap().insert("jwks_url".to_owned(), issuer.jwks_url.clone().into());
    let issuers = toml::Value::Array(vec![pool.clone()]).to_string();
    let settings = [("TIDINGS_HANDSHAKE__JWT_ISSUERS", issuers.as_str())];
    let server = Server::start_example("async-messaging.toml", directory.path(), &settings).await;
    token_for_a_bare_id_token(&server, &issuer, &pool).await;
    let program = || tidings(&server, directory.path());
    let command = |arguments: &[&str]| {
        let mut command = program();
        command.args(arguments);
        command
    };
    // Steps 1 and 2: create the user and log in.
    let password = "four tidy words here\n";
    run(command(&["user", "add", "testUser", "--password-stdin"]), password).await;
    let id_token = run(command(&["user", "login", "testUser", "--password-stdin"]), password).await;
    let person = Person { id_token: &id_token, tidings: &program };
    messaging::scenario(&gateway(&server), &person, async |id, message| {
        run(command(&["send", "testUser", "--text", message, "--id", id]), "").await;
    })
    .await;

    // The body of the other gateway's producer needs no id.
    let body = json!({ "userId": "testUser", "message": "over HTTP" });
    let url = format!("{}/message", server.url);
    let request = server.http().post(url).header("authorization", gateway(&server).authorization);
    let answer = request.body(body.to_string()).send().await.unwrap();
    assert!(answer.status().is_success());
    let line = run(command(&["--json", "listen", "testUser", "--count", "1"]), "").await;
    let line: Value = serde_json::from_str(line.lines().last().unwrap()).unwrap();
    assert_eq!(line["payload"], "over HTTP");
}
