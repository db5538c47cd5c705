//! A server as a child process, for tests of the client commands.

use std::io::{BufRead as _, BufReader};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A server with a directory of its own. Dropping it kills the server.
pub(crate) struct TestServer {
    child: Child,
    url: String,
    directory: tempfile::TempDir,
}

/// Returns a command of the program with an empty environment.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl TestServer {
    /// Starts a server with these options of `tidings serve`, and waits until it is ready.
    pub(crate) fn start(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        open_to_others(directory.path());
        let mut child = program()
            .args(["--json", "serve", "--listen", "0", "--data-dir"])
            .arg(directory.path())
            .args(options)
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Self { child, url: ready["url"].as_str().unwrap().to_owned(), directory }
    }

    /// Returns the id of the server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the server's address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the server's data directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns a client command for this server.
    pub(crate) fn client(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(["--url", &self.url, "--data-dir"]).arg(self.directory.path()).args(arguments);
        command
    }

    /// Sends notifications to a user, with numbers as their payloads.
    pub(crate) fn send(&self, user: &str, numbers: RangeInclusive<u32>) {
        for number in numbers {
            let sent = self.client(&["send", user, &number.to_string()]).output().unwrap();
            assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        }
    }

    /// Listens until `count` notifications have come, and returns their payloads.
    pub(crate) fn receive(&self, user: &str, count: usize) -> Vec<String> {
        let count = count.to_string();
        let listened = self.client(&["listen", user, "--json", "-n", &count]).output().unwrap();
        assert!(listened.status.success(), "{}", String::from_utf8_lossy(&listened.stderr));
        let text = String::from_utf8(listened.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["payload"].to_string()).collect()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Gives a directory the mode that mkdir gives it.
fn open_to_others(directory: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = directory;
}
