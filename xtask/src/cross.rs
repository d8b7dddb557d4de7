//! The gateway for the architectures that boxes have: how it is built for another one, and its tests under
//! an emulator there: `cargo xtask arm-test`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{arm, prepare, step, watched};

const ARM64: &str = "aarch64-unknown-linux-gnu";

/// Programs that a build for arm64 needs, and Debian's packages of them.
const TOOLS: [(&str, &str); 3] = [
    ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    ("aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu"),
    ("qemu-aarch64-static", "qemu-user-static"),
];

/// Where the libraries of arm64 lie, for the emulator: those that the compiler came with.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// The tests that say something about the processor: numbers, the store's bytes, the wires. The rest of the
/// gateway's is the same code on the same libraries, and would take an emulator an hour.
/// But for one that opens a serial port at any speed: qemu-user knows no `TCGETS2`.
const TESTS: [&str; 5] =
    ["store::", "source::", "uplink::", "--skip", "what_a_sensor_says_now_is_read"];

/// Rust's name for one of Debian's architectures.
pub(crate) fn target(architecture: &str) -> Result<&'static str> {
    match architecture {
        "amd64" => Ok("x86_64-unknown-linux-gnu"),
        "arm64" => Ok(ARM64),
        other => bail!("packages are made for amd64 and arm64, not `{other}`"),
    }
}

/// What this machine is, in Debian's words.
pub(crate) fn native() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// What copies programs for that architecture.
pub(crate) fn objcopy(architecture: &str) -> &'static str {
    if architecture == native() { "objcopy" } else { "aarch64-linux-gnu-objcopy" }
}

/// Builds the program; gives where it is.
pub(crate) fn build(architecture: &str, is_debug: bool) -> Result<PathBuf> {
    let target = target(architecture)?;
    let profile: &[&str] = if is_debug { &[] } else { &["--release"] };
    let folder = if is_debug { "debug" } else { "release" };
    if architecture == native() {
        step::run(step::cargo(&["build", "--locked", "-p", "gatehouse"]).args(profile))?;
        return Ok(step::target().join(folder).join("gatehouse"));
    }
    if architecture != "arm64" {
        bail!("packages for {architecture} are made on a machine of that kind");
    }
    tools()?;
    step::run(cargo("build").args(["-p", "gatehouse"]).args(profile))?;
    Ok(into().join(target).join(folder).join("gatehouse"))
}

/// The core's tests, and those of the gateway's store and wires, as arm64. Of a build from nothing the core
/// takes a minute, the gateway with its inference engine much longer: `is_quick` leaves it out unless it has
/// been built here before.
pub(crate) fn test(is_quick: bool) -> Result<()> {
    tools()?;
    let begun = Instant::now();
    watched("gatehouse-core", &[])?;
    let mark = into().join("gateway-was-built");
    if is_quick && !mark.exists() {
        eprintln!(
            "xtask: the gateway's own tests are NOT run as arm64: building its libraries takes long; \
             `cargo xtask arm-test` does it once, and from then on they are"
        );
    } else {
        watched("gatehouse", &TESTS)?;
        std::fs::write(&mark, "")?;
    }
    eprintln!("xtask: tested as arm64 in {} s", begun.elapsed().as_secs());
    Ok(())
}

/// Building says nothing for long; the tests do not.
fn watched(package: &str, names: &[&str]) -> Result<()> {
    let words = ["-p", package, "--lib"];
    step::run(cargo("test").args(words).arg("--no-run"))?;
    watched::run(cargo("test").args(words).arg("--").args(names))
}

/// Whether there is what it takes.
pub(crate) fn is_here() -> bool {
    TOOLS.iter().all(|(program, _)| step::find(program).is_some())
        && step::succeeds(Command::new("rustc").args([arm::CHOSEN, "--version"]))
}

fn tools() -> Result<()> {
    let missing = TOOLS.iter().filter(|(program, _)| step::find(program).is_none());
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        prepare::install(&missing)?;
    }
    if !step::succeeds(Command::new("rustc").args([arm::CHOSEN, "--version"])) {
        arm::make().context("no compiler for arm64")?;
    }
    Ok(())
}

/// A folder of its own: another compiler builds there, and the runs of many clones find it again.
fn into() -> PathBuf {
    arm::prefix().join("target")
}

/// The cargo of that toolchain, told of the linker and the emulator.
fn cargo(command: &str) -> Command {
    let mut cargo = Command::new("cargo");
    cargo
        .args([arm::CHOSEN, command, "--locked", "--target", ARM64])
        .current_dir(step::workspace())
        // Those of the cargo that runs us would win.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env("CARGO_TARGET_DIR", into())
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc")
        .env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
            format!("qemu-aarch64-static -L {LIBRARIES}"),
        )
        .env("CC_aarch64_unknown_linux_gnu", "aarch64-linux-gnu-gcc")
        .env("CXX_aarch64_unknown_linux_gnu", "aarch64-linux-gnu-g++")
        .env("AR_aarch64_unknown_linux_gnu", "aarch64-linux-gnu-ar");
    cargo
}
