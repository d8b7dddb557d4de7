//! The journal's commands on a small journal.

use gatehouse_core::event::message::Record;
use gatehouse_core::event::verdict::{self, Raised, Said};
use gatehouse_core::pipeline::Batch;
use tokio::sync::mpsc;

use super::*;
use crate::config::StoreConfig;
use crate::sample;
use crate::store::Store;

#[test]
fn an_event_is_listed_once_as_it_stands() {
    let made = Made::new();

    let all = made.said(|journal, out| list(journal, &Wanted::default(), false, out));

    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("2026-01-01T00:05:00.000Z"), "{all}");
    assert!(lines[0].contains("II orange") && lines[0].contains("cleared"), "{all}");
    assert!(lines[1].contains("IV blue") && lines[1].contains("open"), "{all}");
}

#[test]
fn only_what_is_wanted_is_listed() {
    let made = Made::new();
    let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    let cases = [
        (Wanted { scene: Some("bin-fire".into()), ..Wanted::default() }, vec!["B"]),
        (Wanted { area: Some("east".into()), ..Wanted::default() }, vec!["A"]),
        (Wanted { level: Some(2), ..Wanted::default() }, vec!["A"]),
        (Wanted { level: Some(4), ..Wanted::default() }, vec!["A", "B"]),
        (Wanted { since: time("2026-01-01T00:05:00Z"), ..Wanted::default() }, vec!["A"]),
        (Wanted { until: time("2026-01-01T00:05:00Z"), ..Wanted::default() }, vec!["B"]),
        (Wanted { area: Some("moon".into()), ..Wanted::default() }, vec![]),
    ];
    for (wanted, expected) in cases {
        let text = made.said(|journal, out| list(journal, &wanted, true, out));
        let found: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<Message>(line).unwrap().subject)
            .collect();
        assert_eq!(found, expected, "{wanted:?}");
    }
}

#[test]
fn an_event_is_shown_with_its_history() {
    let made = Made::new();

    let text = made.said(|journal, out| show(journal, "A", false, out));

    assert!(
        text.contains("because    pressure = 120 kPa, expected 180..420, share 100 %"),
        "{text}"
    );
    assert!(
        text.contains("2026-01-01T00:01:00.000Z  opened       III yellow sequence 1"),
        "{text}"
    );
    assert!(text.contains("2026-01-01T00:05:00.000Z  cleared      II orange sequence 3"), "{text}");
    let unknown = show(&made.open(), "nobody", false, &mut Vec::new()).unwrap_err();
    assert!(unknown.to_string().contains("holds no event `nobody`"), "{unknown}");
}

#[test]
fn an_export_holds_every_message_as_it_went_out() {
    let made = Made::new();
    let export =
        |format| made.said(|journal, out| super::export(journal, &Wanted::default(), format, out));

    let lines = export(Format::Jsonl);
    assert_eq!(lines.lines().map(str::as_bytes).collect::<Vec<_>>(), made.written);

    let table = export(Format::Csv);
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(&rows[1][3], "B");
    assert_eq!(&rows[2][2], "gatehouse.event.cleared");
}

#[test]
fn a_whole_journal_says_so() {
    let made = Made::new();

    let text = made.said(|journal, out| verify(journal, false, out));

    assert_eq!(text, "whole: 3 entries, sequences 1 to 3\n");
}

#[test]
fn precision_counts_the_last_word_on_each_event_of_the_last_90_days() {
    let judged = |event: &str, scene: &str, verdict: Option<&str>| {
        let mut message = message(event, "updated", "2026-01-02T00:00:00.000Z", 4, scene, "east");
        message.data.review.verdict = verdict.map(Into::into);
        message.data.review.by = Some("Li".into());
        message
    };
    let made = Made::of(&[
        judged("A", "air", Some("false-alarm")),
        judged("B", "air", Some("real")),
        judged("C", "air", Some("planned-work")),
        judged("A", "air", Some("real")),
        judged("D", "air", None),
        judged("E", "air", Some("false-alarm")),
        judged("F", "bins", None),
    ]);
    let count = |scene: Option<&str>, json, now: &str| {
        let wanted = judging::Precision { scene: scene.map(Into::into), json };
        let now = now.parse().unwrap();
        made.said(|journal, out| judging::precision(journal, &wanted, now, out))
    };

    assert_eq!(
        count(None, false, "2026-03-01T00:00:00Z"),
        "\
scene                         right  events  real  false  planned  unjudged
air                            67 %       5     2      1        1         1
bins                              -       1     0      0        0         1
"
    );
    let air = count(Some("air"), true, "2026-03-01T00:00:00Z");
    let air: serde_json::Value = serde_json::from_str(&air).unwrap();
    assert_eq!(air["precision"], serde_json::json!(2.0 / 3.0));
    assert_eq!(count(None, true, "2026-06-01T00:00:00Z"), "", "more than 90 days ago");
    let shown = made.said(|journal, out| show(journal, "A", false, out));
    assert!(shown.contains("judged     real, by Li"), "{shown}");
}

#[test]
fn precision_leaves_exercises_out_and_counts_pilots_in_a_row_of_their_own() {
    let mut drill = message("D", "opened", "2026-01-02T00:00:00.000Z", 4, "air", "east");
    drill.data.drill = true;
    let raised = |event: &str, is_pilot, verdict| {
        let said = Said {
            verdict,
            by: "Li".into(),
            note: String::new(),
            at: "2026-01-02T00:00:00Z".parse().unwrap(),
        };
        let raised = Raised {
            event: event.into(),
            scene: "air".into(),
            title: Text::default(),
            why: Text::default(),
            area: "east".into(),
            device: "t1".into(),
            level: 3,
            opened: said.at,
            over: None,
            speakers: std::collections::BTreeSet::new(),
            said: Some(said),
            is_pilot,
        };
        (format!("raised/{event}"), serde_json::to_vec(&raised).ok())
    };
    let states = vec![
        raised("P", true, verdict::Verdict::FalseAlarm),
        raised("A", false, verdict::Verdict::Real),
    ];
    let told = message("A", "opened", "2026-01-02T00:00:00.000Z", 3, "air", "east");
    let made = Made::holding(&[told, drill], states, |json| json);
    let count = |json, now: &str| {
        let wanted = judging::Precision { scene: None, json };
        made.said(|journal, out| judging::precision(journal, &wanted, now.parse().unwrap(), out))
    };

    assert_eq!(
        count(false, "2026-03-01T00:00:00Z"),
        "\
scene                         right  events  real  false  planned  unjudged
air                               -       1     0      0        0         1
air (pilot)                     0 %       1     0      1        0         0
"
    );
    let rows: Vec<serde_json::Value> = count(true, "2026-03-01T00:00:00Z")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((&rows[0]["pilot"], &rows[1]["pilot"]), (&false.into(), &true.into()));
    assert_eq!(count(true, "2026-06-01T00:00:00Z"), "", "more than 90 days ago");
}

#[test]
fn without_a_gateway_that_runs_a_verdict_teaches_nobody() {
    let made = Made::new();
    let said = judging::Said {
        id: "A".into(),
        verdict: judging::Word::FalseAlarm,
        by: "Li".into(),
        note: String::new(),
        json: false,
    };

    let refused = judging::say(&made.open(), said, &mut Vec::new()).unwrap_err();

    assert!(refused.to_string().starts_with("no gateway runs on this store"), "{refused}");
}

#[test]
fn one_record_that_cannot_be_read_hides_no_other() {
    let opened = |event| message(event, "opened", "2026-01-01T00:01:00.000Z", 3, "air", "east");
    let made = Made::holding(&[opened("A"), opened("B")], Vec::new(), |mut json| {
        if json["subject"] == "A" {
            json["data"]["cause"]["threshold"] = serde_json::Value::Null;
        }
        json
    });

    let listed = made.said(|journal, out| list(journal, &Wanted::default(), false, out));
    let rows = made.said(|journal, out| export(journal, &Wanted::default(), Format::Csv, out));
    let wanted = judging::Precision { scene: None, json: true };
    let now = "2026-01-02T00:00:00Z".parse().unwrap();
    let count = made.said(|journal, out| judging::precision(journal, &wanted, now, out));

    assert!(listed.lines().count() == 1 && listed.contains(" B "), "{listed}");
    assert_eq!(rows.lines().count(), 2, "{rows}");
    assert!(count.contains("\"events\":1"), "{count}");
}

/// A journal with three messages about two events.
struct Made {
    folder: tempfile::TempDir,
    written: Vec<Vec<u8>>,
}

impl Made {
    fn new() -> Self {
        let messages = [
            message("A", "opened", "2026-01-01T00:01:00.000Z", 3, "pump-room", "east"),
            message("B", "opened", "2026-01-01T00:02:00.000Z", 4, "bin-fire", "west"),
            message("A", "cleared", "2026-01-01T00:05:00.000Z", 2, "pump-room", "east"),
        ];
        Self::of(&messages)
    }

    fn of(messages: &[Message]) -> Self {
        Self::holding(messages, Vec::new(), |json| json)
    }

    /// As [`Made::of`], with what the pipeline remembers, and each message's JSON changed on its way to the
    /// disk.
    fn holding(
        messages: &[Message],
        states: Vec<(String, Option<Vec<u8>>)>,
        written: impl Fn(serde_json::Value) -> serde_json::Value,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig { path: folder.path().into(), ..StoreConfig::default() };
        let (store, _) = Store::open(&config).unwrap();
        let (inputs, mut reports) = mpsc::channel(4);
        let (sender, writer) = store.spawn_writer(inputs.downgrade()).unwrap();
        let records = (1..).zip(messages).map(|(sequence, message)| Record {
            sequence,
            level: message.data.level,
            event: message.subject.clone(),
            json: written(serde_json::to_value(message).unwrap()).to_string().into_bytes(),
        });
        let records: Vec<Record> = records.collect();
        let written = records.iter().map(|r| r.json.clone()).collect();
        sender.send(Batch { number: 1, records, states, ..Batch::default() });
        reports.blocking_recv().unwrap();
        drop(sender);
        writer.join().unwrap();
        Self { folder, written }
    }

    fn open(&self) -> Journal {
        Journal::open(self.folder.path()).unwrap()
    }

    fn said(
        &self,
        command: impl FnOnce(&Journal, &mut Vec<u8>) -> anyhow::Result<ExitCode>,
    ) -> String {
        let mut out = Vec::new();
        assert_eq!(command(&self.open(), &mut out).unwrap(), ExitCode::SUCCESS);
        String::from_utf8(out).unwrap()
    }
}

fn message(
    event: &str,
    transition: &str,
    time: &str,
    level: u8,
    scene: &str,
    area: &str,
) -> Message {
    let mut message = sample::message();
    message.kind = format!("gatehouse.event.{transition}");
    (message.subject, message.time) = (event.into(), time.into());
    let data = &mut message.data;
    (data.event, data.scene, data.area) = (event.into(), scene.into(), area.into());
    (data.level, data.started) = (level, time.into());
    data.state = if transition == "cleared" { State::Cleared } else { State::Open };
    let part = &mut data.cause.contributions[0];
    (part.point, part.unit) = ("pressure".into(), "kPa".into());
    (part.observed, part.expected) = (Some(120.0), (Some(180.0), Some(420.0)));
    message
}
