//! A box without a clock: it starts in 1970 and learns the time later. libfaketime is the box's clock,
//! mosquitto and a camera speak TLS to it, and are judged by their certificate all the same.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gatehouse_core::event::message::Message;
use gatehouse_core::reading::{TimeQuality, Timestamp};
use tokio::process::Child;

use crate::peers::certificates::Authority;
use crate::peers::gateway::{Running, configure, heat};
use crate::peers::mosquitto::{Mosquitto, Subscriber, free_port, subscriber};
use crate::peers::{PATIENCE, command, faketime, gatehouse, lines, python, start, workspace};

/// What the box's clock shows: written anew, it is set.
fn set(folder: &Path, time: &str) {
    fs::write(folder.join("time.new"), format!("@{time}\n")).unwrap();
    fs::rename(folder.join("time.new"), folder.join("time")).unwrap();
}

fn run(folder: &Path) -> std::process::Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    Command::new(gatehouse())
        .args(["run", "--config"])
        .arg(folder)
        .env("LD_PRELOAD", faketime())
        .env("FAKETIME_TIMESTAMP_FILE", folder.join("time"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("TZ", "UTC")
        .stdout(Stdio::null())
        .stderr(Stdio::from(log))
        .spawn()
        .unwrap()
}

/// A platform and a camera without pictures, whose certificate is valid in these years; the platform speaks
/// without TLS on its other port.
async fn platform(folder: &Path, years: std::ops::Range<i32>) -> (Mosquitto, Child, [u16; 2]) {
    let authority = Authority::new(folder, "ca");
    let (certificate, key) = authority.sign_for("platform", &["localhost"], years);
    let tls = free_port();
    let broker = Mosquitto::start(|port, _| {
        format!(
            "per_listener_settings false\nlistener {port} 127.0.0.1\nallow_anonymous true\n\
             listener {tls} 127.0.0.1\ncertfile {}\nkeyfile {}\n",
            certificate.display(),
            key.display()
        )
    });
    let mut camera = start(
        command(python())
            .arg(workspace().join("tests/peers/files.py"))
            .arg(folder)
            .args([&certificate, &key])
            .stdout(Stdio::piped()),
    );
    let ready = lines(camera.stdout.take().unwrap()).next_line().await.unwrap().unwrap();
    let port = ready.strip_prefix("ready ").unwrap().parse().unwrap();
    (broker, camera, [tls, port])
}

fn prepare(folder: &Path, sensors: u16, [tls, camera]: [u16; 2]) {
    let more = format!(
        "[[camera]]\nid = \"gate\"\nurl = \"https://localhost:{camera}/nothing.jpg\"\n\
         [camera.access]\nca-file = \"ca.pem\"\n\
         [uplink]\nurl = \"mqtts://localhost:{tls}\"\nretry-min = \"100ms\"\nretry-max = \"500ms\"\n\
         [uplink.access]\nca-file = \"ca.pem\"\n[console]\nenabled = false\n"
    );
    configure(folder, sensors, 1, &more);
}

/// The next message that is of the bin's fire.
async fn next(events: &mut Subscriber) -> Message {
    loop {
        let message: Message = serde_json::from_slice(&events.next().await).unwrap();
        if message.data.scene == "fire" {
            return message;
        }
    }
}

/// Waits for a line of the log that has these words.
async fn logged(folder: &Path, words: &[&str]) {
    let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
    let is_there = || log().lines().any(|line| words.iter().all(|word| line.contains(word)));
    let looks = async {
        while !is_there() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looks).await.is_ok(), "{words:?}: {}", log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_in_1970_believes_good_certificates_and_its_events_are_dated_right_later() {
    let folder = tempfile::tempdir().unwrap();
    let sensors = Mosquitto::plain();
    // Today is in it, 1970 is not.
    let (platform, _camera, ports) = platform(folder.path(), 2020..2100).await;
    prepare(folder.path(), sensors.port(), ports);
    let mut events = subscriber(platform.port(), "gatehouse/v1/town/gw/events").await;
    set(folder.path(), "1970-01-02 00:00:00");
    let mut gateway = Running(run(folder.path()));
    logged(folder.path(), &["running"]).await;
    logged(folder.path(), &["gate", "nothing at this address"]).await;

    heat(sensors.port(), 0..1).await;
    let wrong = next(&mut events).await;
    let truly = gatehouse::clock::wall();
    set(folder.path(), &truly.rfc3339()[..19].replace('T', " "));
    let right = next(&mut events).await;

    gateway.kill();
    let started = |message: &Message| message.data.started.parse::<Timestamp>().unwrap();
    assert_eq!(wrong.kind, "gatehouse.event.opened");
    assert_eq!(wrong.timequality, TimeQuality::Unknown);
    assert!(started(&wrong) > Timestamp(1_700_000_000_000), "never before the program was built");
    assert_eq!((&*right.kind, &right.subject), ("gatehouse.event.updated", &wrong.subject));
    let off = truly.since(started(&right));
    assert!(off < Duration::from_mins(1), "{off:?} off: {}", right.data.started);
    assert!(started(&right) > started(&wrong));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_has_expired_is_refused_though_the_clock_shows_a_day_on_which_it_was_good()
 {
    let folder = tempfile::tempdir().unwrap();
    let sensors = Mosquitto::plain();
    let (_platform, _camera, ports) = platform(folder.path(), 2010..2020).await;
    prepare(folder.path(), sensors.port(), ports);
    set(folder.path(), "2015-06-01 00:00:00");
    let mut gateway = Running(run(folder.path()));

    for who in ["not connected", "gate"] {
        logged(folder.path(), &[who, "certificate has expired"]).await;
    }

    gateway.kill();
}
