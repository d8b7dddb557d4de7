//! The life of an event as a person reads it.

use super::*;
use crate::sample;

#[test]
fn an_event_is_one_line_in_either_language() {
    let message = sample::message();

    assert_eq!(
        teller(Language::En, false).line(&message),
        "08:05:00  III  opened      Fire lane blocked       East        lane-03         Something stands there: occupied 1"
    );
    assert_eq!(
        teller(Language::Zh, false).line(&message),
        "08:05:00  III  发生        消防通道占用            东区        lane-03         有车辆停留：占用 1"
    );
}

#[test]
fn an_update_says_what_has_changed() {
    let first = sample::message();
    let raised = |change: fn(&mut EventData)| {
        let mut message = sample::message();
        message.kind = "gatehouse.event.updated".into();
        change(&mut message.data);
        message
    };
    let cases = [
        ("[up from level III to I]", "[III 级升为 I 级]", raised(|d| d.level = 1)),
        ("[new peak]", "[出现新高]", raised(|d| d.cause.grading.over = 0.5)),
        ("[now also lane-04]", "[新增设备 lane-04]", raised(|d| d.affected.push("lane-04".into()))),
        ("[another cause leads]", "[原因有变]", raised(|d| d.cause.detector = "model".into())),
        (
            "[another detector agrees]",
            "[另一检测项也已触发]",
            raised(|d| d.cause.contributions.extend(d.cause.contributions.clone())),
        ),
        (
            "[Li: false-alarm]",
            "[Li: 误报]",
            raised(|d| {
                (d.review.verdict, d.review.by) = (Some("false-alarm".into()), Some("Li".into()));
            }),
        ),
        ("[Li: takes it back]", "[Li: 撤回判断]", raised(|d| d.review.by = Some("Li".into()))),
        (
            "[up from level III to II; new peak]",
            "[III 级升为 II 级; 出现新高]",
            raised(|d| (d.level, d.cause.grading.over) = (2, 0.5)),
        ),
    ];

    for (english, chinese, then) in cases {
        for (language, expected) in [(Language::En, english), (Language::Zh, chinese)] {
            let mut teller = teller(language, false);
            teller.line(&first);
            let line = teller.line(&then);
            assert!(line.contains(&format!("  {expected} ")), "{expected}: {line}");
        }
    }
}

#[test]
fn what_is_over_is_told_in_the_past_and_what_cannot_be_seen_as_unknown() {
    let mut over = sample::message();
    over.kind = "gatehouse.event.cleared".into();
    over.data.state = State::Cleared;
    over.time = "2026-01-01T01:05:30.000Z".into();
    let mut silent = sample::message();
    silent.kind = "gatehouse.event.unknown".into();
    silent.data.state = State::Unknown;
    let back = Message { kind: "gatehouse.event.updated".into(), ..sample::message() };

    let mut english = teller(Language::En, false);
    let lines = [&silent, &back, &over].map(|message| english.line(message));
    let chinese = teller(Language::Zh, false).line(&over);

    assert!(lines[0].contains("unknown     Fire"), "{}", lines[0]);
    assert!(lines[0].ends_with("; last seen: Something stands there: occupied 1"), "{}", lines[0]);
    assert!(lines[1].contains("[its sensor speaks again] Something"), "{}", lines[1]);
    assert!(
        lines[2].ends_with("over after 1 h 5 min 30 s; it was: Something stands there: occupied 1"),
        "{}",
        lines[2]
    );
    assert!(
        chinese.ends_with("持续 1 小时 5 分钟 30 秒后解除；此前：有车辆停留：占用 1"),
        "{chinese}"
    );
}

#[test]
fn a_terminal_gets_the_level_in_its_colour_and_dims_what_is_over() {
    let open = sample::message();
    let mut over = sample::message();
    over.data.state = State::Cleared;
    let mut teller = teller(Language::En, true);

    assert!(teller.line(&open).contains("\x1b[1;33mIII\x1b[0m"));
    assert!(teller.line(&over).starts_with("\x1b[2m08:05:00  III  "));
}

#[test]
fn the_language_is_that_of_the_environment() {
    let cases = [("zh_CN.UTF-8", Language::Zh), ("en_US.UTF-8", Language::En), ("C", Language::En)];

    for (lang, expected) in cases {
        assert_eq!(language_of(lang), expected, "{lang}");
    }
}

fn teller(language: Language, is_coloured: bool) -> Teller {
    let areas = BTreeMap::from([("east".to_owned(), Text::new("东区", "East"))]);
    Teller::new(language, is_coloured, areas)
}
