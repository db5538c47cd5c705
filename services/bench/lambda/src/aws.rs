//! An endpoint that answers the functions' calls in place of DynamoDB, SQS, KMS and API Gateway.
//!
//! It speaks TLS, as AWS does: loading the certificate authorities is part of a function's start.
//!
//! It stores nothing. A user's name decides which rows the user has:
//!
//! - `away…` has no connection, `app…` has one that accepts several notifications in a frame, and all others have one
//!   that gets each in a frame of its own.
//! - `bob` has one held notification and `held-100` has a hundred. All others have none for the dispatcher and ten for
//!   the replayer.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use contract_identity_v1::ConnectClaims;
use contract_notifications_v1::{Timestamp, UserId, Version1};
use http_body_util::Full;
use hyper::{Response, StatusCode};
use md5::{Digest as _, Md5};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use shared_sync::IgnorePoison as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use crate::http::{HttpRequest, serve};
use crate::scenario::{CONNECTIONS_TABLE, Call, MAILBOX_TABLE};

/// Stand-in for the bytes that KMS adds to a plaintext, of about the right size.
const ENVELOPE: [u8; 150] = [1; 150];

/// A running endpoint that counts its calls.
pub(crate) struct Endpoint {
    port: u16,
    /// The certificate authority that the functions have to trust, as PEM.
    authority: String,
    calls: Arc<Mutex<BTreeMap<Call, usize>>>,
}

/// Creates a certificate for `localhost`, and returns it with its authority as PEM.
fn certificate() -> Result<(ServerConfig, String)> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "an authority of this measurement");
    let key = KeyPair::generate()?;
    let root = authority.self_signed(&key)?.pem();
    let own = KeyPair::generate()?;
    let issuer = Issuer::new(authority, key);
    let mut certificate = CertificateParams::new(["localhost".to_owned()])?;
    certificate.distinguished_name.push(DnType::CommonName, "localhost");
    let certificate = certificate.signed_by(&own, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key)?;
    Ok((config, root))
}

impl Endpoint {
    /// Listens on a free port.
    ///
    /// # Errors
    /// No certificate can be created, or no port is free.
    pub(crate) async fn new() -> Result<Self> {
        let (config, authority) = certificate().context("can't create a certificate")?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let calls = Arc::<Mutex<_>>::default();
        let log = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let _delayed = socket.set_nodelay(true);
                let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    // A failed handshake shows as missing calls.
                    if let Ok(io) = acceptor.accept(socket).await {
                        serve(io, async |request| respond(&request, &log)).await;
                    }
                });
            }
        });
        Ok(Self { port, authority, calls })
    }

    /// Returns the value of `AWS_ENDPOINT_URL`.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Writes the certificate authority to `folder`: alone in `own.pem` for Node, which has the public
    /// authorities built in, and after the system's list in `all.pem` for programs that read a list.
    ///
    /// # Errors
    /// The system has no list, or the files can't be written.
    pub(crate) fn write_authorities(&self, folder: &Path) -> Result<()> {
        // The paths of Debian and of Amazon Linux.
        let lists = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/cert.pem"];
        let system = lists.iter().find_map(|list| std::fs::read_to_string(list).ok());
        let system = system.context("the system has no list of certificate authorities")?;
        std::fs::write(folder.join("own.pem"), &self.authority)?;
        Ok(std::fs::write(folder.join("all.pem"), system + &self.authority)?)
    }

    /// Returns the number of each call and resets the counts.
    pub(crate) fn take_calls(&self) -> BTreeMap<Call, usize> {
        std::mem::take(&mut *self.calls.lock().ignore_poison())
    }
}

fn respond(request: &HttpRequest, log: &Mutex<BTreeMap<Call, usize>>) -> Response<Full<Bytes>> {
    let (call, answer) = answer(request);
    *log.lock().ignore_poison().entry(call).or_default() += 1;
    let (status, body) = answer.map_or_else(
        || (StatusCode::BAD_REQUEST, json!({ "__type": "UnknownOperationException" }).to_string()),
        |answer| (StatusCode::OK, answer.to_string()),
    );
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", hyper::header::HeaderValue::from_static("application/x-amz-json-1.0"));
    if let Ok(id) = Uuid::new_v4().to_string().parse() {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// Returns the call of a request and its answer, or `None` for an unknown call.
fn answer(request: &HttpRequest) -> (Call, Option<Value>) {
    let path = request.head.uri.path();
    if let Some((_, connection)) = path.split_once("/@connections/") {
        return (format!("execute-api PostToConnection {connection}"), Some(json!({})));
    }
    let target = request.head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    match target.and_then(|target| target.split_once('.')) {
        Some(("DynamoDB_20120810", operation)) => {
            let table = table_of(&body);
            (format!("dynamodb {operation} {table}"), dynamodb(operation, table, &body))
        }
        Some(("AmazonSQS", "SendMessageBatch")) => {
            let entries = body["Entries"].as_array().map_or(&[][..], Vec::as_slice);
            (format!("sqs SendMessageBatch {}", entries.len()), Some(accepted(entries)))
        }
        Some(("TrentService", "Encrypt")) => {
            let plaintext = STANDARD.decode(text("Plaintext")).unwrap_or_default();
            let ciphertext = STANDARD.encode([&ENVELOPE, plaintext.as_slice()].concat());
            let answer = json!({ "CiphertextBlob": ciphertext, "KeyId": text("KeyId") });
            (format!("kms Encrypt {}", text("KeyId")), Some(answer))
        }
        Some(("TrentService", "Decrypt")) => {
            let answer = json!({ "Plaintext": STANDARD.encode(claims()), "KeyId": text("KeyId") });
            (format!("kms Decrypt {}", text("KeyId")), Some(answer))
        }
        _ => (format!("{} {path} {target:?}", request.head.method), None),
    }
}

/// Returns the claims of a valid token as JSON.
fn claims() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    let claims = UserId::new("alice").map(|sub| ConnectClaims {
        version: Version1,
        iss: "tidings".to_owned(),
        aud: "tidings".to_owned(),
        sub,
        username: "Alice".to_owned(),
        iat: now,
        exp: now.plus(Duration::from_secs(30)),
        jti: Uuid::new_v4().to_string(),
        hubs: Vec::new(),
        source_exp: None,
        source_key: None,
        source_token: None,
    });
    claims.ok().and_then(|claims| serde_json::to_string(&claims).ok()).unwrap_or_default()
}

/// Returns the table of a request, or the first table of a batch.
fn table_of(body: &Value) -> &str {
    let batch =
        || body["RequestItems"].as_object().and_then(|tables| tables.keys().next().map(String::as_str));
    body["TableName"].as_str().or_else(batch).unwrap_or_default()
}

fn dynamodb(operation: &str, table: &str, body: &Value) -> Option<Value> {
    let user = user_of(body);
    let rows = match (operation, table) {
        ("Query", CONNECTIONS_TABLE) if user.starts_with("away") => Vec::new(),
        ("Query", CONNECTIONS_TABLE) => vec![json!({
            "version": { "N": "1" }, "userId": { "S": user }, "connectionId": { "S": format!("{user}-1") },
            "connectedAt": { "N": "1767225600000" }, "acknowledges": { "BOOL": false },
            "format": { "S": if user.starts_with("app") { "batch" } else { "single" } }, "ttl": { "N": "1767233400" },
        })],
        // Only the replayer asks for keys alone.
        ("Query", MAILBOX_TABLE) if body.get("ProjectionExpression").is_some() => {
            let held = user.strip_prefix("held-").and_then(|count| count.parse().ok()).unwrap_or(10);
            (0..held).map(|n| json!({ "sequence": { "S": format!("{n:039}") } })).collect()
        }
        ("Query", MAILBOX_TABLE) if user == "bob" => vec![json!({
            "version": { "N": "1" }, "userId": { "S": "bob" },
            "sequence": { "S": "000000000000000000018849496460467690001" }, "id": { "S": "order-1041" },
            "payload": { "S": "{\"order\":1041}" }, "sentAt": { "N": "1767225500000" },
            "whenOffline": { "S": "hold" },
        })],
        ("Query", MAILBOX_TABLE) => Vec::new(),
        ("DeleteItem", _) if body["ReturnValues"] == "ALL_OLD" => {
            let hash = body["Key"]["tokenHash"].clone();
            let row = json!({ "version": { "N": "1" }, "tokenHash": hash, "ttl": { "N": "1767225630" } });
            return Some(json!({ "Attributes": row }));
        }
        ("PutItem" | "UpdateItem" | "DeleteItem", _) => return Some(json!({})),
        ("BatchWriteItem", _) => return Some(json!({ "UnprocessedItems": {} })),
        _ => return None,
    };
    Some(json!({ "Count": rows.len(), "ScannedCount": rows.len(), "Items": rows }))
}

/// Returns the user of a query. The functions of Tidings and those in Node name the value differently.
fn user_of(body: &Value) -> &str {
    let named = [":user", ":value"].map(|name| body["ExpressionAttributeValues"][name]["S"].as_str());
    named.into_iter().flatten().next().unwrap_or_default()
}

fn accepted(entries: &[Value]) -> Value {
    let each = entries.iter().map(|entry| {
        let body = entry["MessageBody"].as_str().unwrap_or_default();
        json!({
            "Id": entry["Id"], "MessageId": Uuid::new_v4().to_string(), "SequenceNumber": "18849496460467696128",
            "MD5OfMessageBody": hex::encode(Md5::digest(body)),
        })
    });
    json!({ "Successful": each.collect::<Vec<_>>(), "Failed": [] })
}
