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
    // Of a run that was ended.
    if parts.exists() {
        fs::remove_dir_all(&parts)?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dpkg_reads_what_was_packed_tighter_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (root, package) = (folder.path().join("root"), folder.path().join("some.deb"));
        fs::create_dir_all(root.join("DEBIAN")).unwrap();
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        let control = "Package: some\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.invalid>\nDescription: a\n";
        fs::write(root.join("DEBIAN/control"), control).unwrap();
        let code = fs::read("/proc/self/exe").unwrap();
        let code = &code[..code.len().min(1 << 20)];
        fs::write(root.join("usr/bin/some"), code).unwrap();
        for architecture in ["amd64", "arm64"] {
            let mut build = Command::new("dpkg-deb");
            build.args(["--root-owner-group", "-Znone", "--build"]).args([&root, &package]);
            step::run(build.stdout(Stdio::null())).unwrap();
            // As of a run that was ended.
            fs::create_dir_all(package.with_extension("parts")).unwrap();
            fs::write(package.with_extension("parts").join("data.tar.xz"), "half").unwrap();

            squeeze(&package, architecture).unwrap();

            assert!(fs::metadata(&package).unwrap().len() < code.len() as u64, "{architecture}");
            let out = folder.path().join(architecture);
            step::run(Command::new("dpkg-deb").arg("-R").args([&package, &out])).unwrap();
            assert_eq!(fs::read(out.join("usr/bin/some")).unwrap(), code, "{architecture}");
            assert_eq!(fs::read_to_string(out.join("DEBIAN/control")).unwrap(), control);
        }
    }
}
