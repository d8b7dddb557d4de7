//! Bundles over a bad line and in bad times: the line breaks, the power fails, and what is not healthy is
//! taken back by itself.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::bundles::Market;
use super::things::{ODD, PLUG};
use super::town::kind;
use crate::peers::{PATIENCE, gatehouse};

impl Market {
    /// Of how long a bundle must be healthy; counts from the next start or reload.
    fn tries_for(&self, time: &str) {
        let path = self.town.path("gateway.toml");
        let mut text = fs::read_to_string(&path).unwrap();
        if let Some(end) = text.find("trial = ") {
            text.truncate(end);
        }
        fs::write(path, format!("{text}trial = \"{time}\"\n")).unwrap();
    }

    /// Installs it and returns when it has proven itself.
    async fn proves(&mut self, version: &str, scene: &str) {
        let (name, sha256) = self.makes("vendor", version, scene);
        let reply = self.installs(&name, &sha256).await;
        assert_eq!(reply["ok"], true, "{reply}");
        self.reports_until(|report| report["bundle_on_trial"] == false).await;
    }

    async fn reports_until(&mut self, is_so: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + 2 * PATIENCE;
        loop {
            let report = self.reports().await;
            if is_so(&report) {
                return report;
            }
            assert!(Instant::now() < end, "{report}");
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Why the next event says that a bundle was taken back.
    async fn taken_back(&mut self) -> String {
        loop {
            let message: Value = serde_json::from_slice(&self.town.events.next().await).unwrap();
            let is_opened = message["type"].as_str().unwrap().ends_with("opened");
            if is_opened && message["data"]["scene"] == "bundle-withdrawn" {
                // What nobody had confirmed before a restart comes again under its own id.
                if !self.heard.insert(message["id"].to_string()) {
                    continue;
                }
                return message["data"]["cause"]["why"]["en"].to_string();
            }
        }
    }

    /// Whether `run` ends well, where it ends by itself.
    fn starts(&self) -> bool {
        let mut run = Command::new(gatehouse());
        run.args(["run", "--config", "."]).current_dir(self.town.path("."));
        run.output().unwrap().status.success()
    }

    fn restart(&mut self) {
        self.town.kill();
        self.town.run();
    }
}

#[tokio::test]
async fn a_bundle_comes_over_a_line_that_breaks_and_over_a_power_cut() {
    let mut market = Market::start().await;
    let long = format!("{ODD}{}", "# nothing, again and again\n".repeat(20_000));
    let (name, sha256) = market.makes("vendor", "1.0", &long);
    let signed = market.signed(&format!("cut/{name}"), &sha256).await;
    market.town.publish(&signed).await;
    let id = format!("bundle-{}", market.asked);
    // Three pieces have come.
    for _ in 0..4 {
        market.said.next_line().await.unwrap().unwrap();
    }
    let partial = market.town.path("data/bundles/.fetched");
    let have = fs::metadata(&partial).unwrap().len();
    assert!(have >= 3 * (64 << 10), "{have}");

    market.restart();
    let reply = market.town.answer(&id, 3).await;

    assert_eq!(reply["result"]["active"], "site 1.0", "{reply}");
    assert_eq!(market.active().await, "site 1.0");
    let mut asked = Vec::new();
    let soon = Duration::from_millis(300);
    while let Ok(said) = tokio::time::timeout(soon, market.said.next_line()).await {
        asked.push(serde_json::from_str::<(Option<String>, Option<String>)>(
            &said.unwrap().unwrap(),
        ));
    }
    assert!(!asked.is_empty());
    for asked in asked {
        let (range, same) = asked.unwrap();
        let from: u64 = range.unwrap()["bytes=".len()..].trim_end_matches('-').parse().unwrap();
        assert!(from >= have && same.is_some(), "it goes on where it broke: {from}");
    }
    assert!(!partial.exists());
    market.town.stop().await;
}

#[tokio::test]
async fn a_kill_at_any_time_leaves_one_bundle_or_the_other_and_a_gateway_that_runs() {
    let mut market = Market::start().await;
    market.tries_for("1 s");
    market.restart();
    market.proves("1.0", ODD).await;
    market.tries_for("1 h");
    // Primes, in milliseconds: in the download, while it is judged, at the switch, and in the trial.
    for (round, after) in [17, 61, 131, 257, 521, 1_031, 2_053].into_iter().enumerate() {
        let new = format!("2.{round}");
        let (name, sha256) = market.makes("vendor", &new, ODD);
        let signed = market.signed(&name, &sha256).await;
        let id = format!("bundle-{}", market.asked);
        market.town.publish(&signed).await;
        sleep(Duration::from_millis(after)).await;

        market.restart();

        let active = market.active().await;
        assert!(active == "site 1.0" || active == format!("site {new}").as_str(), "{active}");
        // Asked again it says what came of it, and a kill in the trial takes it back.
        market.town.publish(&signed).await;
        market.town.answer(&id, 3).await;
        if market.active().await != "site 1.0" {
            market.restart();
        }
        market.reports_until(|report| report["bundle"] == "site 1.0").await;
    }
    market.tries_for("1 s");
    market.proves("3.0", ODD).await;
    assert_eq!(market.active().await, "site 3.0");
    let folders = fs::read_dir(market.town.path("data/bundles")).unwrap().flatten();
    let folders = folders.filter(|entry| entry.path().is_dir()).count();
    assert_eq!(folders, 2, "this one and the one before");
    market.town.stop().await;
}

#[tokio::test]
async fn what_is_killed_in_its_trial_is_taken_back_and_what_is_stopped_in_good_order_is_not() {
    let mut market = Market::start().await;
    market.tries_for("1 s");
    market.restart();
    market.proves("1.0", ODD).await;
    market.tries_for("1 h");
    let (name, sha256) = market.makes("vendor", "2.0", ODD);
    assert_eq!(market.installs(&name, &sha256).await["ok"], true);
    assert_eq!(market.reports().await["bundle_on_trial"], true);
    assert!(!market.starts(), "one runs");
    assert_eq!(market.active().await, "site 2.0", "and goes on with what it tries");

    market.town.end().await;
    // A slip that is none of the bundle's.
    let community = market.town.path("community.toml");
    let whole = fs::read_to_string(&community).unwrap();
    fs::write(&community, format!("{whole}\n[slip]\n")).unwrap();
    assert!(!market.starts());
    fs::write(&community, whole).unwrap();
    market.town.run();
    let report = market.reports().await;
    assert_eq!((&report["bundle"], &report["bundle_on_trial"]), (&json!("site 2.0"), &json!(true)));

    market.restart();
    let report = market.reports().await;
    assert_eq!(
        (&report["bundle"], &report["bundle_on_trial"]),
        (&json!("site 1.0"), &json!(false))
    );
    assert_eq!(report["bundle_failed"]["bundle"], "site 2.0", "{report}");
    let why = market.taken_back().await;
    assert!(why.contains("site 2.0") && why.contains("site 1.0 is back"), "{why}");

    let (older, of_older) = market.makes("vendor", "0.9", ODD);
    let reply = market.installs(&older, &of_older).await;
    assert_eq!(kind(&reply), "not-installed", "{reply}");
    assert!(
        reply["message"].as_str().unwrap().contains("site 0.9 is older than site 1.0"),
        "{reply}"
    );
    assert_eq!(market.active().await, "site 1.0");

    // Brought at the desk, and changed on the disk before anybody has loaded it.
    market.town.end().await;
    let file = market.folder.join(&name).display().to_string();
    market.town.program(&["bundle", "install", "--config", ".", &file]);
    let find = "for f in data/bundles/site-2.0-*/scenes/odd.toml; do echo x >> $f; done";
    let spoilt = Command::new("sh").args(["-c", find]).current_dir(market.town.path(".")).status();
    assert!(spoilt.unwrap().success());
    market.town.run();
    assert_eq!(market.active().await, "site 1.0");
    let why = market.taken_back().await;
    assert!(why.contains("does not load") && why.contains("site 1.0 is back"), "{why}");
    market.restart();
    assert_eq!(market.active().await, "site 1.0", "it is back for good");
    market.town.stop().await;
}

#[tokio::test]
async fn a_device_type_that_understands_nobody_any_more_is_taken_back_while_the_gateway_runs() {
    let mut market = Market::start().await;
    market.tries_for("5 s");
    market.restart();
    for _ in 0..3 {
        market.town.say("tele/plug/STATE", r#"{"t": 20}"#).await;
    }
    // It reads well, and holds for no plug of this town.
    let deaf = PLUG.replace(
        "at = { json = \"/t\" }\nunit = \"1\"\noptional = true",
        "at = { json = \"/temperature\" }\nunit = \"1\"",
    );
    let deaf = deaf.replace("{\"on\": true}", "{\"on\": true, \"temperature\": 1}");
    let deaf = deaf.replace("expect = { on = 1 }", "expect = { on = 1, temperature = 1 }");
    let deaf = deaf.replace("name = \"t\"", "name = \"temperature\"");
    let scene = ODD.replace("when = \"t > 50.0\"", "when = \"temperature > 50.0\"");
    let (name, sha256) = market.makes_of(
        "vendor",
        "1.0",
        &[("device-types/plug.toml", &deaf), ("scenes/odd.toml", &scene)],
    );
    let reply = market.installs(&name, &sha256).await;
    assert_eq!(reply["ok"], true, "{reply}");
    for _ in 0..8 {
        market.town.say("tele/plug/STATE", r#"{"t": 21}"#).await;
    }

    let why = market.taken_back().await;

    assert!(why.contains("of the type plug send is refused"), "{why}");
    let report = market.reports().await;
    assert_eq!(report["bundle"], Value::Null, "{report}");
    assert_eq!(report["bundle_failed"]["bundle"], "site 1.0");
    market.town.stop().await;
}
