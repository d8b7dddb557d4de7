//! A candidate bundle runs beside the live one, is compared, promoted on command, and taken back by
//! itself when it breaks its budget of false alarms.

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::peers::{PATIENCE, gatehouse, workspace};
use crate::reload::{FRAMES, LOADED, Sensor, Site, TYPE, community, heat, write};

/// A scene in which only a model speaks.
const UNUSUAL: &str = r#"
[scene]
id = "unusual"
title = { zh = "异常", en = "unusual" }
category = "facility"
reopen-within = "0 s"
false-alarms = "100 per day"
advice = { zh = "去看", en = "go and look" }
[[detector]]
id = "unusual"
model = "forecast"
"#;

const DEVICES: [&str; 10] =
    ["th-0", "th-1", "th-2", "th-3", "th-4", "th-5", "th-6", "th-7", "th-8", "th-9"];

/// Thermometers that date what they say: once a minute, two days ago. So the model sees the same,
/// however slow this machine is.
struct Thermometers {
    began_ms: u128,
    minute: u128,
}

impl Thermometers {
    fn begin() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let began_ms = now.as_millis() - Duration::from_hours(48).as_millis();
        Self { began_ms, minute: 0 }
    }

    /// The device type, with a time.
    fn device_type() -> String {
        let dated = "via = \"mqtt\"\ntime = { json = \"/ts\", format = \"unix-ms\" }";
        TYPE.replace("via = \"mqtt\"", dated)
            .replace("{\"t\": 21.5}", "{\"t\": 21.5, \"ts\": 1767225600000}")
    }

    async fn say(&self, site: &mut Site, device: &str, temperature: f64) {
        let at = self.began_ms + self.minute * 60_000;
        let text = format!("{{\"t\": {temperature}, \"ts\": {at}}}");
        site.sensor.send(device, text).await;
    }

    /// For so many minutes, each says something usual. The detector wants 225 samples before it speaks.
    async fn live_on(&mut self, site: &mut Site, minutes: u128) {
        for _ in 0..minutes {
            self.minute += 1;
            for device in DEVICES {
                let usual = 20.0 + (self.minute % 7) as f64 / 10.0;
                self.say(site, device, usual).await;
            }
        }
    }

    /// These say something that they never said.
    async fn surprise(&mut self, site: &mut Site, devices: &[&str]) {
        self.minute += 1;
        for device in devices {
            self.say(site, device, 39.0).await;
        }
    }
}

fn command(site: &Site, args: &[&str]) -> Output {
    let folder = site.folder.path();
    Command::new(gatehouse())
        .args(args)
        .args(["--config", "."])
        .current_dir(folder)
        .output()
        .unwrap()
}

fn done(site: &Site, args: &[&str]) {
    let output = command(site, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn refused(site: &Site, args: &[&str]) -> String {
    let output = command(site, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// What `models compare --json` says once that holds; the account is written a little after a reload.
fn compared(site: &Site, is_meant: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let output = command(site, &["models", "compare", "--json"]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        if is_meant(&told) {
            return told;
        }
        assert!(Instant::now() < end, "{told:#}\n{}", site.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Trusts a key of ours, and signs a bundle in which it is hot from 40 degC on.
fn sign_candidate(site: &Site) {
    let folder = site.folder.path();
    let vendor = folder.join("vendor");
    done(site, &["bundle", "keygen", "vendor"]);
    let gateway = fs::read_to_string(folder.join("gateway.toml")).unwrap();
    let models = workspace().join("models");
    let models = format!("[models]\npath = \"{}\"\n", models.display());
    let trusting =
        gateway + &models + "[bundles]\ntrusted-keys = [\"vendor.pub\"]\ntrial = \"0 s\"\n";
    write(folder, "gateway.toml", &trusting);
    write(folder, "b/bundle.toml", "name = \"summer\"\nversion = \"1\"\n");
    write(folder, "b/scenes/heat.toml", &heat("40 degC"));
    done(site, &["bundle", "sign", "--key", vendor.to_str().unwrap(), "b"]);
}

/// The next messages that open an event: scene and device.
async fn opened(site: &mut Site, count: usize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while found.len() < count {
        let message = site.message().await;
        if message["type"] == "gatehouse.event.opened" {
            let word = |key: &str| message["data"][key].as_str().unwrap().to_owned();
            found.push((word("scene"), word("device")));
        }
    }
    found
}

fn event(scene: &str, device: &str) -> (String, String) {
    (scene.to_owned(), device.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_runs_beside_the_live_one_until_it_is_promoted_and_no_reading_is_lost() {
    let mut site = Site::start().await;
    sign_candidate(&site);
    let none = compared(&site, |_| true);
    assert_eq!((&none["candidate"], &none["account"]), (&Value::Null, &Value::Null));
    assert!(refused(&site, &["models", "promote"]).contains("there is no candidate"));
    done(&site, &["bundle", "install", "--shadow", "summer-1.bundle"]);
    assert!(refused(&site, &["models", "promote"]).contains("it has not run yet"));
    site.reload(LOADED);

    site.sensor.say("th-1", 70.0).await;
    site.sensor.say("th-2", 50.0).await;
    assert_eq!(opened(&mut site, 1).await, [event("heat", "th-1")]);
    site.sensor.say("th-2", 20.0).await;
    site.until(FRAMES, 3);
    site.reload(LOADED);

    let told = compared(&site, |told| told["account"]["inputs"].as_u64() >= Some(3));
    let heat = &told["account"]["scenes"]["heat"];
    let counts = ["both", "only-live", "only-candidate"].map(|key| heat[key].as_u64());
    assert_eq!(counts, [Some(1), Some(0), Some(1)], "{told:#}");
    assert_eq!(heat["disagreements"][0]["device"], "th-2");
    assert_eq!(heat["disagreements"][0]["by"], "candidate");
    assert_eq!(
        (&told["account"]["dropped"], &told["account"]["within-budget"]),
        (&0.into(), &true.into())
    );
    assert!(refused(&site, &["models", "promote"]).contains("wait until that is a day"));

    let (port, each) = (site.brokers[0].port(), 200);
    let talk = tokio::spawn(async move {
        let mut sensor = Sensor::connect(port, "talker");
        for n in 0..each {
            sensor.say("th-1", 70.0 + n as f64 / 100.0).await;
        }
    });
    done(&site, &["models", "promote", "--anyway"]);
    site.reload(LOADED);
    talk.await.unwrap();
    site.until(FRAMES, 3 + each);
    site.sensor.say("th-2", 50.0).await;

    assert_eq!(opened(&mut site, 1).await, [event("heat", "th-2")], "th-1 is open already");
    let told = compared(&site, |_| true);
    assert_eq!((&told["installed"], &told["candidate"]), (&"summer 1".into(), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_breaks_the_budget_is_stopped_beside_and_taken_back_after_it_was_promoted() {
    let mut sensors = Thermometers::begin();
    let mut site = Site::start().await;
    sign_candidate(&site);
    write(site.folder.path(), "device-types/thermometer.toml", &Thermometers::device_type());
    write(site.folder.path(), "community.toml", &community(&DEVICES));
    write(site.folder.path(), "scenes/unusual.toml", UNUSUAL);
    // Loud ones would be hot.
    write(site.folder.path(), "scenes/heat.toml", &heat("100 degC"));
    site.restart(|_| {});
    sensors.live_on(&mut site, 260).await;
    site.until(FRAMES, 2_600);
    // What was learnt is on the disk after a stop, and the candidate begins with it.
    site.restart(|site| done(site, &["bundle", "install", "--shadow", "summer-1.bundle"]));

    sensors.surprise(&mut site, &DEVICES[..5]).await;
    let told = opened(&mut site, 6).await;
    assert_eq!(told[5], event("candidate-stopped", "gw"), "{told:?}");
    assert!(
        told[..5].iter().all(|(scene, _)| scene == "unusual"),
        "the live one goes on: {told:?}"
    );
    let beside = compared(&site, |told| !told["account"]["broke"].is_null());
    assert_eq!(beside["account"]["broke"]["scene"], "unusual");
    assert_eq!(beside["account"]["within-budget"], false);
    let broken = "breaks its budget in scene unusual: 5 events where at most 0 are likely";
    assert!(refused(&site, &["models", "promote"]).contains(broken));
    let before = site.metric(LOADED);

    done(&site, &["models", "promote", "--anyway"]);
    site.reload(LOADED);
    sensors.surprise(&mut site, &DEVICES[5..]).await;

    let told = opened(&mut site, 6).await;
    assert_eq!(told[5], event("bundle-withdrawn", "gw"), "{told:?}");
    site.until(LOADED, before + 2);
    let after = compared(&site, |_| true);
    assert_eq!((&after["installed"], &after["candidate"]), (&Value::Null, &Value::Null));
    assert_eq!(after["probation"]["broke"]["raised"], 5);
    sensors.minute += 1;
    sensors.say(&mut site, "th-0", 50.0).await;
    sensors.say(&mut site, "th-1", 101.0).await;
    let told = opened(&mut site, 1).await;
    assert_eq!(told, [event("heat", "th-1")], "hot is what it was before");

    done(&site, &["bundle", "install", "--shadow", "summer-1.bundle"]);
    site.reload(LOADED);
    site.reload(LOADED);
    let again = compared(&site, |told| !told["account"].is_null());
    assert_eq!(again["account"]["broke"], Value::Null, "it may try again");
}
