//! A township's system as small as it can be: it reads events, drops what it has, and prints each
//! as one line.
//!
//! It does what `contract.md` asks of a platform: a message id that it knows is a retry and is
//! dropped; a sequence number that it has not seen is a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gatehouse_core::community::quantity::{Language, Text};
use gatehouse_core::event::message::Message;
use gatehouse_core::reading::Timestamp;
use rumqttc::{Event, Packet, QoS};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connect::{self, NotABroker};
use super::plan::Seen;
use crate::config::Access;

const RETRY: Duration = Duration::from_millis(500);
/// Messages that arrived and nobody has looked at yet. When full, the broker waits.
const QUEUE: usize = 256;

/// What the platform knows.
#[derive(Debug, Default)]
pub struct Platform {
    ids: BTreeSet<String>,
    sequences: BTreeSet<u64>,
    /// Every message that opened, changed or ended an event, once.
    pub seen: Vec<Seen>,
    /// The most urgent level of each event, by its id.
    pub levels: BTreeMap<String, u8>,
    /// Messages received, repeated ones too.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages whose id was known.
    pub repeated: u64,
    /// Messages that are no event.
    pub unreadable: u64,
}

impl Platform {
    /// Takes a message in; gives it back when it is new.
    pub fn receive(&mut self, payload: &[u8]) -> Option<Message> {
        self.messages += 1;
        self.bytes += payload.len() as u64;
        let Ok(message) = serde_json::from_slice::<Message>(payload) else {
            self.unreadable += 1;
            return None;
        };
        if !self.ids.insert(message.id.clone()) {
            self.repeated += 1;
            return None;
        }
        if let Ok(sequence) = message.sequence.parse() {
            self.sequences.insert(sequence);
        }
        match Seen::of(&message) {
            Some(seen) => self.seen.push(seen),
            None => self.unreadable += 1,
        }
        let level = self.levels.entry(message.data.event.clone()).or_insert(message.data.level);
        *level = message.data.level.min(*level);
        Some(message)
    }

    /// Sequence numbers between the first and the last that never came, as `(from, to)`.
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        let pairs = self.sequences.iter().zip(self.sequences.iter().skip(1));
        pairs
            .filter(|(one, next)| **one + 1 < **next)
            .map(|(one, next)| (one + 1, next - 1))
            .collect()
    }
}

/// Reads a topic until `stop`, through lost connections too. The first message can be sent once
/// `ready` has been told.
pub fn listen(
    url: &str,
    topic: String,
    ready: tokio::sync::oneshot::Sender<()>,
    stop: CancellationToken,
) -> Result<mpsc::Receiver<Vec<u8>>, NotABroker> {
    let options = connect::options(url, &Access::default(), "stand-in-platform")?;
    let (deliver, delivered) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let (client, mut wire) = connect::client(options, QUEUE);
        let mut ready = Some(ready);
        loop {
            // Cancel-safe where it matters: after `stop` nothing is polled any more.
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = wire.poll() => event,
            };
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    if let Err(error) = client.try_subscribe(&topic, QoS::AtLeastOnce) {
                        tracing::warn!(%error, "the platform cannot subscribe");
                    }
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => {
                    ready.take().map(|ready| ready.send(()));
                }
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    if deliver.send(message.payload.to_vec()).await.is_err() {
                        return;
                    }
                }
                Ok(Event::Incoming(_) | Event::Outgoing(_)) => {}
                Err(error) => {
                    tracing::warn!(%error, "the platform lost its broker");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    });
    Ok(delivered)
}

/// How lines look.
#[derive(Debug, Clone)]
pub struct Style {
    pub language: Language,
    /// Colours, for a terminal.
    pub coloured: bool,
    /// Titles of areas by id; the id where there is none.
    pub areas: BTreeMap<String, Text>,
}

impl Style {
    /// One event message as a line: when, how bad, what happened, what it is, where, and why.
    pub fn line(&self, message: &Message) -> String {
        let data = &message.data;
        let area = self.areas.get(&data.area).map_or(data.area.as_str(), |t| t.get(self.language));
        format!(
            "{}  {}  {}  {}  {}  {}  {}",
            local_time(&message.time),
            self.level(data.level),
            pad(transition(&message.kind, self.language), 12),
            pad(data.title.get(self.language), 22),
            pad(area, 10),
            pad(&data.device, 14),
            data.cause.why.get(self.language),
        )
    }

    /// I to IV in the colours of the four levels of response.
    fn level(&self, level: u8) -> String {
        let (word, colour) = match level {
            1 => ("I", "1;97;41"),
            2 => ("II", "1;38;5;208"),
            3 => ("III", "1;33"),
            _ => ("IV", "1;34"),
        };
        let word = pad(word, 3);
        if self.coloured { format!("\x1b[{colour}m{word}\x1b[0m") } else { word }
    }
}

/// The language of a person whose environment says `LANG=zh_CN.UTF-8`, or anything else.
pub fn language_of(lang: &str) -> Language {
    if lang.starts_with("zh") { Language::Zh } else { Language::En }
}

/// `HH:MM:SS` by the clock of China; the text itself when it is not a time.
fn local_time(rfc3339: &str) -> String {
    let Ok(at) = rfc3339.parse::<Timestamp>() else { return rfc3339.to_owned() };
    let of_day = (at.0 + super::LOCAL_AHEAD_MS).rem_euclid(86_400_000) / 1_000;
    format!("{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// The last word of `gatehouse.event.<transition>`, in the reader's language.
fn transition(kind: &str, language: Language) -> &str {
    let word = kind.rsplit('.').next().unwrap_or(kind);
    match (language, word) {
        (Language::Zh, "opened") => "发生",
        (Language::Zh, "updated") => "更新",
        (Language::Zh, "escalated") => "升级",
        (Language::Zh, "acknowledged") => "已确认",
        (Language::Zh, "dispatched") => "已派单",
        (Language::Zh, "handled") => "已处置",
        (Language::Zh, "cleared") => "解除",
        (Language::Zh, "unknown") => "状态不明",
        (Language::Zh, "reopened") => "再次发生",
        (Language::Zh, "verified") => "已核实",
        (Language::Zh, "shelved") => "搁置",
        (Language::Zh, "unshelved") => "恢复",
        (Language::Zh, "dismissed") => "已排除",
        (Language::Zh, "closed") => "关闭",
        (Language::Zh | Language::En, _) => word,
    }
}

/// Fills up to a width in columns; a Chinese character takes two.
pub(super) fn pad(text: &str, columns: usize) -> String {
    let width: usize = text.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum();
    format!("{text}{}", " ".repeat(columns.saturating_sub(width)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_line_in_either_language() {
        let message = message("m-1", 7, "gatehouse.event.opened");
        let english = style(Language::En, false).line(&message);
        let chinese = style(Language::Zh, false).line(&message);

        assert_eq!(
            english,
            "08:00:05  III  opened        Fire lane blocked       East        lane-03         occupied for 5 min"
        );
        assert_eq!(
            chinese,
            "08:00:05  III  发生          消防通道占用            东区        lane-03         已占用 5 分钟"
        );
    }

    #[test]
    fn a_terminal_gets_the_level_in_its_colour() {
        let message = message("m-1", 7, "gatehouse.event.opened");

        assert!(style(Language::En, true).line(&message).contains("\x1b[1;33mIII\x1b[0m"));
    }

    #[test]
    fn a_retry_is_dropped_a_gap_is_kept_and_rubbish_is_counted() {
        let mut platform = Platform::default();
        let first = bytes("m-1", 7, "gatehouse.event.opened");

        assert!(platform.receive(&first).is_some());
        assert!(platform.receive(&first).is_none());
        assert!(platform.receive(&bytes("m-2", 10, "gatehouse.event.cleared")).is_some());
        assert!(platform.receive(b"{").is_none());

        let counts = (platform.messages, platform.repeated, platform.unreadable);
        assert_eq!(counts, (4, 1, 1));
        assert_eq!(platform.gaps(), [(8, 9)]);
        assert_eq!(platform.levels, BTreeMap::from([("e-1".into(), 3)]));
        assert_eq!(platform.seen.iter().map(|s| s.opens).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn the_language_is_that_of_the_environment() {
        let cases =
            [("zh_CN.UTF-8", Language::Zh), ("en_US.UTF-8", Language::En), ("C", Language::En)];

        for (lang, expected) in cases {
            assert_eq!(language_of(lang), expected, "{lang}");
        }
    }

    fn style(language: Language, coloured: bool) -> Style {
        let areas = BTreeMap::from([("east".to_owned(), Text::new("东区", "East"))]);
        Style { language, coloured, areas }
    }

    fn message(id: &str, sequence: u64, kind: &str) -> Message {
        serde_json::from_slice(&bytes(id, sequence, kind)).unwrap()
    }

    fn bytes(id: &str, sequence: u64, kind: &str) -> Vec<u8> {
        json!({
            "specversion": "1.0",
            "id": id,
            "source": "/townships/t/gateways/g",
            "type": kind,
            "subject": "e-1",
            "time": "2026-01-01T00:00:05.000Z",
            "datacontenttype": "application/json",
            "dataschema": "urn:s",
            "sequence": format!("{sequence:020}"),
            "bootid": "1",
            "timequality": "synced",
            "data": {
                "event": "e-1",
                "scene": "fire-lane-blocked",
                "category": "safety",
                "title": { "zh": "消防通道占用", "en": "Fire lane blocked" },
                "level": 3,
                "urgency": "Immediate",
                "certainty": "Observed",
                "state": "open",
                "tier": "grid",
                "area": "east",
                "device": "lane-03",
                "location": { "zh": "", "en": "" },
                "started": "2026-01-01T00:00:00.000Z",
                "detected": "2026-01-01T00:00:05.000Z",
                "cause": {
                    "detector": "held",
                    "model": "rule",
                    "score": 1.0,
                    "threshold": 1.0,
                    "why": { "zh": "已占用 5 分钟", "en": "occupied for 5 min" },
                    "contributions": [],
                    "grading": {
                        "over": 0.0, "lasted": 300.0, "people": 100, "certainty": 0.9, "devices": 1
                    },
                    "quality": 1.0
                },
                "affected": ["lane-03"],
                "advice": { "zh": "", "en": "" },
                "evidence": [],
                "review": { "required": false },
                "drill": false
            }
        })
        .to_string()
        .into_bytes()
    }
}
