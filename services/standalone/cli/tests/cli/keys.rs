//! `tidings key` with a server.

use std::process::Output;

use serde_json::Value;

use super::server::TestServer;

/// Runs a client command with this API key.
fn with_key(server: &TestServer, key: &str, arguments: &[&str]) -> Output {
    server.client(&[&["--api-key", key], arguments].concat()).output().unwrap()
}

/// Runs a command that must succeed, and returns its output.
#[track_caller]
fn run(server: &TestServer, arguments: &[&str]) -> String {
    let ran = server.client(arguments).output().unwrap();
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn added_key_does_what_its_scopes_say_until_it_is_revoked() {
    let server = TestServer::start(&[]);
    let added =
        run(&server, &["key", "add", "ci", "--scope", "send:app-", "--expires", "90d", "--rate", "50/1s"]);
    let old = added.trim();
    assert!(old.starts_with("tidings_") && added.lines().count() == 1, "{added}");
    assert!(with_key(&server, old, &["send", "app-jo", "1"]).status.success());
    let refused = with_key(&server, old, &["send", "jo", "1"]);
    assert_eq!(refused.status.code(), Some(77));
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(stderr.contains("the key \"ci\" may not do this") && stderr.contains("send:app-"), "{stderr}");
    assert_eq!(with_key(&server, old, &["key", "list"]).status.code(), Some(77));

    let new = run(&server, &["key", "rotate", "ci", "--overlap", "1h"]);
    for key in [old, new.trim()] {
        assert!(with_key(&server, key, &["send", "app-jo", "1"]).status.success());
    }
    let list = run(&server, &["key", "list"]);
    assert!(
        list.contains("first") && list.contains("send:app-") && list.contains("50 notifications in 1 s"),
        "{list}"
    );
    assert!(!list.contains("tidings_"), "{list}");
    let json = run(&server, &["--json", "key", "list"]);
    let listed: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((listed.len(), listed[1]["scopes"][0].as_str()), (2, Some("send:app-")));
    assert!(listed[1]["lastUsedAt"].is_u64(), "{json}");

    assert_eq!(run(&server, &["key", "revoke", "ci"]), "revoked  ci\n");
    assert_eq!(with_key(&server, new.trim(), &["send", "app-jo", "1"]).status.code(), Some(77));
}

#[test]
fn wrong_arguments_of_a_key_are_refused_before_a_request() {
    let server = TestServer::start(&[]);
    for (arguments, word) in [
        (&["key", "add", "ci"][..], "--scope"),
        (&["key", "add", "ci", "--scope", "write"], "send:<prefix>"),
        (&["key", "add", "ci", "--scope", "send", "--rate", "many"], "1000/1s"),
        (&["key", "add", "ci", "--scope", "send", "--expires", "soon"], "duration"),
    ] {
        let ran = server.client(arguments).output().unwrap();
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert!(ran.status.code() == Some(2) && stderr.contains(word), "{arguments:?}: {stderr}");
    }
}

#[test]
fn user_is_blocked_signed_out_and_removed() {
    let server = TestServer::start(&[]);
    let password = |arguments: &[&str], text: &str| {
        let file = server.directory().join("password");
        std::fs::write(&file, format!("{text}\n")).unwrap();
        let mut command = server.client(&[arguments, &["--password-stdin"]].concat());
        command.stdin(std::fs::File::open(file).unwrap()).output().unwrap()
    };
    assert!(password(&["user", "add", "zoe"], "correct horse").status.success());
    let common = password(&["user", "passwd", "zoe"], "password");
    assert!(String::from_utf8_lossy(&common.stderr).contains("too common"), "{common:?}");
    let changed = password(&["user", "passwd", "zoe"], "battery staple");
    assert_eq!(String::from_utf8(changed.stdout).unwrap(), "changed  zoe\n");
    assert!(password(&["user", "login", "zoe"], "battery staple").status.success());
    assert_eq!(run(&server, &["user", "block", "zoe", "--for", "1h"]), "blocked  zoe\n");
    assert_eq!(password(&["user", "login", "zoe"], "battery staple").status.code(), Some(77));
    let blocks = run(&server, &["user", "blocks"]);
    assert!(blocks.contains("zoe") && blocks.contains("SIGNED OUT"), "{blocks}");
    assert_eq!(run(&server, &["user", "unblock", "zoe"]), "unblocked  zoe\n");
    assert_eq!(run(&server, &["user", "sign-out", "zoe"]), "signed out  zoe\n");
    assert_eq!(run(&server, &["user", "disconnect", "zoe"]), "disconnected  zoe\n");
    assert_eq!(run(&server, &["user", "revoke-token", "j1"]), "revoked  j1\n");
    assert_eq!(run(&server, &["user", "remove", "zoe"]), "removed  zoe\n");
    let again = server.client(&["user", "remove", "zoe"]).output().unwrap();
    assert_eq!(again.status.code(), Some(1));
}
