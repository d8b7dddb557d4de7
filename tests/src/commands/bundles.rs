//! `bundle.install`: fetched over HTTPS from Python's server, and in effect while the gateway runs; or
//! refused, and what was active goes on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::io::{BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use super::things::ODD;
use super::town::{Town, kind};
use crate::peers::cameras::Apache;
use crate::peers::mosquitto::free_port;
use crate::peers::{PATIENCE, audited, command, gatehouse, lines, python, start, workspace};

/// A town, and where its bundles lie.
pub(super) struct Market {
    pub(super) town: Town,
    pub(super) folder: PathBuf,
    address: String,
    pub(super) asked: u32,
    /// Ids of events that were heard of.
    pub(super) heard: BTreeSet<String>,
    /// What the server says of those who ask it.
    pub(super) said: Lines<BufReader<ChildStdout>>,
    _server: Child,
}

impl Market {
    pub(super) async fn start() -> Self {
        let town = Town::start().await;
        let folder = town.path("market");
        fs::create_dir(&folder).unwrap();
        let (certificate, key) = town.authority.sign("market", &["localhost"]);
        let mut server = start(
            command(python())
                .arg(workspace().join("tests/peers/files.py"))
                .args([&folder, &certificate, &key])
                .stdout(Stdio::piped()),
        );
        let mut said = lines(server.stdout.take().unwrap());
        let ready = said.next_line().await.unwrap().expect("the server has ended");
        let address = format!("https://localhost:{}", ready.strip_prefix("ready ").unwrap());
        Self { town, folder, address, asked: 0, heard: BTreeSet::new(), said, _server: server }
    }

    /// A bundle with this scene; gives its name and its SHA-256.
    pub(super) fn makes(&self, signer: &str, version: &str, scene: &str) -> (String, String) {
        self.makes_of(signer, version, &[("scenes/odd.toml", scene)])
    }

    /// A bundle with these files.
    pub(super) fn makes_of(
        &self,
        signer: &str,
        version: &str,
        files: &[(&str, &str)],
    ) -> (String, String) {
        let source = self.town.path(&format!("source-{signer}-{version}"));
        for (path, text) in files {
            let path = source.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let about = format!("name = \"site\"\nversion = \"{version}\"\n");
        fs::write(source.join("bundle.toml"), about).unwrap();
        let name = format!("{signer}-{version}.bundle");
        let out = self.folder.join(&name);
        let key = self.town.path(signer);
        let mut sign = Command::new(gatehouse());
        sign.args(["bundle", "sign", "--key"]).arg(key).arg(source).arg("--out").arg(&out);
        assert!(sign.stdout(Stdio::null()).status().unwrap().success());
        let sum = Command::new("sha256sum").arg(&out).output().unwrap().stdout;
        let sum = String::from_utf8(sum).unwrap();
        (name, sum.split(' ').next().unwrap().to_owned())
    }

    pub(super) async fn signed(&mut self, name: &str, sha256: &str) -> String {
        self.asked += 1;
        let url = format!("{}/{name}", self.address);
        let args = json!({ "url": url, "sha256": sha256 });
        let id = format!("bundle-{}", self.asked);
        self.town.sign(&Town::command(&id, "bundle.install", &args)).await
    }

    pub(super) async fn installs(&mut self, name: &str, sha256: &str) -> Value {
        let signed = self.signed(name, sha256).await;
        self.town.ask(&signed).await
    }

    /// The bundle that the gateway says is active.
    pub(super) async fn active(&mut self) -> Value {
        self.reports().await["bundle"].clone()
    }

    pub(super) async fn reports(&mut self) -> Value {
        self.asked += 1;
        let id = format!("r-{}", self.asked);
        let signed = self.town.sign(&Town::command(&id, "gateway.report", &json!({}))).await;
        self.town.publish(&signed).await;
        self.town.answer(&id, 3).await["result"].clone()
    }

    /// What an event of the scene is called.
    async fn title(&mut self, plug: &str) -> Value {
        self.town.say(&format!("tele/{plug}/STATE"), r#"{"t": 99}"#).await;
        loop {
            let message: Value = serde_json::from_slice(&self.town.events.next().await).unwrap();
            if message["data"]["scene"] == "odd" {
                return message["data"]["title"]["en"].clone();
            }
        }
    }
}

#[tokio::test]
async fn a_bundle_is_fetched_installed_and_in_effect_while_the_gateway_runs() {
    let mut market = Market::start().await;
    let (name, sha256) = market.makes("vendor", "1.0", &ODD.replace("\"odd\" }", "\"ours\" }"));
    let signed = market.signed(&name, &sha256).await;

    let reply = market.town.ask(&signed).await;

    let result = json!({ "active": "site 1.0", "signed_by": "vendor.pub" });
    assert_eq!((&reply["ok"], &reply["result"]), (&json!(true), &result), "{reply}");
    assert_eq!(market.active().await, "site 1.0");
    assert_eq!(market.title("plug").await, "ours");
    assert_eq!(market.town.ask(&signed).await, reply, "the same answer, and not the same work");

    let (older, of_older) = market.makes("vendor", "0.9", ODD);
    let (forged, of_forged) = market.makes("forger", "2.0", ODD);
    let (broken, of_broken) = market.makes("vendor", "3.0", &ODD.replace("advice", "advise"));
    fs::write(market.folder.join("noise"), "no bundle").unwrap();
    let noise = "0".repeat(64);
    for (name, sha256, expected, reason) in [
        (&older, &of_older, "not-installed", "site 0.9 is older than site 1.0"),
        (&forged, &of_forged, "not-installed", "which is not among `[bundles] trusted-keys`"),
        (&broken, &of_broken, "not-installed", "unknown key `advise`"),
        (&older, &of_forged, "wrong-hash", ""),
        (&"noise".to_owned(), &noise, "wrong-hash", ""),
        (&"nothing".to_owned(), &of_older, "not-fetched", "HTTP 404"),
        (&"away".to_owned(), &of_older, "not-fetched", "elsewhere"),
    ] {
        let reply = market.installs(name, sha256).await;
        assert_eq!(kind(&reply), expected, "{name} {reply}");
        assert!(reply["message"].as_str().unwrap().contains(reason), "{name} {reply}");
        assert_eq!(market.active().await, "site 1.0", "{name}");
    }
    assert_eq!(market.title("plug-2").await, "ours", "what was active goes on");

    // Sound, but not while it runs: all is as it was, on the disk too.
    let (newer, of_newer) = market.makes("vendor", "4.0", ODD);
    let (state, configuration) =
        (market.town.path("data/bundles/state"), market.town.path("gateway.toml"));
    let (stood, kept) = (fs::read(&state).unwrap(), fs::read_to_string(&configuration).unwrap());
    let other = kept.replacen("township = \"", "township = \"new-", 1);
    assert_ne!(other, kept);
    fs::write(&configuration, other).unwrap();
    let reply = market.installs(&newer, &of_newer).await;
    fs::write(&configuration, kept).unwrap();
    assert_eq!(kind(&reply), "not-installed", "{reply}");
    assert!(reply["message"].as_str().unwrap().contains("cannot change while"), "{reply}");
    assert_eq!(fs::read(&state).unwrap(), stood);
    assert_eq!(market.active().await, "site 1.0");

    let plain = json!({ "url": "http://township.example/b", "sha256": sha256 });
    let plain = Town::command("plain", "bundle.install", &plain);
    let plain = market.town.sign(&plain).await;
    assert_eq!(kind(&market.town.ask(&plain).await), "malformed");
    assert_eq!(market.active().await, "site 1.0");
    let is_bundle = |line: &&str| line.contains("\"bundle.");
    let are_there = |told: &str| told.lines().filter(is_bundle).count() >= 10;
    let told = audited(&market.town.path("."), are_there).await;
    let lines: Vec<&str> = told.lines().filter(is_bundle).collect();
    assert_eq!(lines.len(), 10, "{told}");
    let first = lines.iter().find(|line| line.contains(&sha256));
    assert!(first.is_some_and(|line| line.contains("platform:")), "{told}");
    market.town.stop().await;
}

#[tokio::test]
async fn what_never_ends_keeps_nobody_waiting_and_goes_on_after_a_power_cut() {
    let mut market = Market::start().await;
    let nothing = "0".repeat(64);
    let slow = market.signed("slow", &nothing).await;
    market.town.publish(&slow).await;
    assert_eq!(market.active().await, Value::Null, "other commands go on");
    assert_eq!(kind(&market.installs("endless", &nothing).await), "busy");

    market.town.kill();
    market.town.run();
    assert_eq!(market.active().await, Value::Null);
    assert_eq!(kind(&market.installs("endless", &nothing).await), "busy", "it is still under way");
    market.town.publish(&slow).await;
    assert_eq!(market.active().await, Value::Null);
    let (mut begun, soon) = (0, Duration::from_millis(500));
    while timeout(soon, market.said.next_line()).await.is_ok() {
        begun += 1;
    }
    assert_eq!(begun, 2, "before the power cut and after it, and not for who says it again");
    market.town.stop().await;
}

#[tokio::test]
async fn what_is_too_long_is_given_up_and_leaves_nothing() {
    let mut market = Market::start().await;
    let endless = market.signed("endless", &"0".repeat(64)).await;
    let id = format!("bundle-{}", market.asked);
    market.town.publish(&endless).await;
    let reply = market.town.answer(&id, 6).await;
    assert_eq!(kind(&reply), "not-fetched", "{reply}");
    assert!(reply["message"].as_str().unwrap().contains("longer than"), "{reply}");
    let left = fs::read_dir(market.town.path("data/bundles")).unwrap().count();
    assert_eq!(left, 0, "nothing is left on the disk");
    market.town.stop().await;
}

/// The largest file there; nothing yet when there is no folder.
fn largest(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).max().unwrap_or_default()
}

#[tokio::test]
async fn apache_is_asked_for_the_rest_alone_after_a_power_cut() {
    let mut market = Market::start().await;
    let numbers = (0..250_000_u32).map(|n| n.wrapping_mul(2_654_435_769).to_string());
    let long = format!("{ODD}\n# {}\n", numbers.collect::<Vec<_>>().join(" "));
    let (name, sha256) = market.makes("vendor", "1.0", &long);
    let bundle = fs::read(market.folder.join(&name)).unwrap();
    let (certificate, key) = market.town.authority.sign("apache", &["localhost"]);
    let (plain, port) = (free_port(), free_port());
    let more = format!(
        "LogFormat \"%>s %B\" served\nListen 127.0.0.1:{port}\nSSLSessionCache none\n\
         <VirtualHost *:{port}>\nSSLEngine on\nSSLCertificateFile {}\nSSLCertificateKeyFile {}\n\
         SetOutputFilter RATE_LIMIT\nSetEnv rate-limit 512\nCustomLog @/served served\n</VirtualHost>",
        certificate.display(),
        key.display()
    );
    let modules = ["ssl", "ratelimit", "env"];
    let apache = Apache::start(plain, &modules, &more).await;
    apache.show(&bundle);
    // Of a file that changed within this second it does not say for sure that it is the same.
    let shown = fs::File::options().write(true).open(apache.path("still.jpg")).unwrap();
    shown.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
    let url = format!("https://localhost:{port}/still.jpg");
    let args = json!({ "url": url, "sha256": sha256 });
    let command = Town::command("slow", "bundle.install", &args);
    let signed = market.town.sign(&command).await;
    market.town.publish(&signed).await;
    let fetched = market.town.path("data/bundles");
    let half = bundle.len() as u64 / 2;
    let has_half = async {
        while largest(&fetched) < half {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, has_half).await.unwrap();

    market.town.kill();
    let before = largest(&fetched);
    assert!((half..bundle.len() as u64).contains(&before), "{before}");
    market.town.run();

    let is_active = async { while market.active().await != "site 1.0" {} };
    timeout(PATIENCE * 3, is_active).await.unwrap();
    let served = fs::read_to_string(apache.path("served")).unwrap();
    let rest = format!("206 {}", bundle.len() as u64 - before);
    assert_eq!(served.lines().last(), Some(&*rest), "{served}");
    market.town.stop().await;
}
