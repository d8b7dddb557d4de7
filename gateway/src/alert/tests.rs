//! The whole way from the journal to a local server, with a store on disk.

mod vendors;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gatehouse_core::community::build::{File, Files, Surroundings, build};
use gatehouse_core::event::message::{Record as StoreRecord, Transition};
use gatehouse_core::pipeline::Batch;
use serde_json::json;
use tokio::sync::mpsc;

use super::*;
use crate::config::{Identity, StoreConfig};
use crate::store::BatchSender;
use vendors::Vendor;

/// Guards for the east, an office behind them, one telephone each.
const COMMUNITY: &str = r#"
    [community]
    id = "c"
    title = { zh = "社区", en = "community" }
    [calendar]
    time-zone = "+08:00"
    [[area]]
    id = "east"
    title = { zh = "东区", en = "east" }
    people = 10
    [[area]]
    id = "west"
    title = { zh = "西区", en = "west" }
    people = 10
    [[team]]
    id = "guards"
    title = { zh = "保安", en = "guards" }
    tier = "grid"
    areas = ["east"]
    [[team]]
    id = "office"
    title = { zh = "物业", en = "office" }
    tier = "community"
    [[person]]
    id = "li"
    name = "李"
    teams = ["guards"]
    language = "en"
    [[person.alert]]
    channel = "sms"
    address = "138"
    levels = [1, 2]
    budget = "20 per day"
    [[person.alert]]
    channel = "none-such"
    [[person]]
    id = "zhao"
    name = "赵"
    teams = ["office"]
    [[person.alert]]
    channel = "sms"
    address = "139"
    hours = "07:00-23:00"
"#;

fn community() -> Arc<Community> {
    let file = |name: &str, text: &str| File { name: name.into(), text: text.into() };
    let files = Files {
        community: file("community.toml", COMMUNITY),
        device_types: Vec::new(),
        scenes: Vec::new(),
    };
    let around = Surroundings {
        township: "town".into(),
        gateway: "gw".into(),
        sources: Some(Vec::new()),
        models: Some(Vec::new()),
        ..Surroundings::default()
    };
    build(&files, &around).unwrap().community
}

/// A gateway's configuration with this channel.
pub(super) fn config(folder: &Path, channel: &str) -> GatewayConfig {
    let channels: BTreeMap<String, Vec<ChannelConfig>> = toml::from_str(channel).unwrap();
    let store = StoreConfig { path: folder.join("data"), ..StoreConfig::default() };
    let gateway = Identity { id: "gw".into(), township: "town".into(), language: Language::En };
    let mut config: GatewayConfig =
        toml::from_str("[gateway]\nid = \"gw\"\ntownship = \"town\"").unwrap();
    (config.gateway, config.store) = (gateway, store);
    config.channels = channels.into_values().flatten().collect();
    config.alerts.base_url = Some("https://box".into());
    config
}

/// A file beside the store that holds this.
pub(super) fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn signer(config: &GatewayConfig, store: &Store) -> Signer {
    Signer::open(&config.alerts, &config.store.path, store.clone()).unwrap()
}

/// A gateway from its journal on.
struct Box_ {
    batches: Option<BatchSender>,
    _inputs: mpsc::Sender<gatehouse_core::pipeline::Input>,
    alerts: Alerts,
    task: JoinHandle<()>,
    stop: CancellationToken,
    sequence: u64,
}

impl Box_ {
    fn start(config: &GatewayConfig) -> Self {
        let (store, restored) = Store::open(&config.store).unwrap();
        let (inputs, mut received) = mpsc::channel(8);
        let (batches, _) = store.spawn_writer(inputs.downgrade()).unwrap();
        tokio::spawn(async move { while received.recv().await.is_some() {} });
        let (_, community) = watch::channel(community());
        let links = signer(config, &store);
        let parts = Parts { store, clock: Clock::new(1.0), community, relay: None, links };
        let stop = CancellationToken::new();
        let (alerts, task) = start(config, parts, stop.clone()).unwrap().unwrap();
        let batches = Some(batches);
        Self { batches, _inputs: inputs, alerts, task, stop, sequence: restored.sequence }
    }

    fn record(&mut self, transition: Transition, event: &str, level: u8) {
        self.sequence += 1;
        let json = message(self.sequence, transition, event, level).to_string().into_bytes();
        let record = StoreRecord { sequence: self.sequence, level, event: event.to_owned(), json };
        let records = vec![record];
        let batch = Batch { number: self.sequence, records, ..Batch::default() };
        self.batches.as_ref().unwrap().send(batch);
    }

    async fn end(mut self) {
        self.stop.cancel();
        self.batches = None;
        self.task.await.unwrap();
    }
}

fn message(sequence: u64, transition: Transition, event: &str, level: u8) -> serde_json::Value {
    let state = if transition == Transition::Cleared { "cleared" } else { "open" };
    json!({
        "specversion": "1.0", "id": format!("01ID{sequence}"), "source": "/townships/t/gateways/gw",
        "type": format!("gatehouse.event.{}", transition.word()), "subject": event,
        "time": "2026-03-01T04:00:00Z", "datacontenttype": "application/json", "dataschema": "",
        "sequence": format!("{sequence:020}"), "bootid": "1", "timequality": "synced",
        "data": {
            "event": event, "scene": "fire", "category": "safety",
            "title": { "zh": "垃圾桶起火", "en": "bin on fire" }, "level": level,
            "urgency": "Immediate", "certainty": "Likely", "state": state, "tier": "grid",
            "area": "east", "device": "bin-1",
            "location": { "zh": "东区3号楼", "en": "east, house 3" },
            "started": "2026-03-01T04:00:00Z", "detected": "2026-03-01T04:00:00Z",
            "cause": {
                "detector": "hot", "model": "rule", "score": 90.0, "threshold": 60.0,
                "why": { "zh": "温度高", "en": "90 degrees" },
                "contributions": [], "quality": 1.0,
                "grading": { "over": 0.5, "lasted": 1.0, "people": 50, "certainty": 0.9, "devices": 1 },
            },
            "affected": ["bin-1"], "advice": { "zh": "灭火", "en": "take an extinguisher" },
            "evidence": [], "review": { "required": false }, "drill": false,
            "handling": { "stage": "raised", "note": "a person's own words" },
        },
    })
}

#[tokio::test]
async fn a_record_reaches_the_group_once_and_its_end_too_also_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut vendor = Vendor::start(json!({ "errcode": 0, "errmsg": "ok" })).await;
    let url = file(folder.path(), "url", &vendor.url("/cgi-bin/webhook/send?key=k"));
    let channel =
        format!("[[channel]]\nid = \"group\"\nwecom = {{ url-file = \"{}\" }}", url.display());
    let config = config(folder.path(), &channel);

    let mut gateway = Box_::start(&config);
    gateway.record(Transition::Opened, "01EVENT", 1);
    let asked = vendor.next().await;
    let text = asked.json()["markdown"]["content"].as_str().unwrap().to_owned();
    assert!(text.contains("bin on fire | east, house 3"), "{text}");
    assert!(text.contains("(https://box/events/01EVENT)"), "{text}");
    assert!(!text.contains("own words"), "{text}");
    let link = text.split("https://box/a/").nth(1).unwrap().split(')').next().unwrap().to_owned();
    let claim = gateway.alerts.links.check(&link, crate::clock::wall()).unwrap();
    assert_eq!((claim.event.as_str(), claim.person.as_str()), ("01EVENT", "group"));
    while gateway.alerts.counts.all() != [("group".to_owned(), "sent", 1)] {
        tokio::task::yield_now().await;
    }
    gateway.end().await;

    let mut gateway = Box_::start(&config);
    gateway.record(Transition::Cleared, "01EVENT", 1);
    let asked = vendor.next().await;
    let text = asked.json()["markdown"]["content"].as_str().unwrap().to_owned();
    assert!(text.contains("(over)") && !text.contains("/a/"), "{text}");
    gateway.end().await;
}

#[tokio::test]
async fn a_box_that_never_told_anybody_does_not_begin_with_the_past() {
    let folder = tempfile::tempdir().unwrap();
    let mut vendor = Vendor::start(json!({ "errcode": 0, "errmsg": "ok" })).await;
    let url = file(folder.path(), "url", &vendor.url("/send?key=k"));
    let channel =
        format!("[[channel]]\nid = \"group\"\nwecom = {{ url-file = \"{}\" }}", url.display());
    let mut config = config(folder.path(), &channel);
    let channels = std::mem::take(&mut config.channels);
    let store = Store::open(&config.store).unwrap().0;
    let links = signer(&config, &store);
    assert!(
        start(
            &config,
            Parts {
                store,
                links,
                clock: Clock::new(1.0),
                community: watch::channel(community()).1,
                relay: None,
            },
            CancellationToken::new(),
        )
        .unwrap()
        .is_none()
    );
    config.channels = channels;
    let mut gateway = Box_::start(&config);
    gateway.record(Transition::Opened, "01NEW", 1);
    let text = vendor.next().await.json()["markdown"]["content"].to_string();
    assert!(text.contains("01NEW"), "{text}");
    gateway.end().await;
}

#[test]
fn those_on_duty_their_groups_and_those_who_are_sent_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let channels = r#"
        [[channel]]
        id = "sms"
        to = ["137"]
        sms = { url = "http://x/{phone}{text}" }
        [[channel]]
        id = "guards"
        teams = ["guards"]
        language = "zh"
        speech = {}
        [[channel]]
        id = "west"
        areas = ["west"]
        speech = {}
    "#;
    let config = config(folder.path(), channels);
    let community = community();
    let all = directory::recipients(&community, &config.channels, Language::En);
    let ids: Vec<&str> = all.iter().map(|to| to.id.as_str()).collect();
    assert_eq!(ids, ["sms>137", "guards", "west", "li@sms#0", "zhao@sms#0"]);
    assert_eq!((all[3].levels.clone(), all[3].budget), (vec![1, 2], Some(20)));
    assert_eq!((all[1].language, all[0].language), (Language::Zh, Language::En));

    let told = |transition, change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = message(1, transition, "e", 1);
        change(&mut json["data"]);
        let record: Record = serde_json::from_value(json).unwrap();
        let now = Timestamp(1_772_337_600_000);
        directory::responsible(&community, &config.channels, transition, &record.data, now)
    };
    let plain = told(Transition::Opened, &|_| {});
    assert_eq!(plain, ["sms>137", "guards", "li@sms#0", "li@none-such#1"]);
    let west = told(Transition::Opened, &|data| data["area"] = "west".into());
    assert_eq!(west, ["sms>137", "west"]);
    let raised = told(Transition::Escalated, &|data| data["tier"] = "community".into());
    assert_eq!(raised, ["sms>137", "zhao@sms#0"]);
    let sent = told(Transition::Dispatched, &|data| data["handling"]["assignee"] = "zhao".into());
    assert_eq!(sent, ["zhao@sms#0"]);
    let team = told(Transition::Dispatched, &|data| data["handling"]["assignee"] = "guards".into());
    assert_eq!(team, ["guards", "li@sms#0", "li@none-such#1"]);
}
