//! Tells the linker to write relative relocations in their packed form: the loader reads 50 kB instead of
//! megabytes, which would stay resident.
//!
//! Only glibc from 2.36 on reads that form (Ubuntu 22.04 has 2.35, and such a program would not start
//! there), so that it is left out for an older one, and when building for another machine.
//!
//! And tells the program when it was built (`GATEHOUSE_BUILT`, seconds since 1970): no clock that shows less
//! is right. `SOURCE_DATE_EPOCH` says it where builds must be the same.

use std::env;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const READS_PACKED: (u32, u32) = (2, 36);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rustc-env=GATEHOUSE_BUILT={}", built());
    let is_for_here = env::var("TARGET") == env::var("HOST");
    if is_for_here && glibc().is_some_and(|version| version >= READS_PACKED) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

fn built() -> u64 {
    let said = env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    said.unwrap_or_else(now)
}

/// What runs here, as `getconf` says it: `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
