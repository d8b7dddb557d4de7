//! The whole way of a picture: a real RTSP server shows a real street, `gatehouse run` looks at it with the
//! shipped models, and an event comes out, with a still of nobody. Apart from that: [`published`], pictures
//! over MQTT.

mod published;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rumqttc::MqttOptions;

use gatehouse::infer::pictures::PictureModels;
use gatehouse_sight::jpeg::decode;
use gatehouse_sight::picture::Picture;
use gatehouse_sight::seen::Seen;
use tokio::time::timeout;

use crate::peers::cameras::{Server, jpegs};
use crate::peers::gateway::{Running, run};
use crate::peers::mosquitto::{Mosquitto, Subscriber, free_port};
use crate::peers::{PATIENCE, gatehouse};

const YARD: &str = r#"
[device-type]
id = "yard"
title = { zh = "院子", en = "yard" }
via = "camera"
[camera]
model = "road-users"
every = "200 ms"
[[point]]
name = "people"
at = { see = "count", labels = ["person"] }
unit = "{people}"
[[point]]
name = "dark"
at = { see = "dark" }
unit = "1"
[[example]]
values = { people = 2, dark = 0 }
expect = { people = 2, dark = 0 }
"#;

const VISITORS: &str = r#"
[scene]
id = "visitors"
title = { zh = "有人", en = "visitors" }
category = "camera"
advice = { zh = "看一看", en = "have a look" }
[[detector]]
id = "people"
when = "people > 0.5 && dark < 0.5"
[[grade]]
level = 4
when = "true"
"#;

fn configure(folder: &Path, camera: u16, sensors: u16, platform: u16) {
    for name in ["device-types", "scenes"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let gateway = format!(
        "[gateway]\nid = \"gw\"\ntownship = \"town\"\nlanguage = \"en\"\n\
         [[camera]]\nid = \"street\"\nurl = \"rtsp://127.0.0.1:{camera}/street\"\nevery = \"200 ms\"\n\
         [[camera]]\nid = \"dead\"\nurl = \"rtsp://127.0.0.1:{dead}/street\"\n\
         [[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{sensors}\"\n\
         [uplink]\nurl = \"mqtt://127.0.0.1:{platform}\"\n\
         [evidence]\nkeep = \"1 h\"\nbasis = \"a test\"\n\
         [store]\npath = \"{data}\"\n[models]\npath = \"{models}\"\n",
        dead = free_port(),
        data = folder.join("data").display(),
        models = models.display(),
    );
    let community = "[community]\nid = \"c\"\ntitle = { zh = \"社区\", en = \"community\" }\n\
         [[area]]\nid = \"east\"\ntitle = { zh = \"东区\", en = \"east\" }\npeople = 50\n\
         [[device]]\nid = \"yard-1\"\ntype = \"yard\"\narea = \"east\"\ncamera = \"street\"\n\
         [[device]]\nid = \"yard-2\"\ntype = \"yard\"\narea = \"east\"\ncamera = \"dead\"\n";
    fs::write(folder.join("gateway.toml"), gateway).unwrap();
    fs::write(folder.join("community.toml"), community).unwrap();
    fs::write(folder.join("device-types/yard.toml"), YARD).unwrap();
    fs::write(folder.join("scenes/visitors.toml"), VISITORS).unwrap();
}

/// What the journal of a gateway says.
fn events(folder: &Path) -> String {
    let output = Command::new(gatehouse())
        .args(["events", "list", "--json", "--config"])
        .arg(folder)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn people_on_a_street_become_an_event_with_a_still_that_shows_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::rtsp(0, &[]).await;
    let brokers = [Mosquitto::plain(), Mosquitto::plain()];
    let [mut sensors, mut platform] = [listening(&brokers[0]).await, listening(&brokers[1]).await];
    configure(folder.path(), server.port, brokers[0].port(), brokers[1].port());
    let mut gateway = Running(run(folder.path()));
    let told = until(|| {
        let told = events(folder.path());
        (told.contains("\"visitors\"") && told.contains("still/")).then_some(told)
    });
    timeout(PATIENCE * 2, told).await.expect("people are seen, and a still is kept");
    let sent = platform.until_quiet(Duration::from_secs(3)).await;
    gateway.kill();
    let events = sent.iter().filter(|payload| has(payload, b"\"visitors\"")).count();
    assert!(events > 0, "the platform is told of {} other things", sent.len());
    let heard = sensors.until_quiet(Duration::from_millis(200)).await;
    for payload in sent.iter().chain(&heard) {
        assert!(!shows_something(payload), "{}", String::from_utf8_lossy(payload));
    }

    let (mut stills, mut others) = (Vec::new(), Vec::new());
    for path in files(folder.path()) {
        let bytes = fs::read(&path).unwrap();
        if has(&bytes, &[0xFF, 0xD8, 0xFF]) {
            let is_still = path.parent().unwrap().ends_with("data/evidence");
            if is_still { stills.push(bytes) } else { others.push(path) }
        }
    }
    assert!(others.is_empty(), "only stills are written: {others:?}");
    assert!(!stills.is_empty());
    nobody_is_found(&stills);
}

/// All that anybody publishes at a broker.
async fn listening(broker: &Mosquitto) -> Subscriber {
    Subscriber::start(MqttOptions::new("eavesdropper", "127.0.0.1", broker.port()), "#").await
}

/// A JPEG, a PNG or H.264 (its parameters, or a key frame), or the beginning of one in base64.
fn shows_something(payload: &[u8]) -> bool {
    let beginnings: [&[u8]; 9] = [
        b"\xFF\xD8\xFF",
        b"\x89PNG",
        b"\0\0\x01\x67",
        b"\0\0\x01\x65",
        b"/9j/",
        b"_9j_",
        b"iVBORw",
        b"AAAAAWc",
        b"AAABZ",
    ];
    // Numbers and words are all that is told, so no frame's bytes can be among them.
    std::str::from_utf8(payload).is_err() || beginnings.iter().any(|magic| has(payload, magic))
}

#[test]
fn a_picture_among_what_is_published_would_be_noticed() {
    assert!(shows_something(&fs::read(&jpegs()[0]).unwrap()));
    assert!(shows_something(b"{\"image\": \"/9j/4AAQSkZJRg\"}"));
    assert!(shows_something(b"\0\0\0\x01\x67\x42"));
    assert!(!shows_something("{\"title\": \"有人\", \"still\": \"still/1\"}".as_bytes()));
}

fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|here| here == wanted)
}

/// Shows the stills to everything that finds people.
fn nobody_is_found(stills: &[Vec<u8>]) {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let names = ["face", "person", "road-users"];
    let (mut models, missing) = PictureModels::open(&models.as_path().into(), names, None);
    assert!(missing.is_empty(), "{missing:?}");
    let recorded = decode(&fs::read(jpegs().first().unwrap()).unwrap(), (640, 480)).unwrap();
    let found = |models: &mut PictureModels, name: &str, picture: &Picture| {
        let people =
            models.labels(name).iter().position(|label| ["person", "face"].contains(&&**label));
        match models.look(name, picture, None).unwrap() {
            Seen::Boxes(boxes) => {
                boxes.iter().filter(|one| Some(one.label) == people && one.score >= 0.5).count()
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(found(&mut models, "person", &recorded) > 0, "the street has people to find");
    for still in stills {
        let still = decode(still, (640, 480)).unwrap();
        for name in names {
            assert_eq!(found(&mut models, name, &still), 0, "{name}");
        }
    }
}

async fn until<T>(mut have: impl FnMut() -> Option<T>) -> T {
    let mut looks = tokio::time::interval(Duration::from_millis(300));
    loop {
        looks.tick().await;
        if let Some(it) = have() {
            return it;
        }
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: std::path::PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries.flat_map(below).filter(|path| path.is_file()).collect()
}
