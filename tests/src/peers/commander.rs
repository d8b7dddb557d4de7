//! The platform's keys and signatures, made by jwcrypto.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::{PATIENCE, command, lines, python, start, workspace};

/// Signs as `tests/peers/commander.py` does.
pub(crate) struct Commander {
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Commander {
    pub(crate) fn start() -> Self {
        let mut process = start(
            command(python())
                .arg(workspace().join("tests/peers/commander.py"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        );
        let requests = process.stdin.take().unwrap();
        let answers = lines(process.stdout.take().unwrap());
        Self { requests, answers, _process: process }
    }

    /// Makes a pair of keys, `path` and `path.pub`; gives its thumbprint.
    pub(crate) async fn make(&mut self, path: &Path) -> String {
        self.ask(&json!({ "key": path })).await
    }

    pub(crate) async fn sign(&mut self, command: &Value, key: &Path) -> String {
        self.ask(&json!({ "sign": command, "key": key })).await
    }

    /// With something of its own in the protected header.
    pub(crate) async fn sign_with(
        &mut self,
        command: &Value,
        key: &Path,
        header: &Value,
    ) -> String {
        self.ask(&json!({ "sign": command, "key": key, "header": header })).await
    }

    async fn ask(&mut self, request: &Value) -> String {
        self.requests.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        let answer = timeout(PATIENCE, self.answers.next_line()).await.unwrap().unwrap();
        answer.expect("jwcrypto has ended: run cargo xtask test")
    }
}
