//! What must hold before a change is shown to anyone.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{arm, cross, eval, firmware, package_test, prepare, step, watched};

/// The version whose rules `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// Prepares the machine, builds everything once, and runs every test.
pub(crate) fn test() -> Result<()> {
    let started = Instant::now();
    let venv = prepare::everything()?;
    // Before the tests: one of them runs a node in an emulator.
    firmware::run()?;
    // The whole workspace, because the tests start the program itself, and because another choice of
    // packages would build some dependencies a second time.
    step::run(&mut step::cargo(&["build", "--workspace", "--all-targets"]))?;
    watched::run(step::cargo(&["test", "--workspace"]).env("GATEHOUSE_TEST_VENV", &venv))?;
    let program = step::target().join("debug/gatehouse");
    package_test::run_if_possible(&program)?;
    if cross::is_here() {
        cross::test(true)?;
    } else {
        eprintln!(
            "xtask: nothing is tested as arm64: `cargo xtask arm-test` brings what that takes"
        );
    }
    let recordings = std::env::var_os("GATEHOUSE_DATA");
    if recordings.is_some() {
        eval::run(&["--judge", "--program", &program.to_string_lossy(), "nab", "skab"])?;
    }
    summary(started.elapsed(), recordings.is_some());
    Ok(())
}

/// The whole of it, quickest first.
pub(crate) fn ci() -> Result<()> {
    step::run(&mut step::cargo(&["fmt", "--all", "--check"]))?;
    step::run(&mut step::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    firmware::lint()?;
    deny()?;
    if let Err(error) = arm::make() {
        eprintln!("xtask: nothing is built for ARM: {error:#}");
    }
    test()
}

/// Advisories are left out: they need a database from the network. `cargo deny check` has them.
pub(crate) fn deny() -> Result<()> {
    step::run(
        Command::new(cargo_deny()?)
            .current_dir(step::workspace())
            .args(["check", "bans", "licenses", "sources"]),
    )
}

/// The `cargo-deny` that is here, or one built for us below the target folder.
fn cargo_deny() -> Result<PathBuf> {
    let tools = step::target().join("tools");
    let ours = tools.join("bin/cargo-deny");
    let found = [step::find("cargo-deny"), Some(ours.clone())]
        .into_iter()
        .flatten()
        .find(|program| step::succeeds(Command::new(program).arg("--version")));
    if let Some(found) = found {
        return Ok(found);
    }
    step::run(
        step::cargo(&["install", "cargo-deny", "--locked", "--version", CARGO_DENY])
            .arg("--root")
            .arg(&tools)
            .env("CARGO_TARGET_DIR", tools.join("build")),
    )?;
    Ok(ours)
}

fn summary(took: Duration, is_judged_on_recordings: bool) {
    eprintln!("xtask: every test passed, in {} s with the build", took.as_secs());
    eprintln!("xtask: judged by peers of other makers: mosquitto, socat, pymodbus");
    if is_judged_on_recordings {
        eprintln!(
            "xtask: judged on recordings: NAB and SKAB (the budget: cargo xtask eval --judge)"
        );
    } else {
        eprintln!(
            "xtask: skipped, not judged on recordings (NAB, SKAB, ordinary life): none are shipped; \
             name a folder of them in GATEHOUSE_DATA"
        );
    }
}
