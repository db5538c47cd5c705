//! The history of a whole server: recorded during delivery, and read over HTTP after a restart.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tidings_gateway::app::App;
use tidings_gateway::config::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Server {
    url: String,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

fn start(directory: &Path, history: &str) -> Server {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nauthenticate = false\n[store]\nreserve_bytes = 0\n[history]\n{history}"
    );
    let mut config = Config::from_text(&text, []).unwrap();
    directory.clone_into(&mut config.data_dir);
    let app = App::build(&config, None).unwrap();
    let url = app.url();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(app.run(async { _ = stopped.await }));
    Server { url, stop, running }
}

impl Server {
    /// Sends a request and returns status and body of the answer.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(address).await.unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close");
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, "").await
    }

    async fn send(&self, body: &str) {
        assert_eq!(self.ask("POST", "/v1/notifications", body).await.0, 202);
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap();
    }
}

#[tokio::test]
async fn events_are_read_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let on = "enabled = true\npayloads = true\nlifetime = \"1d\"";
    let server = start(directory.path(), on);
    server.send(r#"{"userId":"jo","id":"n-1","payload":{"a":1.50},"source":"shop","kind":"order"}"#).await;
    server.send(r#"{"userId":"jo","id":"n-2","payload":2,"whenOffline":"drop"}"#).await;
    // A stopped server has finished all runs.
    server.stop().await;
    let server = start(directory.path(), on);
    let (status, page) = server.get("/v1/history/jo/messages?limit=1").await;
    assert_eq!(status, 200, "{page}");
    assert_eq!((&page["items"][0]["id"], &page["items"][0]["what"]), (&"n-2".into(), &"dropped".into()));
    let next = page["next"].as_str().unwrap().replace('#', "%23");
    let (_, page) = server.get(&format!("/v1/history/jo/messages?before={next}")).await;
    let [held] = &page["items"].as_array().unwrap()[..] else { panic!("{page}") };
    assert_eq!(
        (&held["id"], &held["what"], &held["source"]),
        (&"n-1".into(), &"held".into(), &"shop".into())
    );
    assert_eq!(held["payload"]["a"], 1.5);
    assert_eq!(page["next"], Value::Null);
    let (status, page) = server.get("/v1/history/jo/sessions").await;
    assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 0));
    server.stop().await;
    // A history that is off is not read either.
    let server = start(directory.path(), "enabled = false");
    assert_eq!(server.get("/v1/history/jo/messages").await.0, 404);
    server.stop().await;
}

#[test]
fn history_is_off_by_default() {
    assert_eq!(Config::default().history.policy(), None);
    let lifetime = Config::default().history.lifetime.0;
    assert_eq!(lifetime, Duration::from_hours(30 * 24));
}
