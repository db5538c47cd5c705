//! The security log of a server: who was refused, and who may do what.

use std::io::{BufRead as _, BufReader, Read as _};

use serde_json::Value;

use crate::server::program;

/// The first twelve hexadecimal digits of the SHA-256 of "jo", as `sha256sum` writes them.
const JO: &str = "c278ec5a69c3";

#[test]
fn refusals_and_changes_are_logged() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = program()
        .args(["--json", "serve", "--listen", "0", "--data-dir"])
        .arg(directory.path())
        .env("TIDINGS_LOG__FORMAT", "json")
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    let url = ready["url"].as_str().unwrap();
    let client = |key: Option<&str>| {
        let mut command = program();
        command.args(["--url", url, "--data-dir"]).arg(directory.path()).args(["token", "jo"]);
        command.envs(key.map(|key| ("TIDINGS_API_KEY", key)));
        command.output().unwrap().status.code()
    };
    assert_eq!(client(None), Some(0));
    assert_eq!(client(Some("a-wrong-key")), Some(77));
    let _ = server.kill();
    server.wait().unwrap();

    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["target"] == "tidings::security")
        .collect();
    let [issued, refused] = &lines[..] else { panic!("{log}") };
    assert_eq!((&issued["event"], &issued["user"]), (&"token-issued".into(), &JO.into()), "{issued}");
    assert_eq!(
        (&refused["event"], &refused["status"]),
        (&"credential-refused".into(), &403.into()),
        "{refused}"
    );
    for line in [issued, refused] {
        assert_eq!((&line["address"], &line["path"]), (&"127.0.0.1".into(), &"/v1/token".into()), "{line}");
        assert_eq!(line["request_id"].as_str().map(str::len), Some(36), "{line}");
    }
    assert!(refused["reason"].as_str().unwrap().contains("API key"), "{refused}");
    assert!(!log.contains("a-wrong-key"), "{log}");
}
