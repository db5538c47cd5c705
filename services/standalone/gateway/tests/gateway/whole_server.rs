//! A server as the program builds it from its configuration, with everything that runs beside it.

use std::path::Path;

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tidings_gateway::app::App;
use tidings_gateway::config::Config;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::test_server::within;

/// A running server with its data in a folder.
pub(crate) struct WholeServer {
    pub(crate) url: String,
    /// API key of the operator.
    pub(crate) key: String,
    http: reqwest::Client,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl WholeServer {
    /// Starts a server on a free port. `settings` follow in the section `[server]`.
    pub(crate) fn start(directory: &Path, settings: &str) -> Self {
        let data = directory.join("data");
        let text = format!(
            "data_dir = {:?}\n[server]\nlisten = \"127.0.0.1:0\"\n{settings}",
            data.to_str().unwrap()
        );
        let app = App::build(&Config::from_text(&text, []).unwrap(), None).unwrap();
        let (url, (stop, stopped)) = (app.url(), oneshot::channel::<()>());
        let running = tokio::spawn(app.run(async {
            let _ = stopped.await;
        }));
        let key = std::fs::read_to_string(data.join("api-key")).unwrap().trim().to_owned();
        // Making the gateway's client installs a TLS provider, which every client needs.
        drop(tidings_client::Gateway::new(&url).unwrap());
        Self { url, key, http: reqwest::Client::new(), stop, running }
    }

    /// Makes a request with a bearer token.
    pub(crate) fn request(&self, method: Method, path: &str, bearer: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(bearer)
    }

    /// Adds a user with the password `correct horse`.
    pub(crate) async fn add_user(&self, name: &str) {
        let body = json!({"username": name, "password": "correct horse"}).to_string();
        let request = self.request(Method::POST, "/v1/users", &self.key).body(body);
        assert_eq!(within(request.send()).await.unwrap().status(), 201);
    }

    /// Stops the server and waits for its end.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        within(self.running).await.unwrap();
    }
}
