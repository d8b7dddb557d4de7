//! A Debian package packed tighter than `dpkg-deb` does it: machine code is rewritten before it is packed, so that calls
//! of one function look the same wherever they stand (xz's "branch, call, jump" filters). dpkg unpacks with liblzma, which
//! undoes it: for amd64 always, for arm64 from 5.4 on, which is Debian 12's.
//!
//! A package is an `ar` archive of three members (deb(5)); two of them are packed anew.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::{prepare, step};

/// Packs a package again that `dpkg-deb -Znone` has made.
pub(crate) fn squeeze(package: &Path, architecture: &str) -> Result<()> {
    // The preset is dpkg-deb's own strongest, which takes 64 MB to unpack; all code of arm64 is four bytes long.
    let code = match architecture {
        "amd64" => ["--x86", "--lzma2=preset=9"],
        "arm64" => ["--arm64", "--lzma2=preset=9,lc=2,lp=2"],
        other => bail!("no filter is known for the code of {other}"),
    };
    let missing: Vec<&str> = [("xz", "xz-utils"), ("ar", "binutils")]
        .into_iter()
        .filter_map(|(program, debian)| step::find(program).is_none().then_some(debian))
        .collect();
    if !missing.is_empty() {
        prepare::install(&missing)?;
    }
    let package = &package.canonicalize()?;
    let parts = package.with_extension("parts");
    fs::create_dir_all(&parts)?;
    step::run(Command::new("ar").arg("x").arg(package).current_dir(&parts))?;
    // In one piece: pieces that are packed side by side do not know of one another.
    for (part, options) in [("control.tar", ["-9"].as_slice()), ("data.tar", &code)] {
        step::run(Command::new("xz").arg("-T1").args(options).arg(part).current_dir(&parts))?;
    }
    fs::remove_file(package)?;
    let members = ["debian-binary", "control.tar.xz", "data.tar.xz"];
    step::run(Command::new("ar").arg("rcD").arg(package).args(members).current_dir(&parts))?;
    fs::remove_dir_all(&parts)?;
    // It must be read by those who know nothing of this.
    step::run(Command::new("dpkg-deb").arg("--contents").arg(package).stdout(Stdio::null()))
}
