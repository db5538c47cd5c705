//! A meter: a proxy before the endpoint that counts the functions' calls to AWS.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::Value;

/// Bytes of an item that a write unit of DynamoDB covers. A read unit covers four times as many
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html>).
const WRITE_UNIT: usize = 1024;
/// Bytes that are metered as one WebSocket message (<https://aws.amazon.com/api-gateway/pricing/>).
const MESSAGE_UNIT: usize = 32 * 1024;

/// Counted calls to AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of calls by their action, named as in a policy.
    pub calls: BTreeMap<String, usize>,
    /// WebSocket messages to clients, counted for each 32 KiB.
    pub messages: usize,
    /// Half read units of DynamoDB: one for an eventually consistent read of 4 KiB, two for a consistent one.
    pub half_reads: usize,
    /// Write units of DynamoDB, one for each KiB of an item.
    pub writes: usize,
}

impl Usage {
    /// Number of calls to a service.
    pub fn calls_to(&self, service: &str) -> usize {
        let of = |name: &&String| name.split_once(':').is_some_and(|(prefix, _)| prefix == service);
        self.calls.iter().filter(|(name, _)| of(name)).map(|(_, calls)| calls).sum()
    }

    /// Adds other counts.
    pub fn merge(&mut self, other: Self) {
        for (name, calls) in other.calls {
            *self.calls.entry(name).or_default() += calls;
        }
        self.messages += other.messages;
        self.half_reads += other.half_reads;
        self.writes += other.writes;
    }

    /// Counts a call. The size of items is that of their JSON, which is more than DynamoDB counts.
    fn add(&mut self, name: &str, request: &[u8], answer: &[u8]) {
        *self.calls.entry(name.to_owned()).or_default() += 1;
        let body = || serde_json::from_slice::<Value>(request).unwrap_or_default();
        match name {
            "execute-api:PostToConnection" => self.messages += request.len().max(1).div_ceil(MESSAGE_UNIT),
            "dynamodb:Query" => {
                let consistent = body()["ConsistentRead"] == true;
                self.half_reads += answer.len().div_ceil(4 * WRITE_UNIT) * (1 + usize::from(consistent));
            }
            "dynamodb:GetItem" => self.half_reads += 1 + usize::from(body()["ConsistentRead"] == true),
            "dynamodb:BatchGetItem" => {
                let tables = body()["RequestItems"].as_object().cloned().unwrap_or_default();
                let of = |table: &Value| {
                    let keys = table["Keys"].as_array().map_or(0, Vec::len);
                    keys * (1 + usize::from(table["ConsistentRead"] == true))
                };
                self.half_reads += tables.values().map(of).sum::<usize>();
            }
            "dynamodb:BatchWriteItem" => {
                let tables = body()["RequestItems"].as_object().cloned().unwrap_or_default();
                let items = tables.values().filter_map(Value::as_array).flatten();
                self.writes += items.map(|item| item.to_string().len().div_ceil(WRITE_UNIT)).sum::<usize>();
            }
            "dynamodb:PutItem" => self.writes += body()["Item"].to_string().len().div_ceil(WRITE_UNIT),
            // The size of the row is not known here: one unit is assumed.
            "dynamodb:UpdateItem" | "dynamodb:DeleteItem" => self.writes += 1,
            _ => {}
        }
    }
}

/// A proxy before an endpoint.
#[derive(Debug)]
pub struct Meter {
    /// The URL of the proxy.
    pub url: String,
    usage: Arc<Mutex<Usage>>,
}

impl Meter {
    /// Starts a meter before an endpoint.
    pub async fn before(endpoint: &str) -> Self {
        // The client needs a TLS provider, even for plain HTTP. Another client may have installed it already.
        _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let usage = Arc::new(Mutex::new(Usage::default()));
        let (client, endpoint, counted) = (reqwest::Client::new(), endpoint.to_owned(), usage.clone());
        let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let (client, counted) = (client.clone(), counted.clone());
            let url = format!("{endpoint}{uri}");
            async move {
                let name = action(&method, &uri, &headers);
                let request = client.request(method, url).headers(headers).body(body.clone());
                let answer = request.send().await.unwrap();
                let (status, headers) = (answer.status(), answer.headers().clone());
                let bytes = answer.bytes().await.unwrap();
                counted.lock().unwrap().add(&name, &body, &bytes);
                forward(status, &headers, bytes)
            }
        };
        let router = axum::Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, usage }
    }

    /// Returns the counts since the last call.
    pub fn take(&self) -> Usage {
        std::mem::take(&mut *self.usage.lock().unwrap())
    }
}

/// Makes the answer, without the headers that belong to the connection to the endpoint.
fn forward(status: StatusCode, headers: &HeaderMap, bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    for (name, value) in headers {
        if !["connection", "content-length", "transfer-encoding"].contains(&name.as_str()) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// The action of a request, named as in a policy.
fn action(method: &Method, uri: &Uri, headers: &HeaderMap) -> String {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    match target.split_once('.') {
        Some(("AmazonSQS", operation)) => format!("sqs:{operation}"),
        Some(("TrentService", operation)) => format!("kms:{operation}"),
        Some((_, operation)) => format!("dynamodb:{operation}"),
        None if *method == Method::POST && uri.path().contains("/@connections/") => {
            "execute-api:PostToConnection".to_owned()
        }
        None => format!("execute-api:{method} {}", uri.path()),
    }
}
