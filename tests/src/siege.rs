//! `gatehouse run` with cameras that send far too much, or what is no picture, and with other cameras each
//! time it loads its configuration anew. What it says of itself on `/metrics` is what is judged.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jpeg_encoder::{ColorType, Encoder};
use serde_json::Value;
use tokio::time::timeout;

use crate::peers::PATIENCE;
use crate::peers::cameras::{Apache, Server, VIEW, flood, jpegs, mjpeg, pattern};
use crate::peers::gateway::{Running, is_there, run};
use crate::peers::http::ask;
use crate::peers::mosquitto::free_port;

const DARK: &str = r#"
[scene]
id = "dark"
title = { zh = "黑", en = "dark" }
category = "camera"
advice = { zh = "看一看", en = "have a look" }
[[detector]]
id = "dark"
when = "dark > 0.5"
"#;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A gateway with a device at each of its cameras.
pub(crate) struct Town {
    folder: tempfile::TempDir,
    gateway: Running,
    console: String,
}

impl Town {
    /// Cameras by their ids and addresses.
    pub(crate) async fn start(cameras: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let console = format!("127.0.0.1:{}", free_port());
        for name in ["device-types", "scenes", "models"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("device-types/view.toml"), VIEW).unwrap();
        fs::write(folder.path().join("scenes/dark.toml"), DARK).unwrap();
        for (name, text) in [("token", TOKEN), ("password", "let me in")] {
            fs::write(folder.path().join(name), text).unwrap();
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(folder.path().join(name), private).unwrap();
        }
        configure(folder.path(), &console, cameras);
        let gateway = Running(run(folder.path()));
        is_there(&console).await;
        Self { folder, gateway, console }
    }

    /// Loads the configuration anew, and waits until it has judged it.
    async fn reload(&self, judged: &str, cameras: &[(&str, String)]) {
        configure(self.folder.path(), &self.console, cameras);
        let before = self.metric(judged).await.unwrap();
        let hup = Command::new("kill").args(["-HUP", &self.gateway.0.id().to_string()]).status();
        assert!(hup.unwrap().success());
        self.until(judged, |now| now > before).await;
    }

    async fn metric(&self, name: &str) -> Option<f64> {
        let token = format!("Authorization: Bearer {TOKEN}\r\n");
        let told = ask(&self.console, "GET", "/metrics", &token).await.text();
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|number| number.trim().parse().unwrap())
    }

    pub(crate) async fn until(&self, metric: &str, is_reached: impl Fn(f64) -> bool) {
        let mut last = None;
        let reached = async {
            loop {
                last = self.metric(metric).await;
                if last.is_some_and(&is_reached) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        // A camera that was away is asked anew after a minute at the latest.
        let is_in_time = timeout(2 * PATIENCE, reached).await.is_ok();
        assert!(is_in_time, "{metric} is {last:?}\n{}", self.log());
    }

    /// So many looks more than there are.
    pub(crate) async fn looks_at(&self, camera: &str, more: f64) {
        let name = looks(camera);
        let before = self.metric(&name).await.unwrap_or_default();
        self.until(&name, |now| now >= before + more).await;
    }

    /// Waits until a device's point has a good value.
    async fn sees(&self, device: &str, point: &str) {
        let token = format!("Authorization: Bearer {TOKEN}\r\n");
        let has = |told: &Value| {
            let devices = told.as_array().into_iter().flatten();
            let mut points = devices
                .filter(|one| one["device"] == device)
                .flat_map(|one| one["points"].as_array().cloned().unwrap_or_default());
            points.any(|one| one["point"] == point && one["quality"] == "good")
        };
        let seen = async {
            while !has(&ask(&self.console, "GET", "/api/v1/devices", &token).await.json()) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        assert!(
            timeout(PATIENCE, seen).await.is_ok(),
            "{device} never sees {point}\n{}",
            self.log()
        );
    }

    /// Waits until it is logged.
    async fn logs(&self, text: &str) {
        let logged = async {
            while !self.log().contains(text) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        assert!(timeout(PATIENCE, logged).await.is_ok(), "no `{text}`\n{}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The most memory that it has ever held, in MiB.
    pub(crate) fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.gateway.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() / 1024
    }
}

fn up(camera: &str) -> String {
    format!("gatehouse_source_up{{source=\"{camera}\"}}")
}

fn looks(camera: &str) -> String {
    format!("gatehouse_camera_looks_total{{camera=\"{camera}\"}}")
}

pub(crate) fn dropped(camera: &str, reason: &str) -> String {
    format!("gatehouse_dropped_total{{source=\"{camera}\",reason=\"{reason}\"}}")
}

fn configure(folder: &Path, console: &str, cameras: &[(&str, String)]) {
    let mut gateway = format!(
        "[gateway]\nid = \"gw\"\ntownship = \"town\"\nlanguage = \"en\"\n[store]\npath = \"{}\"\n\
         [console]\nlisten = \"{console}\"\ntoken-file = \"token\"\n",
        folder.join("data").display()
    );
    let mut community = "[community]\nid = \"c\"\ntitle = { zh = \"社区\", en = \"community\" }\n\
        [[area]]\nid = \"east\"\ntitle = { zh = \"东区\", en = \"east\" }\npeople = 50\n"
        .to_owned();
    for (id, url) in cameras {
        let _ = write!(gateway, "[[camera]]\nid = \"{id}\"\nurl = \"{url}\"\nevery = \"100 ms\"\n");
        if url.contains("clips") {
            gateway += "share = \"10 %\"\n";
        }
        if id.ends_with("udp") {
            gateway += "transport = \"udp\"\n";
        }
        if url.contains("digest") {
            gateway += "[camera.access]\nuser = \"cam\"\npassword-file = \"password\"\n";
        }
        let _ = write!(
            community,
            "[[device]]\nid = \"at-{id}\"\ntype = \"view\"\narea = \"east\"\ncamera = \"{id}\"\n"
        );
    }
    fs::write(folder.join("gateway.toml"), gateway).unwrap();
    fs::write(folder.join("community.toml"), community).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cameras_that_send_4k_as_fast_as_they_can_cost_the_others_nothing_and_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (film, still) = (folder.path().join("4k.h264"), folder.path().join("4k.jpg"));
    pattern(&film, "3840x2160", 60, 60).await;
    pattern(&still, "3840x2160", 1, 1).await;
    let reel = folder.path().join("reel.h264");
    fs::write(&reel, fs::read(&film).unwrap().repeat(40)).unwrap();
    let server = Server::showing(&reel).await;
    let (port, flooding) = (free_port(), free_port());
    let _apache = Apache::start(port, &[], "").await;
    let _flood = flood(flooding, &still);

    let town = Town::start(&[
        ("film", format!("rtsp://127.0.0.1:{}/clip", server.port)),
        ("flood", format!("http://127.0.0.1:{flooding}/")),
        ("gate", format!("http://127.0.0.1:{port}/still.jpg")),
    ])
    .await;

    for camera in ["film", "flood"] {
        town.looks_at(camera, 3.0).await;
    }
    // What a flood sends between two pictures that are wanted, nobody misses.
    let shed = "gatehouse_camera_shed_total{camera=\"film\"}";
    town.until(shed, |shed| shed > 10.0).await;
    town.looks_at("gate", 20.0).await;
    let peak = town.peak();
    assert!(peak < MOST_MEMORY, "{peak} MiB");
}

/// In MiB, for a program that was not optimised, with two cameras that send 4K.
const MOST_MEMORY: u64 = 400;

#[tokio::test]
async fn what_is_no_picture_is_counted_by_what_is_wrong_with_it_under_the_camera_s_name() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let apache = Apache::start(port, &[], "").await;
    let town = Town::start(&[("gate", format!("http://127.0.0.1:{port}/still.jpg"))]).await;
    town.looks_at("gate", 1.0).await;
    let street = fs::read(&jpegs()[0]).unwrap();
    // ITU-T T.81, B.2.2: behind the marker length, precision, height, width and number of colours.
    let frame = street.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut other = street.clone();
        other[frame + at..][..bytes.len()].copy_from_slice(bytes);
        other
    };
    let cases = [
        (drawn((ColorType::Cmyk, 4), false), "unsupported"),
        (with(5, &[0, 0]), "no-pixels"),
        (with(5, &[0xFF, 0xF0, 0xFF, 0xF0]), "too-large"),
        (street[..street.len() / 2].to_vec(), "truncated"),
        (b"<p>Welcome".to_vec(), "not-a-picture"),
        (b"\xFF\xD8\xFF".repeat(6 << 20), "too-long"),
    ];
    for (bytes, reason) in cases {
        apache.show(&bytes);
        town.until(&dropped("gate", reason), |count| count >= 1.0).await;
    }
    // Few cameras send it, and it is a picture all the same.
    apache.show(&drawn((ColorType::Rgb, 3), true));
    town.looks_at("gate", 3.0).await;
    town.until("gatehouse_source_up{source=\"gate\"}", |up| up > 0.5).await;
    let other = folder.path().join("other.jpg");
    pattern(&other, "320x240", 1, 1).await;
    apache.show(&fs::read(other).unwrap());
    town.looks_at("gate", 3.0).await;
    town.until("gatehouse_source_up{source=\"gate\"}", |up| up > 0.5).await;
}

#[tokio::test]
async fn a_camera_whose_pictures_are_all_cut_off_is_down_until_it_sends_whole_ones() {
    let folder = tempfile::tempdir().unwrap();
    let whole = jpegs()[0].clone();
    let bytes = fs::read(&whole).unwrap();
    let half = folder.path().join("half.jpg");
    fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    let (port, streaming, sound) = (free_port(), free_port(), free_port());
    let apache = Apache::start(port, &[], "").await;
    apache.show(&bytes[..bytes.len() / 2]);
    let _sound = Apache::start(sound, &[], "").await;
    let stream = mjpeg(streaming, &half);
    let town = Town::start(&[
        ("gate", format!("http://127.0.0.1:{port}/still.jpg")),
        ("lane", format!("http://127.0.0.1:{streaming}/")),
        ("yard", format!("http://127.0.0.1:{sound}/still.jpg")),
    ])
    .await;

    for camera in ["gate", "lane"] {
        town.logs(&format!("camera `{camera}`: its pictures cannot be decoded: cut off")).await;
        town.until(&up(camera), |up| up < 0.5).await;
        assert_eq!(town.metric(&looks(camera)).await, Some(0.0), "{camera}");
    }
    town.looks_at("yard", 3.0).await;
    town.until(&up("yard"), |up| up > 0.5).await;

    drop(stream);
    let _stream = mjpeg(streaming, &whole);
    apache.show(&bytes);
    for camera in ["gate", "lane"] {
        town.until(&up(camera), |up| up > 0.5).await;
        town.looks_at(camera, 3.0).await;
    }
}

/// A JPEG with as many colours as it says.
fn drawn((colour, colours): (ColorType, usize), is_progressive: bool) -> Vec<u8> {
    let (mut bytes, side) = (Vec::new(), 128_u16);
    let pixels = usize::from(side) * usize::from(side) * colours;
    let pixels: Vec<u8> = (0..=255).cycle().step_by(7).take(pixels).collect();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_progressive(is_progressive);
    encoder.encode(&pixels, side, side, colour).unwrap();
    bytes
}

#[tokio::test]
async fn cameras_come_change_and_go_without_a_restart() {
    const LOADED: &str = "gatehouse_configuration_loaded_total";
    const REFUSED: &str = "gatehouse_configuration_refused_total";
    let port = free_port();
    let _apache = Apache::start(port, &[], "").await;
    let server = Server::rtsp(0, &[]).await;
    let still = |door: &str| format!("http://127.0.0.1:{port}/{door}");
    let street = format!("rtsp://127.0.0.1:{}/street", server.port);
    let town = Town::start(&[("gate", still("nowhere"))]).await;
    town.until(&dropped("gate", "not-found"), |count| count >= 1.0).await;

    // Another address and a password, and another camera before it.
    let both = [("lane", street), ("gate", still("digest.jpg"))];
    town.reload(LOADED, &both).await;
    for camera in ["gate", "lane"] {
        town.looks_at(camera, 3.0).await;
        town.until(&up(camera), |up| up > 0.5).await;
    }

    // What cannot be used changes nothing.
    town.reload(REFUSED, &[("gate", "gopher://127.0.0.1/".to_owned())]).await;
    town.looks_at("lane", 1.0).await;

    // Another type at the same cameras: it sees more.
    let brightness =
        "[[point]]\nname = \"brightness\"\nat = { see = \"brightness\" }\nunit = \"1\"\n";
    let more = VIEW
        .replace("[[example]]", &format!("{brightness}[[example]]"))
        .replace("dark = 0 }", "dark = 0, brightness = 0.5 }");
    fs::write(town.folder.path().join("device-types/view.toml"), more).unwrap();
    town.reload(LOADED, &both).await;
    for device in ["at-gate", "at-lane"] {
        town.sees(device, "brightness").await;
    }

    // One goes, and then all: nothing is told of them any more.
    town.reload(LOADED, &both[1..]).await;
    town.looks_at("gate", 1.0).await;
    assert_eq!(town.metric(&looks("lane")).await, None);
    town.reload(LOADED, &[]).await;
    assert_eq!(town.metric(&looks("gate")).await, None);
    assert!(!town.log().contains("waits for the next one"), "{}", town.log());
}
