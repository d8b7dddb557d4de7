//! The power goes while a box starts for the first time, while its settings change, and while it is restored:
//! whatever was half done, the next start works and has what was promised.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::peers::gatehouse;
use crate::peers::gateway::{Running, configure, is_up, run};
use crate::peers::mosquitto::{Mosquitto, free_port};

/// The same moments each time, so that a failure can be looked at again.
struct Chance(u64);

impl Chance {
    /// A span below this many ms, short ones as often as long ones.
    async fn pause(&mut self, longest: u64) {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (scale, part) = ((self.0 >> 60) % 4, (self.0 >> 33) % longest);
        tokio::time::sleep(Duration::from_millis(part >> scale)).await;
    }
}

fn prepare(folder: &Path, sensors: u16) -> String {
    let console = free_port();
    let more = format!("[console]\nlisten = \"127.0.0.1:{console}\"\n");
    configure(folder, sensors, 2, &more);
    format!("127.0.0.1:{console}")
}

/// Starts it once more, and judges.
async fn starts(folder: &Path, console: &str) {
    let mut gateway = Running(run(folder));
    is_up(console).await;
    gateway.kill();
    let log = fs::read_to_string(folder.join("log")).unwrap();
    assert!(!log.contains("panicked") && !log.contains("was damaged"), "{log}");
}

async fn cut(mut command: Command, chance: &mut Chance, longest: u64) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    chance.pause(longest).await;
    child.kill().unwrap();
    child.wait().unwrap();
}

fn command(args: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(gatehouse());
    command.args(args).arg("--config").arg(folder);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_was_cut_short_anywhere_is_followed_by_one_that_works() {
    let sensors = Mosquitto::plain();
    let mut chance = Chance(20_261_123);
    for _ in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let console = prepare(folder.path(), sensors.port());
        for _ in 0..6 {
            cut(command(&["run"], folder.path()), &mut chance, 1_500).await;
        }
        starts(folder.path(), &console).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_was_cut_short_is_the_old_one_or_the_new_one() {
    let sensors = Mosquitto::plain();
    let folder = tempfile::tempdir().unwrap();
    let console = prepare(folder.path(), sensors.port());
    starts(folder.path(), &console).await;
    let mut chance = Chance(7);
    for turn in 0..24 {
        let word = ["pilot", "promote"][turn % 2];
        cut(command(&["scenes", word, "fire"], folder.path()), &mut chance, 700).await;
        let checked = command(&["check"], folder.path()).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
    starts(folder.path(), &console).await;
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains("aside"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_or_a_restoring_that_was_cut_short_is_done_again() {
    let sensors = Mosquitto::plain();
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    fs::create_dir(&old).unwrap();
    let console = prepare(&old, sensors.port());
    starts(&old, &console).await;
    let (file, data) = (folder.path().join("backup"), new.join("data"));
    let mut chance = Chance(3);
    for _ in 0..8 {
        cut(command(&["backup", file.to_str().unwrap()], &old), &mut chance, 400).await;
        if file.exists() {
            fs::remove_file(&file).unwrap();
        }
    }
    let made = command(&["backup", file.to_str().unwrap()], &old).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let restore = || {
        let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
        command(&["restore", file, "--replace", "--json", "--store", data], &new)
    };
    let restored = || {
        let done = restore().output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let told: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        told["sequence"].as_u64().unwrap()
    };

    let (marks, mut had_marks) = (data.join("marks"), false);
    for _ in 0..12 {
        cut(restore(), &mut chance, 400).await;
        assert!(marks.exists() || !had_marks, "nothing tells where sequences may begin");
        had_marks = marks.exists();
    }
    let (first, second) = (restored(), restored());

    assert!(second > first, "whatever the first gave out is not given out again");
    let path = new.join("gateway.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("/old/data", "/new/data")).unwrap();
    starts(&new, &console).await;
}
