//! What the program says about mistakes: in arguments, in the environment, in files and in addresses.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::server::{TestServer, program};

struct Finished {
    code: i32,
    stdout: String,
    stderr: String,
}

fn finish(command: &mut Command) -> Finished {
    let output = command.output().unwrap();
    Finished {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(arguments: &[&str]) -> Finished {
    finish(program().args(arguments))
}

#[test]
fn program_without_a_command_shows_its_help() {
    let ran = run(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("Usage: tidings") && ran.stderr.contains("serve"), "{}", ran.stderr);
}

#[test]
fn usage_errors_are_json_with_json() {
    for arguments in
        [&["send", "--json"][..], &["--json"], &["--json", "nonsense"], &["--json", "listen", "--jwt", "x"]]
    {
        let ran = run(arguments);
        let error: Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!((ran.code, error["error"].is_string()), (2, true), "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("Usage") && !ran.stderr.contains("error: "), "{}", ran.stderr);
    }
    assert!(run(&["send"]).stderr.contains("Usage: tidings send"));
}

#[test]
fn missing_user_names_the_other_ways() {
    let ran = run(&["listen"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("--jwt") && ran.stderr.contains("--username"),
        "{}",
        ran.stderr
    );
    let ran = run(&["--json", "token"]);
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert!(ran.code == 2 && error["error"].as_str().unwrap().contains("--jwt"), "{}", ran.stderr);
    let ran = run(&["listen", "jo", "--username", "jo"]);
    assert!(ran.code == 2 && ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
}

#[test]
fn payload_that_is_not_json_is_a_wrong_argument() {
    let ran = run(&["send", "alice", "{bad", "--api-key", "k"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the payload is not JSON") && ran.stderr.contains("--text"),
        "{}",
        ran.stderr
    );
    let ran = run(&["--json", "send", "alice", "{bad", "--api-key", "k"]);
    // A warning about the key in the arguments comes first.
    let error = ran.stderr.lines().last().unwrap();
    assert!(ran.code == 2 && error.starts_with(r#"{"error":"the payload is not JSON"#), "{}", ran.stderr);
    assert!(error.ends_with("\"causes\":[]}"), "{}", ran.stderr);
}

#[test]
#[cfg(target_os = "linux")]
fn data_directory_that_cannot_be_made_is_explained() {
    for directory in ["/proc/x", "/proc/x/y"] {
        let ran = run(&["serve", "--listen", "0", "--data-dir", directory]);
        assert_ne!(ran.code, 0);
        let expected =
            format!("the data directory {directory}: the file system takes no directory in /proc;");
        assert!(ran.stderr.contains(&expected), "{}", ran.stderr);
    }
}

#[test]
fn text_that_is_not_a_json_web_token_is_named() {
    for command in ["token", "listen"] {
        let ran = run(&[command, "--jwt", "garbage"]);
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.starts_with("error: --jwt is not a JSON Web Token"), "{}", ran.stderr);
    }
}

#[test]
fn missing_and_wrong_api_keys_are_named_with_their_file() {
    let server = TestServer::start(&[]);
    let empty = tempfile::tempdir().unwrap();
    let send = || {
        let mut command = program();
        command.args(["--url", server.url(), "send", "jo", "1", "--data-dir"]).arg(empty.path());
        finish(&mut command)
    };
    let file = empty.path().join("api-key");
    let ran = send();
    let expected = format!("error: no API key at {}; pass --api-key-file or --data-dir", file.display());
    assert!(ran.code == 77 && ran.stderr.starts_with(&expected), "{}", ran.stderr);
    std::fs::write(&file, "tidings_other").unwrap();
    let ran = send();
    let expected = format!("error: the API key in {} is refused", file.display());
    assert!(ran.code == 77 && ran.stderr.starts_with(&expected), "{}", ran.stderr);
}

#[test]
fn addresses_of_another_protocol_are_explained() {
    let server = TestServer::start(&[]);
    let https = server.url().replace("http", "https");
    let ran = run(&["--url", &https, "token", "jo", "--api-key", "k"]);
    assert_eq!(ran.code, 69);
    assert!(
        ran.stderr.contains("does not use TLS") && !ran.stderr.contains("InvalidContentType"),
        "{}",
        ran.stderr
    );
}

#[test]
fn folder_without_a_store_fails_the_check() {
    let empty = tempfile::tempdir().unwrap();
    for command in ["check", "repair"] {
        let ran = finish(program().args(["store", command, "--data-dir"]).arg(empty.path()));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
        assert!(
            ran.stderr.contains("there is no store in") && ran.stderr.contains("--data-dir"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn address_to_listen_on_may_be_a_port() {
    for (address, expected) in
        [("8080", "127.0.0.1:8080"), (":8080", "127.0.0.1:8080"), ("localhost:81", "127.0.0.1:81")]
    {
        let ran = run(&["--json", "config", "show", "--listen", address]);
        let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(shown["server"]["listen"], expected);
    }
    let ran = run(&["config", "check", "--listen", "example.com:80"]);
    assert!(ran.code == 64 && ran.stderr.contains("localhost:PORT"), "{}", ran.stderr);
}

#[test]
fn configuration_check_reads_the_files_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let (file, missing) = (dir.path().join("tidings.toml"), dir.path().join("missing"));
    let missing = missing.to_str().unwrap();
    let plain_file = dir.path().join("plain");
    std::fs::write(&plain_file, "x").unwrap();
    let data_dir = plain_file.join("data");
    for (text, expected) in [
        (format!("[server]\ntls_certificate = {missing:?}\ntls_key = {missing:?}"), missing),
        (format!("[handshake]\nhmac = true\nhmac_secret = {missing:?}"), missing),
        ("[handshake]\nhmac = true\nhmac_secret = \"env:NOT_SET\"".to_owned(), "NOT_SET"),
        (format!("data_dir = {data_dir:?}"), "data_dir"),
    ] {
        std::fs::write(&file, &text).unwrap();
        for command in [&["config", "check"][..], &["serve", "--listen", "0"]] {
            let ran = finish(program().args(command).arg("--config").arg(&file));
            assert_eq!(ran.code, 64, "{text}: {}", ran.stderr);
            assert!(ran.stderr.contains(expected) && !ran.stderr.contains("os error"), "{}", ran.stderr);
        }
    }
    assert!(!Path::new("tidings-data").exists());
}

#[test]
fn log_level_that_is_none_is_refused() {
    let ran = finish(program().args(["config", "check"]).env("TIDINGS_LOG__LEVEL", "warning"));
    assert_eq!(ran.code, 64);
    assert!(ran.stderr.contains("log.level") && ran.stderr.contains("warn,"), "{}", ran.stderr);
}

#[test]
fn variables_without_effect_are_warned_about() {
    let ran =
        finish(program().args(["config", "check"]).env("TIDINGS_LISTEN", "1").env("TIDINGS_NONSENSE", "1"));
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("did you mean TIDINGS_SERVER__LISTEN?"), "{}", ran.stderr);
    assert!(ran.stderr.contains("TIDINGS_NONSENSE is not a setting"), "{}", ran.stderr);
    let ran = finish(
        program().args(["store", "check", "--data-dir", "/nowhere"]).env("TIDINGS_DURABILITY", "synced"),
    );
    assert!(ran.stderr.contains("did you mean TIDINGS_STORE__DURABILITY?"), "{}", ran.stderr);
    let ran = finish(program().args(["--json", "token", "--jwt", "x"]).env("TIDINGS_APIKEY", "secret"));
    let warning: Value = serde_json::from_str(ran.stderr.lines().next().unwrap()).unwrap();
    assert_eq!(warning["type"], "warning");
    assert!(ran.stderr.contains("TIDINGS_API_KEY?") && !ran.stderr.contains("secret"), "{}", ran.stderr);
    // The name of a secret that a setting refers to is the user's own.
    let ran = finish(
        program()
            .args(["config", "check"])
            .env("TIDINGS_HANDSHAKE__HMAC", "true")
            .env("TIDINGS_HANDSHAKE__HMAC_SECRET", "env:TIDINGS_SHARED")
            .env("TIDINGS_SHARED", "secret"),
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn log_in_a_file_has_no_escapes() {
    let dir = tempfile::tempdir().unwrap();
    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    let ran = finish(program().args(["serve", "--listen", &address, "--data-dir"]).arg(dir.path()));
    assert!(
        ran.stderr.contains("INFO") && ran.stderr.contains("another program listens there"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains('\x1b') && !ran.stderr.contains("os error"), "{}", ran.stderr);
}

#[test]
fn version_names_the_commit() {
    let git = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit =
        git.ok().filter(|git| git.status.success()).map(|git| String::from_utf8(git.stdout).unwrap());
    let version = run(&["--version"]).stdout;
    let expected = commit.map_or_else(String::new, |commit| format!(" ({})", commit.trim()));
    assert_eq!(version, format!("tidings {}{expected}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_and_manual_pages_are_written() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).stdout;
        assert!(script.contains("until-idle") && script.contains("redrive"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(finish(program().arg("man").arg(dir.path().join("man1"))).code, 0);
    let page = std::fs::read_to_string(dir.path().join("man1/tidings-listen.1")).unwrap();
    assert!(page.contains(".TH tidings-listen 1") && page.contains("until\\-idle"), "{page}");
    assert!(!dir.path().join("man1/tidings-reference.1").exists());
}

#[test]
fn users_are_listed_below_a_header() {
    let server = TestServer::start(&[]);
    std::fs::write(server.directory().join("password"), "correct horse battery\n").unwrap();
    let password = std::fs::File::open(server.directory().join("password")).unwrap();
    let added = finish(server.client(&["user", "add", "jo", "--password-stdin"]).stdin(password));
    assert_eq!(added.code, 0, "{}", added.stderr);
    let listed = finish(&mut server.client(&["user", "list"])).stdout;
    assert!(listed.starts_with("NAME  ADDED (UTC)\njo    20"), "{listed}");
}

/// Other users of the machine see the arguments of every process.
#[cfg(target_os = "linux")]
#[test]
fn arguments_of_a_running_process_have_no_secret() {
    let server = TestServer::start(&[]);
    let mut listener = program()
        .args([
            "listen",
            "jo",
            "--api-key",
            "secret-in-arguments",
            "--url",
            server.url(),
            "--jwt=secret.jwt.too",
        ])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The warning is written before the process replaces itself.
    let mut stderr = std::io::BufReader::new(listener.stderr.take().unwrap());
    let mut warning = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut warning).unwrap();
    assert!(warning.contains("TIDINGS_API_KEY") && !warning.contains("secret-in"), "{warning}");
    let read = || std::fs::read_to_string(format!("/proc/{}/cmdline", listener.id())).unwrap_or_default();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while read().contains("secret") {
        assert!(std::time::Instant::now() < deadline, "{}", read());
        std::thread::yield_now();
    }
    let _ = listener.kill();
    let _ = listener.wait();
}

#[cfg(unix)]
#[test]
fn data_directory_is_closed_to_other_users() {
    use std::os::unix::fs::MetadataExt as _;
    let server = TestServer::start(&[]);
    let mut open = vec![server.directory().to_owned()];
    while let Some(path) = open.pop() {
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        assert_eq!(metadata.mode() & 0o077, 0, "{}", path.display());
        if metadata.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}

/// systemd and others send SIGHUP for a reload.
#[cfg(unix)]
#[test]
fn hang_up_does_not_end_the_server() {
    let server = TestServer::start(&[]);
    let pid = rustix::process::Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    for _ in 0..3 {
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }
    let sent = server.client(&["send", "jo", "1"]).output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
}
