//! Child processes that read and write lines.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::timeout::TIMEOUT;

/// A child process, killed when dropped.
#[derive(Debug)]
pub(crate) struct LineProgram {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl LineProgram {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{error}"));
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output).lines() }
    }

    /// Reads the next line of its output as JSON.
    pub(crate) async fn line(&mut self) -> Value {
        let line = tokio::time::timeout(TIMEOUT, self.output.next_line());
        let line = line.await.expect("a line comes in time").unwrap().expect("the program is running");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    pub(crate) async fn write_line(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Interrupts the program (SIGINT) and waits until it has ended successfully.
    pub(crate) async fn interrupt(self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
        self.finish().await;
    }

    /// Closes its input and waits until it has ended successfully.
    pub(crate) async fn finish(self) {
        let Self { mut child, input, .. } = self;
        drop(input);
        let ended = tokio::time::timeout(TIMEOUT, child.wait());
        assert!(ended.await.expect("the program ends in time").unwrap().success());
    }
}
