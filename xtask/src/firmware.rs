//! The nodes' images: built, measured, judged. `cargo xtask firmware`.
//!
//! Each board is a workspace of its own. Where no toolchain here has the core library of its target, the
//! logic of the nodes is checked on the host instead, and it is said so.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{arm, step};

/// Most that an image may take.
const FLASH: u64 = 64 * 1_024;
const RAM: u64 = 16 * 1_024;
/// Of the RAM, for the stack; a test reads from an emulated node that it stays below half of that.
const STACK: u64 = 4 * 1_024;

/// Boards, their target, and their images.
const BOARDS: [(&str, &str, &[&str]); 2] = [
    ("board-lm3s", "thumbv7m-none-eabi", &["air", "parking", "bin"]),
    ("board-stm32f1", "thumbv7m-none-eabi", &["parking"]),
];

/// Builds every image there can be, prints sizes, and fails when one is too large.
pub(crate) fn run() -> Result<()> {
    let mut too_large = Vec::new();
    for (board, target, images) in BOARDS {
        let folder = step::workspace().join("firmware").join(board);
        let Some(toolchain) = toolchain(target) else {
            eprintln!(
                "xtask: {board} is NOT built: no toolchain here has the core library of {target}. \
                 `cargo xtask arm` or `rustup target add {target}` brings it; the nodes' logic is \
                 checked on the host instead"
            );
            step::run(&mut step::cargo(&[
                "check",
                "-p",
                "gatehouse-node",
                "-p",
                "gatehouse-drivers",
            ]))?;
            continue;
        };
        let into = step::target().join("firmware").join(board);
        step::run(
            Command::new("cargo")
                .args(toolchain)
                .args(["build", "--release", "--target", target, "--target-dir"])
                .arg(&into)
                .current_dir(&folder)
                // That of the cargo that runs us would win.
                .env_remove("RUSTUP_TOOLCHAIN"),
        )?;
        for image in images {
            let (flash, ram) = size(&into.join(target).join("release").join(image))?;
            eprintln!(
                "xtask: {board}/{image}: {flash} of {FLASH} bytes of flash, {ram} and {STACK} for the stack \
                 of {RAM} bytes of RAM (what it takes of the stack: `cargo test -p gatehouse-tests node`)"
            );
            if flash > FLASH || ram + STACK > RAM {
                too_large.push(format!("{board}/{image}"));
            }
        }
    }
    if too_large.is_empty() { Ok(()) } else { bail!("too large: {}", too_large.join(", ")) }
}

/// The boards' own code as the rest of the tree is held to: each is a workspace of its own, which
/// `--workspace` passes over. Clippy looks at it as if it were for the host, so that no toolchain is needed.
pub(crate) fn lint() -> Result<()> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    for (board, ..) in BOARDS {
        let folder = step::workspace().join("firmware").join(board);
        step::run(step::cargo(&["fmt", "--check"]).current_dir(&folder))?;
        step::run(
            step::cargo(&["clippy", "--release", "--target", &host, "--target-dir"])
                .arg(step::target().join("firmware/lint"))
                .args(["--", "-D", "warnings"])
                .current_dir(&folder),
        )?;
    }
    Ok(())
}

/// The default toolchain where it can, ours else.
fn toolchain(target: &str) -> Option<&'static [&'static str]> {
    [&[][..], &[arm::CHOSEN]].into_iter().find(|toolchain| arm::has_core(toolchain, target))
}

/// What of an ELF file lies in flash and in RAM: code and what variables begin with; variables.
fn size(image: &Path) -> Result<(u64, u64)> {
    let output = Command::new("size").arg(image).output();
    let output = output.context("`size` is not here; it comes with binutils")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<u64> = text
        .lines()
        .nth(1)
        .unwrap_or_default()
        .split_whitespace()
        .take(3)
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers.as_slice() {
        [text, data, bss] => Ok((text + data, data + bss)),
        _ => bail!("`size` says nothing of {}", image.display()),
    }
}
