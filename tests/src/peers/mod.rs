//! Other people's programs, started for a test and killed at its end.

pub(crate) mod cameras;
pub(crate) mod certificates;
pub(crate) mod chromium;
pub(crate) mod commander;
pub(crate) mod emulator;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod learning;
pub(crate) mod modbus;
pub(crate) mod mosquitto;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A program that a test needs; without it the test fails, for a test that is left out shows nothing.
pub(crate) fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

/// Starts it, or says what to do.
pub(crate) fn start(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| {
        let program = command.as_std().get_program().to_string_lossy();
        panic!("`{program}` cannot be started ({error}): run cargo xtask test")
    })
}

/// The Python that has the test peers' packages.
pub(crate) fn python() -> PathBuf {
    venv().join("bin/python")
}

/// The script that looks for barriers on a page.
pub(crate) fn axe() -> PathBuf {
    venv().join("node_modules/axe-core/axe.min.js")
}

fn venv() -> PathBuf {
    std::env::var_os("GATEHOUSE_TEST_VENV")
        .map_or_else(|| workspace().join("target/test-venv"), PathBuf::from)
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a peer says, line by line.
pub(crate) fn lines(output: ChildStdout) -> Lines<BufReader<ChildStdout>> {
    BufReader::new(output).lines()
}

/// The program under test, built beside the tests.
pub(crate) fn gatehouse() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let profile = tests.ancestors().nth(2).unwrap();
    let program = profile.join("gatehouse");
    assert!(program.is_file(), "{} is not built: run cargo xtask test", program.display());
    program
}

/// A token of that scope for the gateway whose configuration lies there.
pub(crate) fn token(config: &Path, scope: &str) -> String {
    let made = std::process::Command::new(gatehouse())
        .args(["user", "token", "scripts", "--scope", scope, "--config", "."])
        .current_dir(config)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// The audit log of the gateway whose configuration lies there, once it has what is wanted: a thread of its own
/// writes it.
pub(crate) async fn audited(config: &Path, has: impl Fn(&str) -> bool) -> String {
    let mut looks = tokio::time::interval(Duration::from_millis(200));
    let mut told = String::new();
    let written = async {
        while !has(&told) {
            looks.tick().await;
            let mut list = command(gatehouse());
            list.args(["audit", "list", "--json", "--config", "."]).current_dir(config);
            told = String::from_utf8(list.output().await.unwrap().stdout).unwrap();
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, written).await;
    assert!(in_time.is_ok(), "{told}");
    told
}

/// Debian's place for libfaketime, whatever the machine is.
pub(crate) fn faketime() -> PathBuf {
    let found = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let mut paths = found.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    paths.find(|path| path.exists()).expect("libfaketime is not here: run cargo xtask test")
}
