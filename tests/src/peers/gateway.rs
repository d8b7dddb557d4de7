//! Our own program as its users start it: `gatehouse run` on a small community of bins that may burn.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tokio::time::timeout;

use super::http::ask;
use super::{PATIENCE, gatehouse};

pub(crate) const BIN: &str = r#"
[device-type]
id = "bin"
title = { zh = "垃圾桶", en = "bin" }
via = "mqtt"
[[point]]
name = "temperature"
at = { json = "/t" }
unit = "degC"
range = [-40, 200]
[[example]]
payload = '{"t": 20.5}'
expect = { temperature = 20.5 }
"#;

pub(crate) const FIRE: &str = r#"
[scene]
id = "fire"
title = { zh = "着火", en = "fire" }
category = "safety"
advice = { zh = "灭火", en = "put it out" }
[[detector]]
id = "hot"
point = "temperature"
limit-high = "60 degC"
[[grade]]
level = 2
when = "over > 0.1"
"#;

/// What signs webhooks.
pub(crate) const SECRET: &str = "webhook secret";

/// A gateway with so many bins, and these sections more.
pub(crate) fn configure(folder: &Path, sensors: u16, bins: usize, more: &str) {
    let gateway = format!(
        "[gateway]\nid = \"gw\"\ntownship = \"town\"\nlanguage = \"en\"\n\
         [[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{sensors}\"\n\
         [store]\npath = \"{}\"\n{more}",
        folder.join("data").display()
    );
    let mut community = String::from(
        "[community]\nid = \"c\"\ntitle = { zh = \"社区\", en = \"community\" }\n\
         [[area]]\nid = \"east\"\ntitle = { zh = \"东区\", en = \"east\" }\npeople = 50\n",
    );
    for bin in 0..bins {
        let _ =
            write!(community, "[[device]]\nid = \"bin-{bin}\"\ntype = \"bin\"\narea = \"east\"\n");
    }
    fs::write(folder.join("secret"), format!("{SECRET}\n")).unwrap();
    write(folder, &gateway, &community, BIN, FIRE);
}

/// The configuration of a community of bins.
pub(crate) fn write(folder: &Path, gateway: &str, community: &str, bin: &str, fire: &str) {
    for name in ["device-types", "scenes", "models"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    fs::write(folder.join("gateway.toml"), gateway).unwrap();
    fs::write(folder.join("community.toml"), community).unwrap();
    fs::write(folder.join("device-types/bin.toml"), bin).unwrap();
    fs::write(folder.join("scenes/fire.toml"), fire).unwrap();
}

pub(crate) fn run(folder: &Path) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    Command::new(gatehouse())
        .args(["run", "--config"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::from(log))
        .spawn()
        .unwrap()
}

/// Ends what it holds when a test fails.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Says that these bins are hot, into a session that the gateway may still have to take up. Until there is one
/// the broker says that nobody listens (MQTT 5, 3.4.2.1), and hears it again.
pub(crate) async fn heat(port: u16, bins: std::ops::Range<usize>) {
    let (client, mut events) = AsyncClient::new(MqttOptions::new("bins", "127.0.0.1", port), 200);
    let said = async {
        for bin in bins {
            let topic = format!("sense/c/bin-{bin}");
            let mut is_taken = false;
            while !is_taken {
                client.publish(&topic, QoS::AtLeastOnce, false, "{\"t\": 90.0}").await.unwrap();
                let reason = loop {
                    if let Event::Incoming(Packet::PubAck(ack)) = events.poll().await.unwrap() {
                        break ack.reason;
                    }
                };
                is_taken = reason != PubAckReason::NoMatchingSubscribers;
                if !is_taken {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        client.disconnect().await.unwrap();
        while events.poll().await.is_ok() {}
    };
    timeout(PATIENCE, said).await.expect("nobody listens to the bins");
}

/// Waits until every source is up.
pub(crate) async fn is_up(address: &str) {
    says_yes(address, "/readyz").await;
}

/// Waits until the console answers, whatever its sources do.
pub(crate) async fn is_there(address: &str) {
    says_yes(address, "/healthz").await;
}

async fn says_yes(address: &str, path: &str) {
    let yes = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        while !ask(address, "GET", path, "").await.first.contains("200") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, yes).await.unwrap_or_else(|_| panic!("{path} says no"));
}
