//! A Debian of its own, booted: its root lies over one that is kept and never written to, its processes see
//! nothing of ours, and its first process is systemd. No container engine is needed, but root is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{prepare, step};

/// What is in it beside what every Debian has.
const PACKAGES: &str = "systemd,systemd-sysv,udev,curl,openssl,ca-certificates";
const RELEASE: &str = "bookworm";
const PATIENCE: Duration = Duration::from_mins(3);
/// What one script may take, in seconds: an upgrade that is taken back waits for two starts.
const LONGEST: &str = "600";

/// The system below, made once.
pub(super) fn root() -> Result<PathBuf> {
    if !step::succeeds(Command::new("unshare").args(["--mount", "--pid", "--fork", "true"])) {
        bail!("namespaces cannot be made here; root can");
    }
    let cache = PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let folder = cache.join("gatehouse").join(format!("debian-{RELEASE}"));
    if folder.exists() {
        eprintln!("xtask: {} is here", folder.display());
        return Ok(folder);
    }
    if step::find("mmdebstrap").is_none() {
        prepare::install(&["mmdebstrap"])?;
    }
    fs::create_dir_all(folder.parent().context("it lies in the cache")?)?;
    let unfinished = folder.with_extension("part");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let include = format!("--include={PACKAGES}");
    step::run(
        Command::new("mmdebstrap")
            .args(["--quiet", "--variant=minbase", &include, RELEASE])
            .arg(&unfinished),
    )?;
    fs::rename(&unfinished, &folder)?;
    Ok(folder)
}

/// It runs until this is dropped, which is a power cut.
pub(super) struct Machine {
    child: Child,
    /// Its systemd, as we see it.
    first: u32,
}

impl Machine {
    /// Boots what lies at `root`, with `over` for what it writes.
    pub(super) fn boot(root: &Path, over: &Path) -> Result<Self> {
        for folder in ["upper", "work", "root"] {
            fs::create_dir_all(over.join(folder))?;
        }
        let script = step::workspace().join("xtask/src/package_test/boot.sh");
        let child = Command::new("sh")
            .arg(script)
            .args([root, over])
            .stdin(Stdio::null())
            .stdout(fs::File::create(over.join("console"))?)
            .stderr(fs::File::create(over.join("console.err"))?)
            .spawn()?;
        let mut machine = Self { child, first: 0 };
        let begun = Instant::now();
        loop {
            machine.first = machine.find_first().unwrap_or(0);
            // Until it has become one, the first process still sees our system.
            let state = machine.try_run(
                "grep -qz container=gatehouse-box /proc/1/environ && systemctl is-system-running",
            );
            let state = state.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            if state.is_ok_and(|state| ["running\n", "degraded\n"].contains(&state.as_str())) {
                return Ok(machine);
            }
            if begun.elapsed() > PATIENCE || machine.child.try_wait()?.is_some() {
                let why = fs::read_to_string(over.join("console.err")).unwrap_or_default();
                bail!("systemd does not come up here: {why}");
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// `unshare` has one child.
    fn find_first(&self) -> Option<u32> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// Runs a shell's script in it, whatever comes of it.
    pub(super) fn try_run(&self, script: &str) -> Result<Output> {
        Ok(Command::new("timeout")
            .args([LONGEST, "nsenter"])
            .arg(format!("--target={}", self.first))
            .args(["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--"])
            .args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"])
            .args(["sh", "-c", script])
            .stdin(Stdio::null())
            .output()?)
    }

    /// What a script prints that must succeed.
    pub(super) fn run(&self, script: &str) -> Result<String> {
        let output = self.try_run(script)?;
        if !output.status.success() {
            let (out, err) = (&output.stdout, &output.stderr);
            let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
            bail!("`{script}` ended with {}\n{out}{err}", output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Waits until a script succeeds.
    pub(super) fn until(&self, what: &str, script: &str) -> Result<()> {
        let begun = Instant::now();
        while !self.try_run(script)?.status.success() {
            if begun.elapsed() > PATIENCE {
                let log = self.run("journalctl --no-pager -n 40").unwrap_or_default();
                bail!("waited {PATIENCE:?} until {what}; its log ends with\n{log}");
            }
            thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // All of its processes go with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
