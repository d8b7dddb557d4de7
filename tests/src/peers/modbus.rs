//! pymodbus as slaves, and socat as a pair of serial ports.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::{PATIENCE, command, lines, python, start, workspace};

/// The wires that a line can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    RtuOverTcp,
    Serial,
}

/// Slaves on one line, as `tests/peers/modbus_server.py` plays them.
pub(crate) struct Slaves {
    kind: Kind,
    /// Where a gateway finds them: an address or a path.
    pub(crate) place: String,
    process: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _ports: Option<Ports>,
}

impl Slaves {
    /// `units` is `{unit: {table: [[address, type, order, value], ...]}}`.
    pub(crate) async fn start(kind: Kind, units: &Value) -> Self {
        match kind {
            Kind::Serial => Self::start_at(kind, "", Some(Ports::start().await), units).await,
            Kind::Tcp | Kind::RtuOverTcp => Self::start_at(kind, "0", None, units).await,
        }
    }

    async fn start_at(kind: Kind, port: &str, ports: Option<Ports>, units: &Value) -> Self {
        let wire = match kind {
            Kind::Tcp => "tcp",
            Kind::RtuOverTcp => "rtu-over-tcp",
            Kind::Serial => "serial",
        };
        let mut process = start(
            command(python())
                .arg(workspace().join("tests/peers/modbus_server.py"))
                .arg(wire)
                .arg(ports.as_ref().map_or(Path::new(port), |ports| &ports.theirs))
                .arg(units.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        );
        let commands = process.stdin.take().unwrap();
        let mut answers = lines(process.stdout.take().unwrap());
        let ready = timeout(PATIENCE, answers.next_line()).await.unwrap().unwrap();
        let ready = ready.expect("pymodbus did not start: run cargo xtask test");
        let port = ready.strip_prefix("ready ").unwrap();
        let place = ports.as_ref().map_or_else(
            || format!("127.0.0.1:{port}"),
            |ports| ports.ours.to_string_lossy().into_owned(),
        );
        Self { kind, place, process, commands, answers, _ports: ports }
    }

    /// The same slaves, killed and started anew at the same place.
    pub(crate) async fn restart(mut self, units: &Value) -> Self {
        assert_ne!(self.kind, Kind::Serial, "a line does not go away with its slaves");
        self.kill().await;
        let (_, port) = self.place.rsplit_once(':').unwrap();
        Self::start_at(self.kind, port, None, units).await
    }

    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// What the place is called in a line's configuration.
    pub(crate) fn key(&self) -> &'static str {
        match self.kind {
            Kind::Tcp => "tcp",
            Kind::RtuOverTcp => "rtu-over-tcp",
            Kind::Serial => "serial",
        }
    }

    /// Tells the slaves how to behave; see the script.
    pub(crate) async fn tell(&mut self, command: &str) {
        assert_eq!(self.ask(command).await, "done", "{command}");
    }

    /// What stands at an address, by the slaves' own account.
    pub(crate) async fn get(&mut self, unit: u8, table: &str, address: u16) -> u16 {
        self.ask(&format!("get {unit} {table} {address}")).await.parse().unwrap()
    }

    async fn ask(&mut self, command: &str) -> String {
        self.commands.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        timeout(PATIENCE, self.answers.next_line()).await.unwrap().unwrap().unwrap()
    }
}

/// Two serial ports, connected back to back.
struct Ports {
    ours: PathBuf,
    theirs: PathBuf,
    _socat: Child,
}

impl Ports {
    async fn start() -> Self {
        let mut socat = start(
            command("socat")
                .args(["-d", "-d", "pty,raw,echo=0", "pty,raw,echo=0"])
                .stderr(Stdio::piped()),
        );
        let mut said = BufReader::new(socat.stderr.take().unwrap()).lines();
        let mut ports = Vec::new();
        while ports.len() < 2 {
            let line = timeout(PATIENCE, said.next_line()).await.unwrap().unwrap();
            let line = line.expect("socat has ended");
            if let Some((_, path)) = line.split_once("PTY is ") {
                ports.push(PathBuf::from(path));
            }
        }
        let (theirs, ours) = (ports.remove(1), ports.remove(0));
        // It must not find its standard error closed, and has nothing more to say that matters.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Self { ours, theirs, _socat: socat }
    }
}
