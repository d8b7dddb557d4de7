//! The life of the package on a box: installed, started, changed by an admin, upgraded, a bad upgrade taken
//! back (also when the power goes away in it), a good one taken back later, removed, purged.
//! `cargo xtask package-test [--program PATH]`.
//!
//! The box is a Debian of its own whose systemd applies the real unit, with all that the unit forbids.
//! What it cannot show: devices, since it has none, and the way of a real disk at a power cut.

mod debian;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use crate::{cross, dist, step};
use debian::Machine;

/// What `systemd-analyze security` may find at most; 0 is a service that may nothing, 10 one that may all.
const MOST_EXPOSED: f64 = 2.0;

/// Shorter than on a box, so that a test has time for it.
const QUICK: &str = "
    mkdir -p /etc/systemd/system/gatehouse.service.d /etc/systemd/system/gatehouse-upgrade.service.d
    printf '[Service]\nWatchdogSec=6\nRestartSec=1\n' \
        > /etc/systemd/system/gatehouse.service.d/test.conf
    printf '[Service]\nEnvironment=GATEHOUSE_READY_WITHIN=60 GATEHOUSE_HOLD=4\n' \
        > /etc/systemd/system/gatehouse-upgrade.service.d/test.conf";

/// The whole of it, where there is what it takes; says so where there is not.
pub(crate) fn run_if_possible(program: &Path) -> Result<()> {
    // A machine on which no systemd comes up says nothing about the package.
    let boots = |root: PathBuf| {
        Machine::boot(&root, &step::target().join("package-test/trial"))?;
        anyhow::Ok(root)
    };
    match debian::root().and_then(boots) {
        Ok(root) => live(&root, program),
        Err(error) => {
            eprintln!("xtask: the package is NOT installed anywhere: {error:#}");
            Ok(())
        }
    }
}

/// The whole of it, with the program of that path, or with the one that is built for tests.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let program = match words {
        ["--program", path] => PathBuf::from(path),
        [] => cross::build(cross::native(), true)?,
        _ => bail!("expected `--program PATH`, or nothing"),
    };
    live(&debian::root()?, &program)
}

fn live(root: &Path, program: &Path) -> Result<()> {
    let begun = Instant::now();
    let over = step::target().join("package-test");
    if over.exists() {
        fs::remove_dir_all(&over)?;
    }
    let debs = over.join("upper/srv");
    fs::create_dir_all(&debs)?;
    let broken = over.join("broken");
    fs::write(&broken, "#!/bin/sh\necho no good >&2\nexit 1\n")?;
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755))?;
    let plain = dist::slim(program, cross::native(), &over)?;
    for (version, program) in
        [("1~test", &plain), ("2~test", &plain), ("3~test", &broken), ("4~test", &broken)]
    {
        dist::pack(program, cross::native(), version, &debs)?;
    }

    let machine = Machine::boot(root, &over)?;
    machine.run(QUICK)?;
    installed(&machine)?;
    contained(&machine)?;
    restarted_when_it_hangs(&machine)?;
    upgraded(&machine)?;
    gone_back(&machine)?;
    taken_back(&machine)?;
    let machine = taken_back_after_a_power_cut(machine, root, &over)?;
    removed(&machine)?;
    drop(machine);
    fs::remove_dir_all(&over)?;
    eprintln!("xtask: the package lived through all of it in {} s", begun.elapsed().as_secs());
    Ok(())
}

fn told(what: &str) {
    eprintln!("xtask: package: {what}");
}

fn deb(version: u32) -> String {
    format!("/srv/gatehouse_{version}~test_{}.deb", cross::native())
}

fn version(machine: &Machine) -> Result<String> {
    machine.run("dpkg-query --show --showformat '${Version} ${Status}' gatehouse")
}

const PROCESS: &str = "systemctl show --value --property MainPID gatehouse";

fn installed(machine: &Machine) -> Result<()> {
    machine.run(&format!("dpkg --install {}", deb(1)))?;
    machine
        .until("the console answers", "curl --fail --max-time 10 http://127.0.0.1:8080/healthz")?;
    let of_unit =
        "systemctl show gatehouse --value --property ActiveState,UnitFileState,StatusText";
    let unit = machine.run(of_unit)?;
    ensure!(unit.lines().any(|line| line == "active") && unit.contains("enabled"), "{unit}");
    ensure!(unit.contains("console on http://127.0.0.1:8080"), "no READY with a status: {unit}");
    ensure!(machine.run("id -Gn gatehouse")?.contains("dialout"), "no right to serial ports");
    for (path, wanted) in [
        ("/var/lib/gatehouse", "700 gatehouse gatehouse"),
        ("/etc/gatehouse", "750 root gatehouse"),
        ("/etc/gatehouse/secrets", "750 root gatehouse"),
        ("/etc/gatehouse/gateway.toml", "644 root root"),
        ("/var/cache/gatehouse", "700 root root"),
        ("/usr/bin/gatehouse", "755 root root"),
    ] {
        let found = machine.run(&format!("stat --format '%a %U %G' {path}"))?;
        ensure!(found == wanted, "{path} is {found}, not {wanted}");
    }
    let open = machine.run("find /var/lib/gatehouse -type f -perm /077 | head")?;
    ensure!(open.is_empty(), "others can read {open}");
    machine.run("runuser -u gatehouse -- gatehouse check --config /etc/gatehouse")?;
    machine.run("systemctl reload gatehouse")?;
    let reloaded = "journalctl -u gatehouse | grep 'the new configuration is in effect'";
    machine.until("it has loaded its configuration anew", reloaded)?;
    told("installed and started, its own user in its own folders");
    Ok(())
}

fn contained(machine: &Machine) -> Result<()> {
    machine.run("systemd-analyze verify gatehouse.service gatehouse-upgrade.service")?;
    let status = machine.run(&format!("cat /proc/$({PROCESS})/status"))?;
    for wanted in ["NoNewPrivs:\t1", "CapEff:\t0000000000000000", "Seccomp:\t2"] {
        ensure!(status.contains(wanted), "not {wanted}: {status}");
    }
    let mounts = machine.run(&format!("cat /proc/$({PROCESS})/mounts"))?;
    let is_shut = |line: &str| line.split(' ').nth(1) == Some("/") && line.contains(" ro,");
    ensure!(mounts.lines().any(is_shut), "its root can be written to: {mounts}");
    let found = machine.run("systemd-analyze security --no-pager gatehouse.service | tail -1")?;
    let score = found.split_whitespace().find_map(|word| word.parse::<f64>().ok());
    ensure!(score.is_some_and(|score| score <= MOST_EXPOSED), "too exposed: {found}");
    told(found.trim_start_matches(|c: char| !c.is_alphabetic()));
    Ok(())
}

fn restarted_when_it_hangs(machine: &Machine) -> Result<()> {
    let process = machine.run(PROCESS)?;
    let heard = "systemctl show --value --property WatchdogTimestampMonotonic gatehouse";
    let before = machine.run(heard)?;
    machine.until("it gives a sign of life", &format!("[ \"$({heard})\" != {before} ]"))?;
    ensure!(machine.run(PROCESS)? == process, "it was restarted without a reason");
    machine.run(&format!("kill -STOP {process}"))?;
    let is_new = format!(
        "[ \"$({PROCESS})\" != {process} ] && systemctl is-active gatehouse \
         && curl --fail --max-time 10 http://127.0.0.1:8080/healthz"
    );
    machine.until("systemd starts anew what hangs", &is_new)?;
    told("gives signs of life, and is started anew when it hangs");
    Ok(())
}

fn upgraded(machine: &Machine) -> Result<()> {
    machine.run(&format!("gatehouse-upgrade {}", deb(1)))?;
    machine.run(
        "echo '# ours' >> /etc/gatehouse/community.toml && rm /etc/gatehouse/scenes/noise.toml \
         && echo keep > /var/lib/gatehouse/mark && chown gatehouse: /var/lib/gatehouse/mark",
    )?;
    for (words, why) in [
        ("--back", "no version before 1~test"),
        ("/etc/passwd", "no package of Gatehouse"),
        ("/nowhere.deb", "cannot be read"),
        ("", "usage"),
    ] {
        let output = machine.try_run(&format!("gatehouse-upgrade {words}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(2) && said.contains(why), "{words}: {said}");
    }
    let upgrade = "/var/cache/gatehouse/upgrade";
    machine.run(&format!("mkdir {upgrade} && touch {upgrade}/new.deb"))?;
    for version in [1, 2] {
        let output = machine.try_run(&format!("gatehouse-upgrade {}", deb(version)))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(2) && said.contains("under way"), "{said}");
    }
    // One that the power ended before it had begun, and that was on its way back.
    machine.run(&format!("rm {upgrade}/new.deb && touch {upgrade}/back {upgrade}/new.deb.part"))?;
    machine.run(&format!("gatehouse-upgrade {}", deb(2)))?;
    kept(machine, "2~test install ok installed")?;
    machine.run("GATEHOUSE_HOLD=2 gatehouse-upgrade --well")?;
    let older = machine.try_run(&format!("gatehouse-upgrade {}", deb(1)))?;
    ensure!(older.status.code() == Some(2), "an older version went in unasked");
    told("upgraded; what the admin changed and removed stays so");
    signed(machine)
}

/// Once a box has keys, a package without a signature by one of them is refused.
fn signed(machine: &Machine) -> Result<()> {
    machine.run(
        "mkdir /etc/gatehouse/package-keys && cd /srv \
         && openssl genpkey -algorithm ed25519 -out vendor \
         && openssl pkey -in vendor -pubout -out /etc/gatehouse/package-keys/vendor.pub",
    )?;
    let package = deb(2);
    let refused = machine.try_run(&format!("gatehouse-upgrade {package}"))?;
    ensure!(refused.status.code() == Some(2), "a package that nobody has signed was taken");
    machine.run(&format!(
        "openssl pkeyutl -sign -rawin -inkey /srv/vendor -in {package} -out {package}.sig \
         && gatehouse-upgrade {package}"
    ))?;
    machine.run("rm -r /etc/gatehouse/package-keys")?;
    told("only signed packages, once the box has a key");
    Ok(())
}

/// The version, and that the admin's work and the gateway's own are there.
fn kept(machine: &Machine, wanted: &str) -> Result<()> {
    let found = version(machine)?;
    ensure!(found == wanted, "{found} is installed, not {wanted}");
    machine.run(
        "systemctl is-active gatehouse && grep -q '# ours' /etc/gatehouse/community.toml \
         && [ ! -e /etc/gatehouse/scenes/noise.toml ] && grep -q keep /var/lib/gatehouse/mark \
         && [ ! -e /var/cache/gatehouse/upgrade ]",
    )?;
    Ok(())
}

const KEPT: &str = "/var/cache/gatehouse";

/// The versions whose packages are kept: the one to come back to, and the one before it. No other file is.
fn packages(machine: &Machine, installed: &str, previous: &str) -> Result<()> {
    let found = machine.run(&format!(
        "cd {KEPT} && ls -A && dpkg-deb --field installed.deb Version \
         && dpkg-deb --field previous.deb Version"
    ))?;
    let files: Vec<&str> =
        found.lines().filter(|line| !["lock", "status"].contains(line)).collect();
    let wanted = ["installed.deb", "previous.deb", installed, previous];
    ensure!(files == wanted, "{files:?} are kept, not {wanted:?}");
    Ok(())
}

/// A version that was well for its minute and is not wanted any more goes the way that it came.
fn gone_back(machine: &Machine) -> Result<()> {
    packages(machine, "2~test", "1~test")?;
    machine.run("gatehouse-upgrade --back")?;
    kept(machine, "1~test install ok installed")?;
    packages(machine, "1~test", "2~test")?;
    machine.run("curl --fail --max-time 10 http://127.0.0.1:8080/healthz")?;
    machine.run("gatehouse-upgrade --back")?;
    kept(machine, "2~test install ok installed")?;
    packages(machine, "2~test", "1~test")?;
    told("gone back to the version before, and to the one after it");

    // The power went when the first of the two had its new place: nothing is to be judged again.
    machine.run(&format!(
        "cd {KEPT} && mkdir upgrade && touch upgrade/well && mv installed.deb upgrade/new.deb \
         && ln previous.deb installed.deb && systemctl start gatehouse-upgrade.service"
    ))?;
    kept(machine, "2~test install ok installed")?;
    packages(machine, "2~test", "1~test")?;
    told("a change of places that the power ended is brought to its end");

    machine.run(&format!("cp {} {KEPT}/previous.deb", deb(3)))?;
    let output = machine.try_run("gatehouse-upgrade --back")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{:?}: {said}", output.status);
    kept(machine, "2~test install ok installed")?;
    packages(machine, "2~test", "3~test")?;
    told("a version before that does not come up is not gone back to");
    Ok(())
}

fn taken_back(machine: &Machine) -> Result<()> {
    let output = machine.try_run(&format!("gatehouse-upgrade {}", deb(3)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{:?}: {said}", output.status);
    kept(machine, "2~test install ok installed")?;
    told("a version that does not come up is taken back");
    Ok(())
}

fn taken_back_after_a_power_cut(machine: Machine, root: &Path, over: &Path) -> Result<Machine> {
    machine.run(&format!("(gatehouse-upgrade {} >/dev/null 2>&1 &)", deb(4)))?;
    let is_half_way = "dpkg-query --show --showformat '${Version}' gatehouse | grep -qF 4~test";
    machine.until("the bad version is installed", is_half_way)?;
    drop(machine);
    told("power cut in the middle of a bad upgrade");
    let machine = Machine::boot(root, over)?;
    machine.until("the upgrade is over", "[ ! -e /var/cache/gatehouse/upgrade ]")?;
    kept(&machine, "2~test install ok installed")?;
    told("the version before runs again");
    Ok(machine)
}

fn removed(machine: &Machine) -> Result<()> {
    machine.run("dpkg --remove gatehouse")?;
    machine.run(
        "! systemctl is-active gatehouse && [ ! -e /usr/bin/gatehouse ] \
         && grep -q keep /var/lib/gatehouse/mark && grep -q '# ours' /etc/gatehouse/community.toml \
         && getent passwd gatehouse",
    )?;
    machine.run(&format!("dpkg --install {}", deb(2)))?;
    machine.until("it is back", "curl --fail --max-time 10 http://127.0.0.1:8080/healthz")?;
    kept(machine, "2~test install ok installed")?;
    machine.run("dpkg --purge gatehouse")?;
    machine.run(
        "[ ! -e /var/lib/gatehouse ] && [ ! -e /etc/gatehouse ] && [ ! -e /var/cache/gatehouse ] \
         && getent passwd gatehouse",
    )?;
    told("removed, its state kept; purged, nothing kept but the user's number");
    Ok(())
}
