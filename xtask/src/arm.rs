//! Compilers for ARM, below a folder of their own: `cargo xtask arm`.
//!
//! A toolchain that rustup has installed may lack the standard libraries of other targets, and where
//! rustup cannot fetch them Debian's compiler for the web browser can be had with its sources. It is
//! unpacked, not installed: nothing of the system changes but for a toolchain named `arm` in rustup. The
//! core library of the microcontrollers is built once from those sources. QEMU comes the same way.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::step;

/// Debian's compiler, its own libraries, the sources, and the standard library for arm64. All of one version.
const COMPILER: [&str; 5] =
    ["rustc-web", "cargo-web", "libstd-rust-web-dev", "rust-web-src", "libstd-rust-web-dev:arm64"];
/// What those are linked with.
const LINKED: [&str; 7] = [
    "libllvm22",
    "lld-22",
    "libgit2-1.5",
    "libmbedcrypto7",
    "libmbedtls14",
    "libmbedx509-1",
    "libhttp-parser2.9",
];
/// The emulator of microcontrollers, and what it is linked with.
const QEMU: [&str; 22] = [
    "qemu-system-arm",
    "qemu-system-common",
    "qemu-system-data",
    "libslirp0",
    "libfdt1",
    "libpmem1",
    "libcacard0",
    "libspice-server1",
    "libusbredirparser1",
    "libvdeplug2",
    "libdaxctl1",
    "libndctl6",
    "libcapstone4",
    "libbrlapi0.8",
    "libibverbs1",
    "librdmacm1",
    "libnl-3-200",
    "libnl-route-3-200",
    "libexecs0",
    "libjemalloc2",
    "libnuma1",
    "libaio1",
];
/// The microcontrollers that nodes are built for.
pub(crate) const TARGETS: [&str; 1] = ["thumbv7m-none-eabi"];
/// Its name in rustup.
const TOOLCHAIN: &str = "arm";
/// How a command is told to use it.
pub(crate) const CHOSEN: &str = "+arm";

/// Where all of it lies: `GATEHOUSE_ARM`, or in the user's cache.
pub(crate) fn prefix() -> PathBuf {
    let cache = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    std::env::var_os("GATEHOUSE_ARM").map_or_else(|| cache().join("gatehouse/arm"), PathBuf::from)
}

/// Makes what is missing.
pub(crate) fn make() -> Result<()> {
    let prefix = prefix();
    fs::create_dir_all(&prefix).with_context(|| format!("cannot make {}", prefix.display()))?;
    let root = prefix.join("root/usr");
    if !root.join("bin/rustc").exists() {
        compiler(&prefix)?;
    }
    if !step::succeeds(Command::new("rustc").args([CHOSEN, "--version"])) {
        step::run(Command::new("rustup").args(["toolchain", "link", TOOLCHAIN]).arg(&root))?;
    }
    for target in TARGETS {
        if has_core(&[CHOSEN], target) {
            eprintln!("xtask: the core library for {target} is here");
        } else {
            core(&prefix, target)?;
        }
    }
    if !step::succeeds(Command::new(prefix.join("qemu-system-arm")).arg("--version")) {
        qemu(&prefix)?;
    }
    eprintln!("xtask: {} has what ARM needs", prefix.display());
    Ok(())
}

/// Whether a toolchain can build for a target; none is the default one, else as in `+arm`.
pub(crate) fn has_core(toolchain: &[&str], target: &str) -> bool {
    let arguments = ["--print", "target-libdir", "--target", target];
    let output = Command::new("rustc").args(toolchain).args(arguments).output();
    let Ok(output) = output else { return false };
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let is_core = |name: &str| name.starts_with("libcore-");
    output.status.success()
        && fs::read_dir(folder).is_ok_and(|files| {
            files.flatten().any(|file| file.file_name().to_str().is_some_and(is_core))
        })
}

/// Lists of packages of our own, with those for arm64 in them; the system's are not touched.
fn lists(prefix: &Path) -> Result<PathBuf> {
    let apt = prefix.join("apt");
    fs::create_dir_all(apt.join("lists/partial"))?;
    fs::create_dir_all(apt.join("cache/archives/partial"))?;
    let config = apt.join("apt.conf");
    let text = format!(
        "APT::Architecture \"amd64\";\nAPT::Architectures {{ \"amd64\"; \"arm64\"; }};\n\
         Dir::State::lists \"{0}/lists\";\nDir::Cache \"{0}/cache\";\nAPT::Sandbox::User \"root\";\n",
        apt.display()
    );
    fs::write(&config, text)?;
    step::run(Command::new("apt-get").args(["update", "-q"]).env("APT_CONFIG", &config))?;
    Ok(config)
}

/// Downloads packages and unpacks them below a folder.
fn unpack(prefix: &Path, config: &Path, packages: &[String], folder: &str) -> Result<()> {
    let (debs, into) = (prefix.join("debs").join(folder), prefix.join(folder));
    fs::create_dir_all(&debs)?;
    fs::create_dir_all(&into)?;
    step::run(
        Command::new("apt-get")
            .args(["download", "-q"])
            .args(packages)
            .current_dir(&debs)
            .env("APT_CONFIG", config),
    )?;
    for file in fs::read_dir(&debs)?.flatten() {
        step::run(Command::new("dpkg").arg("-x").arg(file.path()).arg(&into))?;
    }
    Ok(())
}

fn compiler(prefix: &Path) -> Result<()> {
    let config = lists(prefix)?;
    let policy = Command::new("apt-cache")
        .args(["policy", "rustc-web"])
        .env("APT_CONFIG", &config)
        .output()
        .context("there is no apt-cache here: `cargo xtask arm` is for Debian and its like")?;
    let policy = String::from_utf8_lossy(&policy.stdout).into_owned();
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    let Some(version) = version.filter(|version| *version != "(none)") else {
        bail!(
            "there is no rustc-web here; add the targets to rustup instead: rustup target add {}",
            TARGETS.join(" ")
        )
    };
    // 1.96.0+dfsg1-2 has its runtime in libstd-rust-web-1.96.
    let plain = version.split('+').next().unwrap_or(version);
    let short = plain.rsplit_once('.').map_or(plain, |(short, _)| short);
    let packages: Vec<String> = COMPILER
        .iter()
        .map(ToString::to_string)
        .chain([format!("libstd-rust-web-{short}")])
        .map(|name| format!("{name}={version}"))
        .chain(LINKED.iter().map(ToString::to_string))
        .collect();
    unpack(prefix, &config, &packages, "root")?;
    // rustup has a toolchain look for libraries in `lib` alone.
    let lib = prefix.join("root/usr/lib");
    let here = Path::new("x86_64-linux-gnu");
    for file in fs::read_dir(lib.join(here))?.flatten() {
        let name = file.file_name();
        if name.to_string_lossy().contains(".so") {
            link(&here.join(&name), &lib.join(&name))?;
        }
    }
    let bin = lib.join("rustlib/x86_64-unknown-linux-gnu/bin");
    fs::create_dir_all(&bin)?;
    link(Path::new("../../../../bin/lld-22"), &bin.join("rust-lld"))
}

fn link(to: &Path, place: &Path) -> Result<()> {
    if place.symlink_metadata().is_ok() {
        fs::remove_file(place)?;
    }
    symlink(to, place).with_context(|| format!("cannot link {}", place.display()))
}

/// Builds the core library from the sources, by way of an empty crate.
fn core(prefix: &Path, target: &str) -> Result<()> {
    let empty = prefix.join("core");
    fs::create_dir_all(empty.join("src"))?;
    fs::write(
        empty.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n",
    )?;
    fs::write(empty.join("src/lib.rs"), "#![no_std]\n")?;
    step::run(
        Command::new("cargo")
            .args([CHOSEN, "build", "--release", "-Zbuild-std=core,alloc", "--target", target])
            .current_dir(&empty)
            .env("CARGO_TARGET_DIR", empty.join("target"))
            .env("RUSTC_BOOTSTRAP", "1"),
    )?;
    let lib = prefix.join("root/usr/lib/rustlib").join(target).join("lib");
    fs::create_dir_all(&lib)?;
    for file in fs::read_dir(empty.join("target").join(target).join("release/deps"))?.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let is_part = ["libcore-", "liballoc-", "libcompiler_builtins-"]
            .iter()
            .any(|part| name.starts_with(part));
        if is_part {
            fs::copy(file.path(), lib.join(name))?;
        }
    }
    Ok(())
}

fn qemu(prefix: &Path) -> Result<()> {
    let config = lists(prefix)?;
    // Some are part of the system already, or of no release: what is not offered is left out.
    let offered = |name: &&&str| {
        step::succeeds(Command::new("apt-cache").args(["show", **name]).env("APT_CONFIG", &config))
    };
    let packages: Vec<String> = QEMU.iter().filter(offered).map(ToString::to_string).collect();
    unpack(prefix, &config, &packages, "qemu")?;
    let script = prefix.join("qemu-system-arm");
    let qemu = prefix.join("qemu");
    let text = format!(
        "#!/bin/sh\n\
         LD_LIBRARY_PATH={0}/usr/lib/x86_64-linux-gnu:{0}/lib/x86_64-linux-gnu \\\n\
         exec {0}/usr/bin/qemu-system-arm -L {0}/usr/share/qemu \"$@\"\n",
        qemu.display()
    );
    fs::write(&script, text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
