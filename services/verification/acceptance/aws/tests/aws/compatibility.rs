//! The unchanged clients of other gateways, with one deployment that accepts all of them.

use std::process::Command;

use contract_notifications_v1::UserId;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use verification_acceptance_aws::{Deployment, binary};
use verification_source_clients::cognito::Trusted;
use verification_source_clients::messaging::Person;
use verification_source_clients::{Gateway, Issuer, chat, cognito, connections, hub, messaging, unique};
use verification_test_kit::endpoint;

const HMAC_SECRET: &str = "sua_chave_secreta";
const JWT_SECRET: &str = "a secret of at least 32 characters";
const ORIGIN: &str = "https://app.example.com";
const ISSUER: &str = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE";
const AUDIENCE: &str = "0123456789example";

/// The settings of all `docs/examples` together. A broadcast takes several entries, because of the last one.
const SETTINGS: [&str; 9] = [
    "TIDINGS_DEFAULT_FORMAT=raw",
    "TIDINGS_RAW_WITHOUT_SENDER=true",
    "TIDINGS_SHARED_USER_IDS=allow",
    "TIDINGS_SEND_POLICY=anyone",
    "TIDINGS_EVERYONE_HUB=chat",
    "TIDINGS_PRESENCE=true",
    "TIDINGS_CLOSE_WHEN_EXPIRED=true",
    "TIDINGS_HISTORY_PAYLOADS=true",
    "TIDINGS_FAN_OUT_MEMBERS=2",
];

/// The deployment of all tests. Each test has users of its own.
struct Shared {
    deployment: Deployment,
    gateway: Gateway,
    issuer: Issuer,
}

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED.get_or_init(deploy).await
}

async fn deploy() -> Shared {
    let issuer = Issuer::start();
    let issuers = json!([
        { "algorithm": "HS256" },
        { "issuer": ISSUER, "algorithm": "RS256", "jwks_url": issuer.jwks_url, "audiences": [AUDIENCE] },
    ]);
    let config = [
        ("handshakeMethods", json!(["token", "jwt", "hmac", "open"])),
        // As a text, not as a list.
        ("handshakeIssuers", json!(issuers.to_string())),
        ("allowedOrigins", json!([ORIGIN])),
        ("history", json!(true)),
    ];
    let config = config.map(|(key, value)| format!("--config=tidings:{key}={value}"));
    let deployment = Deployment::with(&endpoint(), &config.each_ref().map(String::as_str), &SETTINGS).await;
    deployment.put_secret("hmacSecretArn", HMAC_SECRET).await;
    deployment.put_secret("jwtSecretArn", JWT_SECRET).await;
    let gateway = Gateway {
        web_socket_url: deployment.output("webSocketUrl").to_owned(),
        management_url: deployment.management_url(),
        history_url: deployment.output("historyUrl").to_owned(),
        authorization: deployment.authorization(),
        is_emulated: true,
    };
    Shared { deployment, gateway, issuer }
}

#[tokio::test]
async fn lambda_hub_websocket_auth() {
    hub::scenario(&shared().await.gateway, HMAC_SECRET).await;
}

#[tokio::test]
async fn websocket_connection_lambdas() {
    connections::scenario(&shared().await.gateway).await;
}

#[tokio::test]
async fn websocket_chat_application() {
    chat::scenario(&shared().await.gateway, JWT_SECRET).await;
}

#[tokio::test]
async fn websocket_lambda_cognito_auth() {
    let Shared { gateway, issuer, .. } = shared().await;
    let trusted = Trusted { issuer, name: ISSUER, audience: AUDIENCE, origin: ORIGIN };
    cognito::scenario(gateway, trusted).await;
}

#[tokio::test]
async fn serverless_async_messaging_gateway() {
    let Shared { gateway, deployment, .. } = shared().await;
    let login = deployment.log_in(&unique("testUser")).await;
    let folder = tempfile::tempdir().unwrap();
    let outputs = folder.path().join("outputs.json");
    std::fs::write(&outputs, deployment.outputs().to_string()).unwrap();
    let program = || {
        let mut command = Command::new(binary("tidings"));
        command.arg("--stack").arg(&outputs);
        command.into()
    };
    let person = Person { id_token: &login.jwt, tidings: &program };
    messaging::scenario(gateway, &person, async |id, message| {
        let body = json!({ "userId": login.user, "id": id, "message": message });
        assert_eq!(deployment.post(&body.to_string()).await, 202);
    })
    .await;
}

/// Not a client of another gateway, but this deployment has a hub of everyone, in which other tests' users
/// come and go.
#[tokio::test]
async fn members_action_lists_connected_users() {
    let Shared { deployment, .. } = shared().await;
    let (al, jo) = (unique("al"), unique("jo"));
    let open = async |user: &str| {
        deployment.try_open(&format!("client_id={user}")).await.expect("the user connects")
    };
    let (mut asking, other) = (open(&jo).await, open(&al).await);
    let mut connected_users = async || {
        let (mut users, mut after) = (Vec::new(), None);
        loop {
            // Small pages, so that there are several.
            asking.send(&json!({ "action": "members", "after": after, "limit": 2 })).await;
            let page = loop {
                let frame: Value = serde_json::from_str(&asking.frame().await).unwrap();
                if frame["type"] == "members" {
                    break frame;
                }
            };
            users.extend(
                page["users"].as_array().unwrap().iter().map(|user| user.as_str().unwrap().to_owned()),
            );
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                // In the order of the ids as they are carried.
                let carried: Vec<_> = users.iter().map(|user| UserId::new(user.as_str()).unwrap()).collect();
                assert!(carried.is_sorted_by(|a, b| a < b), "{users:?}");
                return users;
            }
        }
    };
    let users = connected_users().await;
    assert!(users.contains(&al) && users.contains(&jo), "{users:?}");
    drop(other);
    while connected_users().await.contains(&al) {}
}
