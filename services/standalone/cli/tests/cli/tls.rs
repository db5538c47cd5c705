//! Client commands over TLS, with a certificate of an authority that the operating system does not know.

use super::server::{TestServer, program};

#[test]
fn certificate_authority_of_a_file_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let write = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = write("certificate.pem", cert.pem());
    let key = write("key.pem", signing_key.serialize_pem());
    let config = format!("[server]\ntls_certificate = {certificate:?}\ntls_key = {key:?}\n");
    let server = TestServer::start(&["--config", &write("tidings.toml", config)]);
    assert!(server.url().starts_with("https://"));

    let run = |arguments: &[&str]| {
        let output = server.client(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), stderr)
    };
    let (code, _, stderr) = run(&["send", "jo", "1"]);
    assert!(code == Some(69) && stderr.contains("--ca-file"), "{stderr}");
    let (code, _, stderr) = run(&["send", "jo", "1", "--ca-file", &certificate]);
    assert_eq!(code, Some(0), "{stderr}");
    // HTTP gets the token, WebSocket the notification.
    let (code, stdout, stderr) = run(&["listen", "jo", "-n", "1", "--json", "--ca-file", &certificate]);
    assert!(code == Some(0) && stdout.contains("\"payload\":1"), "{stdout}{stderr}");

    let (code, _, stderr) = run(&["send", "jo", "1", "--ca-file", &key]);
    assert!(code == Some(1) && stderr.contains("contains no certificate"), "{stderr}");
    // The server speaks TLS only.
    let plain = server.url().replace("https", "http");
    let sent = program().args(["send", "jo", "1", "--api-key", "k", "--url", &plain]).output().unwrap();
    let stderr = String::from_utf8(sent.stderr).unwrap();
    assert!(sent.status.code() == Some(69) && stderr.contains("begins with https://"), "{stderr}");
}
