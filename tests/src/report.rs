//! `gatehouse report`, read by poppler and qpdf: programs that nobody here wrote.

use std::fs;
use std::path::Path;

use gatehouse::config::StoreConfig;
use gatehouse::store::Store;
use gatehouse_core::event::message::Record;
use gatehouse_core::pipeline::Batch;
use serde_json::json;
use tokio::sync::mpsc;

use crate::peers::{command, gatehouse, workspace};

/// What a program prints; it must succeed.
async fn run(program: impl AsRef<Path>, args: &[&str]) -> String {
    let program = program.as_ref();
    let output = command(program).args(args).output().await.unwrap_or_else(|error| {
        panic!("`{}` cannot be started ({error}): run cargo xtask test", program.display())
    });
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {args:?}: {told}", program.display());
    String::from_utf8(output.stdout).unwrap()
}

/// A store with that many events of January 2026 in it, one every five hours, each seen after six
/// minutes; the third is a false alarm.
fn store(folder: &Path, many: u64) {
    let config = StoreConfig { path: folder.into(), ..StoreConfig::default() };
    let (store, _) = Store::open(&config).unwrap();
    let (inputs, _reports) = mpsc::channel(8);
    let (sender, writer) = store.spawn_writer(inputs.downgrade()).unwrap();
    let begins: i64 = 1_767_200_400_000; // 2026-01-01 01:00 in China
    let mut records = Vec::new();
    for number in 0..many {
        let opened = begins + i64::try_from(number).unwrap() * 5 * 3_600_000;
        let verdict = (number == 2).then_some("false-alarm");
        for (word, after) in [("opened", 0), ("acknowledged", 360_000)] {
            let event = format!("E{number:03}");
            let json = message(&event, word, opened + after, verdict);
            let sequence = records.len() as u64 + 1;
            records.push(Record { sequence, level: 2, event, json });
        }
    }
    sender.send(Batch { number: 1, records, ..Batch::default() });
    drop(sender);
    writer.join().unwrap();
}

fn message(event: &str, word: &str, at: i64, verdict: Option<&str>) -> Vec<u8> {
    let time = gatehouse_core::reading::Timestamp(at).rfc3339();
    let text = json!({ "zh": "消防通道占用", "en": "Fire lane blocked" });
    let message = json!({
        "specversion": "1.0", "id": format!("{event}-{word}"), "source": "/townships/t/gateways/g",
        "type": format!("gatehouse.event.{word}"), "subject": event, "time": time,
        "datacontenttype": "application/json", "dataschema": "urn:s",
        "sequence": "1", "bootid": "1", "timequality": "synced",
        "data": {
            "event": event, "scene": "fire-lane-blocked", "category": "safety", "title": text,
            "level": 2, "urgency": "Expected", "certainty": "Observed", "state": "open",
            "tier": "grid", "area": "east", "device": "lane-01",
            "location": { "zh": "", "en": "" }, "started": time, "detected": time,
            "cause": {
                "detector": "held", "model": "rule", "score": 1.0, "threshold": 1.0, "why": text,
                "contributions": [],
                "grading": {
                    "over": 0.0, "lasted": 0.0, "people": 1, "certainty": 0.9, "devices": 1
                },
                "quality": 1.0
            },
            "affected": ["lane-01"], "advice": text, "evidence": [],
            "review": { "required": false, "verdict": verdict }, "drill": false
        }
    });
    serde_json::to_vec(&message).unwrap()
}

#[tokio::test]
async fn the_report_of_a_month_is_a_pdf_that_others_can_read_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    tokio::task::spawn_blocking({
        let data = data.clone();
        move || store(&data, 40)
    })
    .await
    .unwrap();
    let config = workspace().join("config");
    for (language, sentences) in [
        (
            "en",
            [
                "In January 2026 there were 40 events",
                "0 of them reached level I, 40 level II",
                "Half were acknowledged within 6 min",
                "Fire lane, block 1",
                "Page 1 of",
            ],
        ),
        (
            "zh",
            [
                "2026年1月共发生事件40起",
                "II级40起",
                "确认用时的中位数为6分钟",
                "1号楼消防通道",
                "第1页，共",
            ],
        ),
    ] {
        let file = folder.path().join(format!("{language}.pdf"));
        let [file, config, data] = [&file, &config, &data].map(|path| path.to_str().unwrap());
        let made = ["report", "--month", "2026-01", "--lang", language, "--output", file];
        let printed =
            run(gatehouse(), &[&made[..], &["--config", config, "--store", data]].concat()).await;
        assert_eq!(printed.trim(), file);

        let text = run("pdftotext", &["-enc", "UTF-8", file, "-"]).await;
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        for sentence in sentences {
            assert!(squeezed(&text).contains(&squeezed(sentence)), "{sentence}\n{text}");
        }

        let about = run("pdfinfo", &[file]).await;
        for line in ["Tagged: yes", "Page size: 595.28 x 841.89 pts (A4)", "Encrypted: no"] {
            let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(about.contains(line), "{line}\n{about}");
        }
        let fonts = run("pdffonts", &[file]).await;
        for font in fonts.lines().skip(2) {
            let words: Vec<&str> = font.split_whitespace().rev().collect();
            assert_eq!(words[2..5], ["yes"; 3], "embedded, subset, Unicode: {font}");
        }
        run("qpdf", &["--check", file]).await;
        assert!(fs::metadata(file).unwrap().len() < 400_000, "small enough for an e-mail");
    }
}

#[tokio::test]
async fn a_month_that_is_none_is_wrong_usage() {
    let output = command(gatehouse())
        .args(["report", "--month", "2026-13", "--output", "x.pdf"])
        .output()
        .await
        .unwrap();

    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("expected year and month, as in `2026-11`"), "{told}");
}
