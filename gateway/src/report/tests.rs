//! Papers of made-up months, as they are read and as they are printed.

use gatehouse_core::community::quantity::{Language, Text};
use gatehouse_core::event::summary::Summary;

use super::paper::{Block, Paper};
use super::*;

pub(super) fn written(events: &[Summary], language: Language) -> Paper {
    paper(&sample::report(events), language, sample::now())
}

/// Every text of a paper, one a line.
fn texts(paper: &Paper) -> String {
    let mut texts = vec![paper.lead.clone()];
    texts.extend(paper.remarks.iter().cloned());
    for section in &paper.sections {
        texts.push(section.title.clone());
        for block in &section.blocks {
            match block {
                Block::Text(text) => texts.push(text.clone()),
                Block::Findings(findings) => {
                    texts.extend(findings.iter().map(|f| format!("{} {}", f.what, f.because)));
                }
                Block::Days(days) => texts.push(days.told.clone()),
                Block::Heat(heat) => texts.push(heat.told.clone()),
                Block::Table(table) => {
                    assert!(table.rows.iter().all(|row| row.len() == table.head.len()));
                    texts.push(table.title.clone());
                }
            }
        }
    }
    texts.join("\n")
}

#[test]
fn a_month_is_told_in_sentences_of_both_languages() {
    let events = sample::events(620, 7);

    let english = texts(&written(&events, Language::En));
    let chinese = texts(&written(&events, Language::Zh));

    for sentence in [
        "In November 2026 there were 283 events, 48 fewer than in the month before.",
        "At the end 16 were still open.",
        "3 drills left out.",
        "9 would-be alerts of scenes on trial left out.",
        "Scenes on trial: what they would have raised",
        "18 of 38 events then were not acknowledged in time; at other hours 21 of 239.",
        "The busiest day was the 5th with 16 events.",
    ] {
        assert!(english.contains(sentence), "{sentence}\n{english}");
    }
    for sentence in [
        "2026年11月共发生事件 283 起，比上月少 48 起。",
        "演练 3 起，未计入。",
        "试运行场景本应产生的告警 9 起，未计入。",
        "最多的一天是 5 日，共 16 起。",
    ] {
        assert!(chinese.contains(sentence), "{sentence}\n{chinese}");
    }
    assert!(!english.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c)), "{english}");
}

#[test]
fn figures_of_trials_that_are_not_all_remembered_say_since_when_they_count() {
    let mut report = sample::report(&[]);
    let told = |report: &_, language| texts(&paper(report, language, sample::now()));
    assert!(!told(&report, Language::En).contains("counted since"));
    report.trials_since = Some("2026-11-04T10:00:00+08:00".parse().unwrap());
    let english = told(&report, Language::En);
    let sentence = "The figures of scenes on trial are counted since 2026-11-04 10:00";
    assert!(english.contains(sentence), "{english}");
    let chinese = told(&report, Language::Zh);
    assert!(chinese.contains("试运行场景的数字自 2026-11-04 10:00 起计"), "{chinese}");
}

#[test]
fn a_month_without_events_is_a_short_paper() {
    let paper = written(&[], Language::En);

    let told = texts(&paper);

    assert!(told.starts_with("In November 2026 there was no event to handle."), "{told}");
    assert!(told.contains("Nothing. No rule found a reason, and that is an answer."), "{told}");
    assert!(pdf::render(&paper).unwrap().starts_with(b"%PDF-"));
}

#[test]
fn whatever_a_thing_is_called_it_can_be_printed() {
    let names = [
        String::new(),
        "𠮷野家👍🏽 \u{202e}txet\u{0}\u{7}\t\n".into(),
        "W".repeat(600),
        "长".repeat(300),
        "<script>alert('一')</script>".into(),
        "\u{a0}\u{202f}\u{feff}\u{ffff}\u{1fffe}\u{e000}e\u{301}".into(),
    ];
    for name in names {
        let mut events = sample::events(40, 3);
        for event in &mut events {
            event.title = Text::new(name.clone(), name.clone());
            event.scene.push_str(&name);
            event.detector.clone_from(&name);
        }
        for language in [Language::Zh, Language::En] {
            let printed = pdf::render(&written(&events, language));
            assert!(printed.is_ok(), "{name:?}: {printed:?}");
        }
    }
}

#[test]
fn a_paper_is_printed_the_same_way_twice() {
    let paper = written(&sample::events(300, 5), Language::Zh);

    assert_eq!(pdf::render(&paper).unwrap(), pdf::render(&paper).unwrap());
}
