//! `tidings listen` acknowledges what it has written, and nothing else.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, pipe};
use std::process::Stdio;

use verification_conformance::UnusedPort;

use super::server::{TestServer, program};

/// Listens with its output to `stdout`, which can't be written, and returns the text on standard error.
#[track_caller]
fn fails_to_print(server: &TestServer, user: &str, stdout: impl Into<Stdio>) -> String {
    let listened = server.client(&["listen", user]).stdout(stdout).output().unwrap();
    let stderr = String::from_utf8(listened.stderr).unwrap();
    assert_eq!(listened.status.code(), Some(74), "{stderr}");
    stderr
}

#[test]
fn notification_that_was_not_printed_comes_again() {
    let server = TestServer::start(&[]);
    server.send("jo", 1..=3);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let stderr = fails_to_print(&server, "jo", full);
    assert!(stderr.contains("it comes again") && stderr.contains("the disk is full"), "{stderr}");

    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let stderr = fails_to_print(&server, "jo", writer);
    assert!(stderr.contains("it comes again") && stderr.contains("its reader has closed it"), "{stderr}");

    // The standard library reports success for a stream that is open for reading alone.
    fails_to_print(&server, "jo", File::open("/dev/null").unwrap());

    assert_eq!(server.receive("jo", 3), ["1", "2", "3"]);
}

#[test]
fn reader_that_stops_gets_the_rest_again() {
    let server = TestServer::start(&[]);
    server.send("jo", 1..=5);
    let mut child = server.client(&["listen", "jo"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 1..=5 {
        lines.next().unwrap().unwrap();
    }
    drop(lines);
    server.send("jo", 6..=6);
    assert_eq!(child.wait().unwrap().code(), Some(74));
    // The five that were read do not come again.
    assert_eq!(server.receive("jo", 1), ["6"]);
}

#[test]
fn payload_over_several_lines_is_one_line_of_json() {
    let server = TestServer::start(&[]);
    let payload = "{\n  \"a\": [\n    1\n  ]\n}";
    for user in ["jo", "raw"] {
        assert!(server.client(&["send", user, payload]).output().unwrap().status.success());
    }
    assert_eq!(server.receive("jo", 1), ["{\"a\":[1]}"]);
    let raw = server.client(&["listen", "raw", "--json", "--format", "raw", "-n", "1"]).output().unwrap();
    assert_eq!(String::from_utf8(raw.stdout).unwrap().lines().count(), 1);
}

#[test]
fn server_that_is_not_there_is_no_idle_one() {
    let unreachable = UnusedPort::new();
    let listened = program()
        .args(["listen", "jo", "--until-idle", "0.1", "--api-key", "k", "--url", &unreachable.url()])
        .output()
        .unwrap();
    let stderr = String::from_utf8(listened.stderr).unwrap();
    assert_eq!(listened.status.code(), Some(69), "{stderr}");
    assert!(stderr.contains("nothing listens at this address") && !stderr.contains("os error"), "{stderr}");
}

#[test]
fn server_that_goes_away_is_no_idle_one() {
    let server = TestServer::start(&[]);
    let mut child = server.client(&["listen", "jo", "--until-idle", "3", "--json"]).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("\"connected\""), "{line}");
    drop(server);
    assert_eq!(child.wait().unwrap().code(), Some(69));
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("no connection to http://"), "{rest}");
}
