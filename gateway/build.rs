//! Tells the linker to write relative relocations in their packed form: the loader reads 50 kB instead of
//! megabytes, which would stay resident.
//!
//! Only glibc from 2.36 on reads that form (Ubuntu 22.04 has 2.35, and such a program would not start
//! there), so that it is left out for an older one, and when building for another machine.

use std::env;
use std::process::Command;

const READS_PACKED: (u32, u32) = (2, 36);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is_for_here = env::var("TARGET") == env::var("HOST");
    if is_for_here && glibc().is_some_and(|version| version >= READS_PACKED) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// What runs here, as `getconf` says it: `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
