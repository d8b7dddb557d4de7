//! Debian packages: `cargo xtask dist [amd64|arm64]... [--debug]`.
//!
//! A folder is laid out as the system is to look, and `dpkg-deb` packs it. What files go where stands in
//! [`lay_out`]; the units, rules and maintainer scripts themselves are in `deploy/`.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{crates, cross, needs, squeeze, step};

/// What a box downloads over a bad line, at most; boxes are arm64.
const LARGEST: u64 = 25_000_000;

/// What is installed as it lies in `deploy/`, and where.
const SHIPPED: [(&str, &str, u32); 9] = [
    ("gatehouse.service", "usr/lib/systemd/system/gatehouse.service", 0o644),
    ("gatehouse-upgrade.service", "usr/lib/systemd/system/gatehouse-upgrade.service", 0o644),
    ("gatehouse.journald", "usr/lib/systemd/journald.conf.d/50-gatehouse.conf", 0o644),
    ("gatehouse.sysusers", "usr/lib/sysusers.d/gatehouse.conf", 0o644),
    ("gatehouse.rules", "usr/lib/udev/rules.d/70-gatehouse.rules", 0o644),
    ("gatehouse-upgrade", "usr/sbin/gatehouse-upgrade", 0o755),
    ("etc/gateway.toml", "etc/gatehouse/gateway.toml", 0o644),
    ("etc/community.toml", "etc/gatehouse/community.toml", 0o644),
    ("debian/copyright", "usr/share/doc/gatehouse/copyright", 0o644),
];

/// Packages for the named architectures, or for all.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let is_debug = words.contains(&"--debug");
    let mut architectures: Vec<&str> =
        words.iter().copied().filter(|word| *word != "--debug").collect();
    if architectures.is_empty() {
        architectures = vec!["amd64", "arm64"];
    }
    let folder = step::target().join("dist");
    fs::create_dir_all(&folder)?;
    for architecture in architectures {
        let program = slim(&cross::build(architecture, is_debug)?, architecture, &folder)?;
        // A version of its own, below that of the release.
        let version = version()? + if is_debug { "~debug" } else { "" };
        let package = pack(&program, architecture, &version, &folder)?;
        let bytes = fs::metadata(&package)?.len();
        eprintln!("xtask: {} has {:.1} MB", package.display(), bytes as f64 / 1e6);
        if bytes > LARGEST && architecture == "arm64" && !is_debug {
            bail!("a package for arm64 may have {} MB", LARGEST / 1_000_000);
        }
        let list = package.with_extension("cdx.json");
        fs::write(&list, crates::bill(&crates::all(architecture)?, &version)?)?;
    }
    let sums = "sha256sum -- *.deb *.cdx.json > SHA256SUMS";
    step::run(Command::new("sh").args(["-c", sums]).current_dir(&folder))
}

/// The program without what only debuggers read; a release has none of that.
pub(crate) fn slim(program: &Path, architecture: &str, folder: &Path) -> Result<PathBuf> {
    let slim = folder.join(format!("gatehouse-{architecture}"));
    let objcopy = cross::objcopy(architecture);
    step::run(Command::new(objcopy).arg("--strip-debug").args([program, &slim]))?;
    Ok(slim)
}

/// The workspace's.
pub(crate) fn version() -> Result<String> {
    let manifest = fs::read_to_string(step::workspace().join("Cargo.toml"))?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("version = \""));
    Ok(line.and_then(|rest| rest.split('"').next()).context("no version in Cargo.toml")?.to_owned())
}

/// The package of a program, in `folder`.
pub(crate) fn pack(
    program: &Path,
    architecture: &str,
    version: &str,
    folder: &Path,
) -> Result<PathBuf> {
    let root = folder.join(format!("root-{architecture}"));
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    lay_out(&root, program)?;
    let notices = root.join("usr/share/doc/gatehouse/third-party");
    fs::write(&notices, crates::notices(&crates::all(architecture)?)?)?;
    step::run(Command::new("gzip").arg("-9n").arg(&notices))?;
    fs::set_permissions(notices.with_extension("gz"), PermissionsExt::from_mode(0o644))?;
    control(&root, architecture, version, needs::packages(program)?)?;
    let package = folder.join(format!("gatehouse_{version}_{architecture}.deb"));
    let is_shipped = !version.contains('~');
    // Programs that are not to be shipped are packed for a test, in a moment.
    let pace: &[&str] = if is_shipped { &["-Znone"] } else { &["-Zgzip", "-z1"] };
    step::run(
        Command::new("dpkg-deb")
            .arg("--root-owner-group")
            .args(pace)
            .arg("--build")
            .args([&root, &package]),
    )?;
    if is_shipped {
        squeeze::squeeze(&package, architecture)?;
    }
    fs::remove_dir_all(&root)?;
    Ok(package)
}

fn lay_out(root: &Path, program: &Path) -> Result<()> {
    let repository = step::workspace();
    let (etc, doc) = (Path::new("etc/gatehouse"), Path::new("usr/share/doc/gatehouse"));
    put(root, program, Path::new("usr/bin/gatehouse"), 0o755)?;
    for (from, to, mode) in SHIPPED {
        put(root, &repository.join("deploy").join(from), Path::new(to), mode)?;
    }
    for folder in ["device-types", "scenes"] {
        let from = repository.join("config").join(folder);
        put_all(root, &from, &etc.join(folder))?;
        put_all(root, &from, &doc.join("examples").join(folder))?;
    }
    for (folder, files) in [
        ("config", ["gateway.toml", "community.toml"]),
        ("deploy", ["mosquitto.conf", "mosquitto.acl"]),
    ] {
        for file in files {
            let from = repository.join(folder).join(file);
            put(root, &from, &doc.join("examples").join(file), 0o644)?;
        }
    }
    put_all(root, &repository.join("docs"), doc)?;
    put(root, &repository.join("CHANGELOG.md"), &doc.join("changelog"), 0o644)?;
    step::run(Command::new("gzip").arg("-9n").arg(root.join(doc).join("changelog")))?;
    for model in fs::read_dir(repository.join("models"))?.flatten() {
        for file in ["model.onnx", "model.toml", "card.md"] {
            let from = model.path().join(file);
            if from.is_file() {
                let to = Path::new("usr/share/gatehouse/models").join(model.file_name()).join(file);
                put(root, &from, &to, 0o644)?;
            }
        }
    }
    Ok(())
}

/// The files of a folder, without those of the folders in it.
fn put_all(root: &Path, from: &Path, to: &Path) -> Result<()> {
    for file in fs::read_dir(from).with_context(|| format!("no {}", from.display()))?.flatten() {
        if file.path().is_file() {
            put(root, &file.path(), &to.join(file.file_name()), 0o644)?;
        }
    }
    Ok(())
}

/// A file to where it lies below `root`. Whoever builds may have another mask: the folders down to it are
/// made for all to read.
fn put(root: &Path, from: &Path, to: &Path, mode: u32) -> Result<()> {
    let folders: Vec<&Path> = to.ancestors().skip(1).collect();
    for folder in folders.into_iter().rev() {
        let folder = root.join(folder);
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o755))?;
    }
    let to = root.join(to);
    fs::copy(from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(fs::set_permissions(to, PermissionsExt::from_mode(mode))?)
}

/// What dpkg wants to know: who it is, what it needs, which files an admin may change.
fn control(root: &Path, architecture: &str, version: &str, mut needs: Vec<String>) -> Result<()> {
    needs.push("systemd (>= 247)".to_owned());
    let control = root.join("DEBIAN");
    for script in ["postinst", "prerm", "postrm"] {
        let from = step::workspace().join("deploy/debian").join(script);
        put(root, &from, &Path::new("DEBIAN").join(script), 0o755)?;
    }
    let (mut conffiles, mut bytes) = (String::new(), 0);
    for (path, size) in files(root, Path::new(""))? {
        bytes += size;
        if path.starts_with("etc") {
            writeln!(conffiles, "/{}", path.display())?;
        }
    }
    fs::write(control.join("conffiles"), conffiles)?;
    let text = format!(
        "Package: gatehouse\nVersion: {version}\nArchitecture: {architecture}\n\
         Maintainer: Gatehouse maintainers <maintainers@gatehouse.invalid>\n\
         Section: net\nPriority: optional\nInstalled-Size: {}\n\
         Depends: {}\nRecommends: ca-certificates\n\
         Suggests: mosquitto, openssl\n\
         Description: edge gateway of a residential community\n \
         Reads the sensors and cameras of a residential community over MQTT, Modbus, RTSP\n \
         and wires of the box itself, checks every value, and turns what matters into a\n \
         handful of graded, explained events for the people on duty and the township's\n \
         platform. Readings and pictures never leave the box.\n",
        bytes.div_ceil(1024),
        needs.join(", "),
    );
    Ok(fs::write(control.join("control"), text)?)
}

/// All files below `folder`, relative to `root`, with their sizes; not those of dpkg.
fn files(root: &Path, folder: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(folder))?.flatten() {
        let path = folder.join(entry.file_name());
        let about = entry.metadata()?;
        if !about.is_dir() {
            found.push((path, about.len()));
        } else if entry.file_name() != "DEBIAN" {
            found.append(&mut files(root, &path)?);
        }
    }
    found.sort();
    Ok(found)
}
