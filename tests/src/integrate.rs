//! The integrator's pages, as a browser without scripts walks through them: `gatehouse run`, mosquitto, and
//! pymodbus on a line that is polled all the while.

pub(crate) mod browser;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, MqttOptions, QoS};
use serde_json::{Value, json};

use crate::peers::modbus::{Kind, Slaves};
use crate::peers::mosquitto::{Mosquitto, free_port};
use crate::peers::{PATIENCE, gatehouse, token};
use crate::reload::{TYPE, write};
use browser::Browser;

const PUMP: &str = "[device-type]\nid = \"pump\"\ntitle = { zh = \"泵\", en = \"pump\" }\nvia = \"modbus\"\n\
    [modbus]\nfunction = \"holding\"\nstart = 0\nevery = \"200 ms\"\n\
    [[point]]\nname = \"level\"\nat = { word = 0 }\nunit = \"cm\"\n\
    [[example]]\nwords = [120]\nexpect = { level = 120 }\n";

/// A gateway with a broker, and a line with a pump that it polls and a meter that it does not know.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    gateway: Child,
    pub(crate) browser: Browser,
    broker: Mosquitto,
    _slaves: Slaves,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Mosquitto::plain();
        let units = json!({
            "5": { "holding": [[0, "u16", "big", 120]] },
            "9": {
                "input": [[0, "u16", "big", 7], [1, "f32", "big-swapped", 230.5], [3, "i16", "big", -25]],
                "coil": [[0, "bit", "big", 1]],
            },
        });
        let slaves = Slaves::start(Kind::Tcp, &units).await;
        let console = free_port();
        let gateway = format!(
            "[gateway]\nid = \"gw\"\ntownship = \"town\"\n\
             [[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{}\"\n\
             [[line]]\nid = \"meters\"\ntcp = \"{}\"\ntimeout = \"250 ms\"\n\
             [store]\npath = \"{}\"\n[console]\nlisten = \"127.0.0.1:{console}\"\n",
            broker.port(),
            slaves.place,
            folder.path().join("data").display()
        );
        let community = "[community]\nid = \"c\"\ntitle = { zh = \"社区\", en = \"community\" }\n\
             [[area]]\nid = \"east\"\ntitle = { zh = \"东区\", en = \"east\" }\npeople = 50\n\
             [[device]]\nid = \"pump-1\"\ntype = \"pump\"\narea = \"east\"\nline = \"meters\"\nunit = 5\n";
        for (name, text) in [
            ("gateway.toml", gateway.as_str()),
            ("community.toml", community),
            ("device-types/pump.toml", PUMP),
            ("device-types/thermometer.toml", TYPE),
            ("scenes/heat.toml", &crate::reload::heat("60 degC")),
        ] {
            write(folder.path(), name, text);
        }
        let gateway = Command::new(gatehouse())
            .args(["run", "--config", "."])
            .current_dir(folder.path())
            .stderr(Stdio::from(fs::File::create(folder.path().join("log")).unwrap()))
            .spawn()
            .unwrap();
        let token = token(folder.path(), "integrate");
        let browser = Browser::new(console, token);
        let site = Self { folder, gateway, browser, broker, _slaves: slaves };
        site.until("the pump is polled", || site.frames("pump-1") > 2);
        site
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < end, "not in time: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn device(&self, id: &str) -> Value {
        let devices: Value =
            serde_json::from_str(&self.browser.fetch("/api/v1/devices")).unwrap_or_default();
        let found = devices.as_array().and_then(|all| all.iter().find(|d| d["device"] == id));
        found.cloned().unwrap_or_default()
    }

    fn frames(&self, id: &str) -> u64 {
        self.device(id)["frames"].as_u64().unwrap_or(0)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Says something to the broker, retained, so that who comes later hears it too.
    pub(crate) async fn publish(&self, topic: &str, payload: &str) {
        let options = MqttOptions::new("sensor", "127.0.0.1", self.broker.port());
        let (client, mut events) = AsyncClient::new(options, 8);
        client.publish(topic, QoS::AtLeastOnce, true, payload).await.unwrap();
        loop {
            use rumqttc::{Event, Packet};
            if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.unwrap() {
                return;
            }
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}

#[tokio::test]
async fn an_unknown_payload_becomes_a_device_whose_reading_is_shown() {
    let site = Site::start().await;
    let browser = &site.browser;
    site.publish("acme/7", r#"{"ts": 1767225600000, "data": {"温度": "21.5", "lid": "OPEN"}}"#)
        .await;

    // What nobody claims is heard, and one of the messages is taken as the sample.
    let mut heard =
        browser.post("/integrate/listen", &[("broker", "sensors"), ("filter", "acme/#")]);
    site.until("the message is heard", || {
        heard = browser.get("/integrate/listen");
        heard.contains("acme/7")
    });
    let mut form = browser::form(&heard, "/integrate/choose");
    let chosen = browser.post("/integrate/choose", &form.fields());
    assert!(chosen.contains("/data/温度") && chosen.contains("21.5"), "{chosen}");
    form = browser::form(&chosen, "/integrate/name");
    form.set("pick", "json:/data/温度");
    form.add("pick", "json:/data/lid");
    let named = browser.post("/integrate/name", &form.fields());
    form = browser::form(&named, "/integrate/file");
    assert_eq!((form.get("name-0"), form.get("unit-0")), ("temperature", "degC"));
    for (key, value) in [("id", "acme"), ("title-zh", "盒<b>"), ("title-en", "box <script>")] {
        form.set(key, value);
    }
    let file = browser.post("/integrate/file", &form.fields());
    assert!(file.contains("its example holds"), "{file}");
    assert!(!file.contains("<script>") && !file.contains("盒<b>"), "what was typed is escaped");

    form = browser::form(&file, "/integrate/save");
    assert!(form.get("text").contains("{ json = \"/data/温度\" }"), "{}", form.get("text"));
    form.set("do", "save");
    form.set("device", "box-7");
    form.set("area", "east");
    let done = browser.post("/integrate/save", &form.fields());

    assert!(done.contains("box-7"), "{done}");
    // What a broker has kept is of yesterday and no reading; the next message is.
    site.publish("acme/7", r#"{"ts": 1, "data": {"温度": "21.5", "lid": "CLOSED"}}"#).await;
    site.until("the reading is shown", || {
        browser.get("/integrate/done?type=acme&device=box-7").contains("21.5")
    });
    let point = &site.device("box-7")["points"][0];
    assert_eq!((&point["value"], &point["quality"]), (&json!(21.5), &json!("good")));
    let overlay = site.folder.path().join("data/overlay");
    assert!(
        overlay.join("device-types/acme.toml").is_file() && overlay.join("devices.toml").is_file()
    );
    assert!(!site.folder.path().join("device-types/acme.toml").exists());

    // What is used is not removed; what is not, is.
    let refused = browser.post("/integrate/remove", &[("what", "type"), ("id", "acme")]);
    assert!(refused.contains("devices.toml:"), "{refused}");
    browser.post("/integrate/remove", &[("what", "device"), ("id", "box-7")]);
    browser.post("/integrate/remove", &[("what", "type"), ("id", "acme")]);
    site.until("the device is gone", || site.device("box-7").is_null());
    assert!(!overlay.join("device-types/acme.toml").exists());
}

#[tokio::test]
async fn a_bus_is_scanned_while_it_is_polled_and_its_registers_become_a_device() {
    let site = Site::start().await;
    let browser = &site.browser;
    let before = (site.frames("pump-1"), Instant::now());

    let scan = [("do", "scan"), ("line", "meters"), ("first", "3"), ("last", "10")];
    browser.post("/integrate/modbus", &scan);
    let mut found = String::new();
    site.until("the scan is over", || {
        found = browser.get("/integrate/modbus");
        found.contains("Units that answer: 2")
    });

    for text in ["pump-1", "120", "coil", "65511"] {
        assert!(found.contains(text), "{text}\n{found}");
    }
    let polls = site.frames("pump-1") - before.0;
    let due = u64::try_from(before.1.elapsed().as_millis()).unwrap() / 200;
    assert!(polls * 3 > due * 2, "{polls} polls where {due} were due");
    assert_eq!(site.device("pump-1")["silent"], false);

    let read = [
        ("do", "read"),
        ("line", "meters"),
        ("unit", "9"),
        ("table", "input"),
        ("start", "0"),
        ("count", "4"),
    ];
    let block = browser.post("/integrate/modbus", &read);
    let chosen =
        browser.post("/integrate/choose", &browser::form(&block, "/integrate/choose").fields());
    assert!(chosen.contains("230.5") && chosen.contains("CDAB"), "{chosen}");
    let mut form = browser::form(&chosen, "/integrate/name");
    form.set("pick", "word:1:f32:big-swapped");
    form.add("pick", "word:3:i16:big");
    let named = browser.post("/integrate/name", &form.fields());
    form = browser::form(&named, "/integrate/file");
    for (key, value) in [
        ("id", "meter-x"),
        ("title-zh", "电表"),
        ("title-en", "meter"),
        ("every", "500 ms"),
        ("name-0", "voltage"),
        ("unit-0", "V"),
        ("low-0", "0"),
        ("high-0", "500"),
        ("name-1", "temperature"),
        ("unit-1", "degC"),
        ("scale-1", "0.1"),
        ("stale-1", "1 min"),
    ] {
        form.set(key, value);
    }
    let file = browser.post("/integrate/file", &form.fields());
    form = browser::form(&file, "/integrate/save");
    assert_eq!((form.get("unit"), form.get("line")), ("9", "meters"));
    form.set("do", "save");
    form.set("device", "meter-9");
    form.set("area", "east");
    browser.post("/integrate/save", &form.fields());

    site.until("the reading is shown", || {
        let page = browser.get("/integrate/done?type=meter-x&device=meter-9");
        page.contains("230.5") && page.contains("-2.5")
    });
    // A gateway that runs holds the line, so the command says where to look.
    let told = Command::new(gatehouse())
        .args(["modbus", "scan", "--line", "meters", "--config"])
        .arg(site.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("/integrate/modbus"), "{told}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_words_and_changes_nothing() {
    let site = Site::start().await;
    let browser = &site.browser;

    let long = "a".repeat(1_000_000);
    for (sample, told) in [
        (long.as_str(), "at most 16 kB"),
        ("{\"t\": }", "not JSON at line 1"),
        ("what is this?", "neither JSON"),
        ("{\"a\": {}}", "no value in it"),
    ] {
        let page = browser.post("/integrate/choose", &[("sample", sample), ("form", "guess")]);
        assert!(page.contains(told), "{told}: {}", page.chars().take(2_000).collect::<String>());
    }

    let wrong = TYPE.replace("degC", "furlong").replace("\"thermometer\"\n", "\"pump\"\n");
    let twice = TYPE
        .replace(
            "[[example]]",
            "[[point]]\nname = \"temperature\"\nat = { json = \"/u\" }\nunit = \"1\"\n[[example]]",
        )
        .replace("id = \"thermometer\"", "id = \"other\"");
    for (text, told) in [
        (wrong.as_str(), vec!["furlong", "pump.toml:", "is taken already"]),
        (twice.as_str(), vec!["other.toml:", "`temperature` is taken already"]),
        ("id = <script>alert(1)</script>", vec!["new.toml:1:", "&lt;script&gt;"]),
        ("[device-type]\nid = \"../../../evil\"\n", vec!["is not an id"]),
    ] {
        let page = browser.post(
            "/integrate/save",
            &[("text", text), ("do", "save"), ("device", ""), ("area", "east")],
        );
        for told in told {
            assert!(page.contains(told), "{told}\n{page}");
        }
        assert!(!page.contains("<script>alert"), "{page}");
    }
    let taken = browser.post(
        "/integrate/save",
        &[("known", "thermometer"), ("do", "save"), ("device", "pump-1"), ("area", "west")],
    );
    assert!(
        taken.contains("devices.toml:") && taken.contains("`pump-1` is taken already"),
        "{taken}"
    );
    assert!(taken.contains("there is no area `west`"), "{taken}");

    let overlay = site.folder.path().join("data/overlay");
    let left: Vec<_> = fs::read_dir(overlay.join("device-types")).into_iter().flatten().collect();
    assert!(left.is_empty() && !overlay.join("devices.toml").exists());
    let stranger = browser.without_token("/integrate");
    assert!(stranger.contains("303"), "{stranger}");
}
