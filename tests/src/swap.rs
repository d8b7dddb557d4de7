//! Swapping the box: backed up while it runs, killed, and gone on with elsewhere; retired for good, gone on with
//! without a gap; one file restored more than once; and what was learnt comes along. The platform is mosquitto,
//! and judges by what it has seen of all boxes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rumqttc::{AsyncClient, MqttOptions, QoS};
use serde_json::Value;

use crate::peers::gatehouse;
use crate::peers::gateway::{Running, configure, heat, is_up, run};
use crate::peers::http::{ask, post};
use crate::peers::learning::{has_learnt, unusual};
use crate::peers::mosquitto::{Mosquitto, Subscriber, free_port, subscriber};
use crate::peers::{PATIENCE, workspace};

const PASSWORD: &str = "a sentence of more than twelve letters";

struct Place {
    folder: tempfile::TempDir,
    sensors: Mosquitto,
    platform: Mosquitto,
    console: u16,
}

impl Place {
    fn new() -> Self {
        let (sensors, platform) = (Mosquitto::plain(), Mosquitto::plain());
        let (folder, console) = (tempfile::tempdir().unwrap(), free_port());
        let more = format!(
            "[uplink]\nurl = \"mqtt://127.0.0.1:{}\"\nretry-min = \"100ms\"\nretry-max = \"500ms\"\n\
             [console]\nlisten = \"127.0.0.1:{console}\"\n",
            platform.port()
        );
        let old = folder.path().join("old");
        fs::create_dir(&old).unwrap();
        configure(&old, sensors.port(), 3, &more);
        fs::write(folder.path().join("passphrase"), format!("{PASSWORD}\n")).unwrap();
        Self { folder, sensors, platform, console }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn start(&self, name: &str) -> Running {
        let running = Running(run(&self.at(name)));
        is_up(&format!("127.0.0.1:{}", self.console)).await;
        running
    }

    fn backup(&self, more: &[&str]) -> Output {
        let (file, old) = (self.at("backup"), self.at("old"));
        command(&["backup", file.to_str().unwrap(), "--config", old.to_str().unwrap()], more)
    }

    fn restore(&self, file: &str, more: &[&str]) -> Output {
        let (file, new) = (self.at(file), self.at("new"));
        let data = new.join("data");
        let (new, data) = (new.to_str().unwrap(), data.to_str().unwrap());
        command(&["restore", file.to_str().unwrap(), "--config", new, "--store", data], more)
    }

    /// The new box's store is in another folder than the old one's.
    fn mend(&self) {
        let path = self.at("new").join("gateway.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("/old/data", "/new/data")).unwrap();
    }
}

fn command(args: &[&str], more: &[&str]) -> Output {
    Command::new(gatehouse()).args(args).args(more).output().unwrap()
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn add_account(config: &Path) {
    let mut command = Command::new(gatehouse());
    command.args(["user", "add", "li", "--role", "manager", "--config"]).arg(config);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

async fn cool(port: u16, bin: usize) {
    say(port, bin, 20.0).await;
}

async fn say(port: u16, bin: usize, celsius: f64) {
    let (client, mut events) = AsyncClient::new(MqttOptions::new("cool", "127.0.0.1", port), 8);
    let task = tokio::spawn(async move { while events.poll().await.is_ok() {} });
    let topic = format!("sense/c/bin-{bin}");
    client.publish(topic, QoS::AtLeastOnce, false, format!("{{\"t\": {celsius}}}")).await.unwrap();
    client.disconnect().await.unwrap();
    task.await.unwrap();
}

/// Messages until these many of that kind were among them, by the order in which they came.
async fn until(events: &mut Subscriber, kind: &str, many: usize) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    while found.iter().filter(|message| message["type"] == kind).count() < many {
        found.push(serde_json::from_slice(&events.next().await).unwrap());
    }
    found
}

fn sequence(message: &Value) -> u64 {
    message["sequence"].as_str().unwrap().parse().unwrap()
}

fn device(message: &Value) -> &str {
    message["data"]["device"].as_str().unwrap_or_default()
}

const OPENED: &str = "gatehouse.event.opened";
const CLEARED: &str = "gatehouse.event.cleared";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_box_goes_on_from_a_backup_of_one_that_ran_on_and_died() {
    let place = Place::new();
    let mut events = subscriber(place.platform.port(), "gatehouse/v1/town/gw/events").await;
    let mut old = place.start("old").await;
    add_account(&place.at("old"));
    heat(place.sensors.port(), 0..2).await;
    let before = until(&mut events, OPENED, 2).await;
    let passphrase = place.at("passphrase");
    let sealed = ["--passphrase-file", passphrase.to_str().unwrap()];
    done(&place.backup(&sealed));
    heat(place.sensors.port(), 2..3).await;
    let after = until(&mut events, OPENED, 1).await;
    old.kill();

    judge_bad_files(&place, &sealed);
    done(&place.restore("backup", &sealed));
    place.mend();
    let mut new = place.start("new").await;
    cool(place.sensors.port(), 0).await;
    let there = until(&mut events, CLEARED, 1).await;
    let later = events.until_quiet(Duration::from_secs(3)).await;
    let later = later.iter().map(|payload| serde_json::from_slice(payload).unwrap());
    // What the box before had not seen confirmed comes again as it was, for the platform to know by its id.
    let known: BTreeMap<String, &Value> =
        before.iter().chain(&after).map(|message| (message["id"].to_string(), message)).collect();
    let (again, there): (Vec<Value>, Vec<Value>) =
        there.into_iter().chain(later).partition(|m| known.contains_key(&m["id"].to_string()));
    assert!(again.iter().all(|m| known[&m["id"].to_string()] == m), "{again:#?}");

    let form = format!("name=li&password={}", PASSWORD.replace(' ', "+"));
    let console = format!("127.0.0.1:{}", place.console);
    let kind = "application/x-www-form-urlencoded";
    let signed_in = post(&console, "/login", "", kind, &form).await.unwrap();
    assert!(signed_in.headers.contains_key("set-cookie"), "{}", signed_in.first);
    let verified =
        command(&["events", "verify", "--json", "--config"], &[place.at("new").to_str().unwrap()]);
    let verified: Value = serde_json::from_str(&done(&verified)).unwrap();
    assert_eq!(verified["whole"], true, "{verified}");
    new.kill();

    let opened = |messages: &[Value], bin: &str| {
        messages.iter().filter(|m| m["type"] == OPENED && device(m) == bin).count()
    };
    assert_eq!((opened(&there, "bin-0"), opened(&there, "bin-1")), (0, 0), "{there:#?}");
    let last = before.iter().chain(&after).map(sequence).max().unwrap();
    let (gaps, records): (Vec<_>, Vec<_>) =
        there.iter().partition(|message| message["type"] == "gatehouse.gap");
    let mut seen: BTreeSet<u64> = before.iter().chain(&after).map(sequence).collect();
    for record in &records {
        let is_new = seen.insert(sequence(record));
        assert!(is_new && sequence(record) > last + 9_000, "{record}");
    }
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(gaps[0]["data"]["why"], serde_json::json!(["box-replaced"]));
    let range = &gaps[0]["data"]["ranges"][0];
    let first_new = records.iter().map(|m| sequence(m)).min().unwrap();
    assert_eq!(range[1].as_u64().unwrap() + 1, first_new, "not one is unaccounted for");
    assert!(range[0].as_u64().unwrap() <= after.iter().map(sequence).min().unwrap());
}

/// Nothing of it is taken, and nothing is made.
fn judge_bad_files(place: &Place, sealed: &[&str]) {
    let good = fs::read(place.at("backup")).unwrap();
    let mut changed = good.clone();
    changed[good.len() / 2] ^= 1;
    fs::write(place.at("changed"), changed).unwrap();
    fs::write(place.at("short"), &good[..good.len() - 40]).unwrap();
    fs::write(place.at("foreign"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0].repeat(999)).unwrap();
    let cases = [
        ("changed", sealed, "the file is damaged"),
        ("short", sealed, "cut short"),
        ("foreign", sealed, "no backup of Gatehouse"),
        ("backup", &[], "is encrypted"),
        ("none", sealed, "No such file"),
    ];
    for (file, more, expected) in cases {
        let refused = place.restore(file, more);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{file}: {said}");
        assert!(said.contains(expected), "{file}: {said}");
        assert!(!place.at("new").exists(), "{file} was half restored");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retired_box_is_gone_on_with_without_a_gap_and_never_starts_again() {
    let place = Place::new();
    let mut events = subscriber(place.platform.port(), "gatehouse/v1/town/gw/events").await;
    let mut old = place.start("old").await;
    heat(place.sensors.port(), 0..2).await;
    let before = until(&mut events, OPENED, 2).await;
    let refused = place.backup(&["--retire"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("stop it first"));
    let told = Command::new("kill").arg(old.0.id().to_string()).status().unwrap();
    assert!(told.success() && old.0.wait().unwrap().success());

    let made = place.backup(&["--retire"]);
    done(&made);
    assert!(String::from_utf8_lossy(&made.stderr).contains("WARNING"), "it is not encrypted");
    let again = command(&["run", "--config"], &[place.at("old").to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("was moved to another box"));
    done(&place.restore("backup", &[]));
    let twice = place.restore("backup", &[]);
    assert!(String::from_utf8_lossy(&twice.stderr).contains("holds something"));
    place.mend();
    let mut new = place.start("new").await;
    cool(place.sensors.port(), 0).await;
    let after = until(&mut events, CLEARED, 1).await;
    new.kill();

    let mut all: Vec<u64> = before.iter().chain(&after).map(sequence).collect();
    all.sort_unstable();
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>(), "{before:#?} {after:#?}");

    // What was set aside here is in no backup from here.
    done(&place.restore("backup", &["--replace"]));
    place.mend();
    let (second, new) = (place.at("second"), place.at("new"));
    done(&command(&["backup", second.to_str().unwrap(), "--config"], &[new.to_str().unwrap()]));
    done(&place.restore("second", &["--replace"]));
    // Nobody else's word is wanted for that it has retired.
    fs::remove_file(place.at("old/data/retired")).unwrap();
    fs::create_dir(place.at("old/data/retired")).unwrap();
    let still = command(&["run", "--config"], &[place.at("old").to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&still.stderr).contains("was moved to another box"));
}

/// Each box that goes on from one file tells of another bin; the platform sees each sequence with one message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_restored_more_than_once_gives_no_sequence_out_twice() {
    for retire in [&[][..], &["--retire"]] {
        let place = Place::new();
        let mut events = subscriber(place.platform.port(), "gatehouse/v1/town/gw/events").await;
        let mut old = place.start("old").await;
        heat(place.sensors.port(), 0..1).await;
        let mut all = until(&mut events, OPENED, 1).await;
        stop(&mut old);
        done(&place.backup(retire));

        // Counted is every time before, that of `--replace` too.
        for (bin, how) in
            [(1, &[][..]), (2, &["--replace"]), (1, &["--again"; 2]), (2, &["--again"; 3])]
        {
            // One that is not set aside here is on a box of its own.
            if how != ["--replace"] {
                drop(fs::remove_dir_all(place.at("new")));
            }
            done(&place.restore("backup", how));
            place.mend();
            let mut new = place.start("new").await;
            heat(place.sensors.port(), bin..bin + 1).await;
            all.extend(until(&mut events, OPENED, 1).await);
            new.kill();
        }

        let later = events.until_quiet(Duration::from_secs(1)).await;
        all.extend(later.iter().map(|payload| serde_json::from_slice::<Value>(payload).unwrap()));
        let mut meant: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
        for message in all.iter().filter(|message| message["type"] != "gatehouse.gap") {
            meant.entry(sequence(message)).or_default().insert(message["id"].as_str().unwrap());
        }
        let twice: Vec<_> = meant.iter().filter(|(_, ids)| ids.len() > 1).collect();
        assert!(meant.len() >= 5 && twice.is_empty(), "{retire:?}: {twice:?} of {meant:?}");
    }
}

/// As at a stop by systemd.
fn stop(gateway: &mut Running) {
    let told = Command::new("kill").arg(gateway.0.id().to_string()).status().unwrap();
    assert!(told.success() && gateway.0.wait().unwrap().success());
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Bins have a model that learns, and may not warm up by more than 36 degrees an hour.
fn have_it_learn(config: &Path) {
    let change = |file: &str, from: &str, to: &str| {
        let text = fs::read_to_string(config.join(file)).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(config.join(file), text.replace(from, to)).unwrap();
    };
    let models = workspace().join("models");
    let more =
        format!("[models]\npath = \"{}\"\n[console]\ntoken-file = \"token\"", models.display());
    change("gateway.toml", "[console]", &more);
    fs::write(config.join("token"), TOKEN).unwrap();
    fs::set_permissions(config.join("token"), fs::Permissions::from_mode(0o600)).unwrap();
    change("device-types/bin.toml", "range = [-40, 200]", "range = [-40, 200]\nmax-rate = 0.01");
    fs::write(config.join("scenes/unusual.toml"), unusual("bin")).unwrap();
}

/// Waits until the gateway's page says so.
async fn until_metric(console: u16, line: &str) {
    let console = format!("127.0.0.1:{console}");
    let said = async {
        let token = format!("Authorization: Bearer {TOKEN}\r\n");
        while !ask(&console, "GET", "/metrics", &token).await.text().contains(line) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, said).await.unwrap_or_else(|_| panic!("no {line}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_box_knows_what_the_old_one_had_learnt() {
    for retire in [&[][..], &["--retire"]] {
        let place = Place::new();
        have_it_learn(&place.at("old"));
        let mut old = place.start("old").await;
        cool(place.sensors.port(), 0).await;
        until_metric(place.console, "gatehouse_devices{state=\"heard\"} 1\n").await;
        stop(&mut old);
        assert!(has_learnt(&place.at("old/data"), "bin-0"), "a stop writes it down");
        if retire.is_empty() {
            // It is in the backup of one that runs, too.
            old = place.start("old").await;
        }
        done(&place.backup(retire));
        drop(old);

        done(&place.restore("backup", &[]));

        assert!(has_learnt(&place.at("new/data"), "bin-0"), "{retire:?}");
        place.mend();
        let mut new = place.start("new").await;
        say(place.sensors.port(), 0, 60.0).await;
        let jumped = "gatehouse_device_refused_total{device=\"bin-0\",reason=\"jumped\"} 1\n";
        until_metric(place.console, jumped).await;
        new.kill();
        let log = fs::read_to_string(place.at("new/log")).unwrap();
        assert!(!log.contains("panicked") && !log.contains("learnt"), "{log}");
    }
}
