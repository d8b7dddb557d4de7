//! Fills a store with events that are over, through the store's own writer: what `cargo xtask console-bench`
//! looks at. No figure of its own; the arguments are the store's folder and how many events.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use gatehouse::config::StoreConfig;
use gatehouse::store::Store;
use gatehouse_core::event::message::{Message, Record, Stage, State};
use gatehouse_core::pipeline::{Batch, Input};
use gatehouse_core::reading::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;

/// They lie this far apart: 100,000 of them fill half a year.
const APART: Duration = Duration::from_secs(155);
/// Each is opened and closed.
const RECORDS: u64 = 2;
const AT_ONCE: u64 = 500;

const AREAS: [&str; 4] = ["east", "west", "north", "south"];
const TITLES: [(&str, &str); 4] = [
    ("高温", "heat"),
    ("消防通道占用", "fire lane blocked"),
    ("垃圾桶满", "bin full"),
    ("空气差", "poor air"),
];

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [folder, events] = words.as_slice() else { bail!("expected FOLDER EVENTS") };
    let events: u64 = events.parse().context("EVENTS: a number")?;
    let config = StoreConfig { path: PathBuf::from(folder), ..StoreConfig::default() };
    let (store, _) = Store::open(&config)?;
    let (inputs, mut stored) = mpsc::channel(64);
    let (sender, thread) = store.spawn_writer(inputs.downgrade())?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = Timestamp(i64::try_from(now.as_millis())?);
    let mut message = message()?;
    for (batch, first) in (0..events).step_by(usize::try_from(AT_ONCE)?).enumerate() {
        let mut records = Vec::new();
        for event in first..events.min(first + AT_ONCE) {
            let opened = now - APART * u32::try_from(events - event)?;
            for turn in 0..RECORDS {
                records.push(record(&mut message, event, turn, opened)?);
            }
        }
        let sequences: Vec<u64> = records.iter().map(|record| record.sequence).collect();
        let number = batch as u64 + 1;
        sender.send(Batch { number, records, ..Batch::default() });
        while !matches!(stored.blocking_recv(), Some(Input::Stored { through }) if through >= number)
        {
        }
        store.done(&sequences);
    }
    drop(sender);
    if thread.join().is_err() {
        bail!("the store's thread broke down");
    }
    Ok(())
}

fn record(message: &mut Message, event: u64, turn: u64, opened: Timestamp) -> Result<Record> {
    let sequence = event * RECORDS + turn + 1;
    let at = usize::try_from(event)?;
    let (zh, en) = TITLES[at / 4 % 4];
    let is_over = turn == 1;
    let time = if is_over { opened + Duration::from_mins(20) } else { opened };
    message.id = format!("01JM{sequence:022}");
    message.kind = format!("gatehouse.event.{}", if is_over { "closed" } else { "opened" });
    message.time = time.rfc3339();
    message.sequence = format!("{sequence:020}");
    let data = &mut message.data;
    data.event = format!("01JE{event:022}");
    (data.title.zh, data.title.en) = (zh.into(), en.into());
    data.level = 1 + u8::try_from(event % 4)?;
    data.area = AREAS[at % 4].into();
    data.device = format!("th-{}", event % 20);
    data.started = opened.rfc3339();
    data.detected = opened.rfc3339();
    (data.state, data.handling.stage) =
        if is_over { (State::Cleared, Stage::Closed) } else { (State::Open, Stage::Raised) };
    let (level, event) = (data.level, data.event.clone());
    message.subject.clone_from(&event);
    Ok(Record { sequence, level, event, json: serde_json::to_vec(message)? })
}

fn message() -> Result<Message> {
    let contribution = json!({
        "device": "th-1", "point": "temperature", "observed": 71.5, "expected": [null, 60.0],
        "unit": "degC", "share": 1.0
    });
    Ok(serde_json::from_value(json!({
        "specversion": "1.0", "id": "", "source": "/townships/bench/gateways/gw-bench", "type": "",
        "subject": "", "time": "", "datacontenttype": "application/json",
        "dataschema": "urn:gatehouse:schema:event:v1", "sequence": "", "bootid": "1",
        "timequality": "synced",
        "data": {
            "event": "", "scene": "heat", "category": "facility", "title": { "zh": "", "en": "" },
            "level": 3, "urgency": "Expected", "certainty": "Observed", "state": "open", "tier": "grid",
            "area": "", "device": "", "location": { "zh": "三号楼东侧", "en": "east of building 3" },
            "started": "", "detected": "",
            "cause": {
                "detector": "high", "model": "rule", "score": 71.5, "threshold": 60.0,
                "why": { "zh": "温度为 71.5 °C,高于 60 °C", "en": "temperature is 71.5 °C, above 60 °C" },
                "contributions": [contribution],
                "grading": {
                    "over": 0.19, "lasted": 300.0, "people": 100, "certainty": 0.9, "devices": 1
                },
                "quality": 1.0
            },
            "affected": ["th-1"], "advice": { "zh": "到现场查看", "en": "go and look" }, "evidence": [],
            "review": { "required": false }, "drill": false
        }
    }))?)
}
