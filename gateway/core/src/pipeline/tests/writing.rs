//! What is written to devices: judged, handed out once, and done when the device shows it.

use super::*;
use crate::community::device_type::DeviceType;
use crate::community::quantity::Text;
use crate::community::writable::Interlock;
use crate::decode::order::Order;
use crate::pipeline::Write;

/// A barrier that opens only when nobody stands on its loop.
const BARRIER: &str = r#"
[device-type]
id = "barrier"
title = { zh = "道闸", en = "barrier" }
via = "mqtt"
[[point]]
name = "open"
at = { json = "/open" }
unit = "1"
[point.writable]
range = [0, 1]
words = { UP = 1, DOWN = 0 }
topic = "{topic}/set"
payload = "{value}"
when = "loop_taken == 0.0 || value == 1.0"
why = { zh = "有车", en = "a car stands there" }
every = "30 s"
[[point]]
name = "loop_taken"
at = { json = "/loop" }
unit = "1"
stale = "1 min"
optional = true
"#;

fn night() -> Night {
    let mut community = Night::with_scenes(&[]);
    let device_type: DeviceType = toml::from_str(BARRIER).unwrap();
    community.devices[0].device_type = Arc::new(device_type);
    Night::new(community)
}

fn write(ticket: u64, value: f64) -> Input {
    let (device, point) = ("t1".to_owned(), "open".to_owned());
    Input::Write { ticket, write: Write { device, point, value } }
}

fn taken(ticket: u64) -> Input {
    Input::Written { ticket, result: Ok(()) }
}

/// The kind of the only answer so far.
fn refused(night: &mut Night) -> Refusal {
    assert_eq!(night.orders, []);
    let (_, result) = night.written.pop().expect("it is answered at once");
    result.unwrap_err()
}

#[test]
fn a_value_is_handed_out_once_and_done_when_the_device_shows_it() {
    let mut night = night();
    night.frame(0, r#"{"open": 0, "loop": 0}"#).handle(write(7, 1.0));

    let order = Order::Publish { topic: "sense/c/t1/set".into(), payload: "UP".into() };
    assert_eq!(night.orders, [WriteOrder { ticket: 7, device: DeviceIndex(0), order }]);
    night.frame(0, r#"{"open": 1}"#);
    assert_eq!(night.written, [], "it was not there yet when that was said");
    night.handle(taken(7)).frame(0, r#"{"open": 0}"#);
    assert_eq!(night.written, [], "it may take its time");
    night.frame(0, r#"{"open": 1}"#);
    assert_eq!(night.written, [(7, Ok(1.0))]);

    night.wait(600).handle(taken(7)).frame(0, r#"{"open": 1}"#);
    assert_eq!((night.orders.len(), night.written.len()), (1, 1));
}

#[test]
fn what_the_device_does_not_show_is_told() {
    for (shown, expected) in [
        (Some(r#"{"open": 0}"#), Refusal::Mismatch { written: 1.0, read: 0.0 }),
        (None, Refusal::NotReadBack { written: 1.0 }),
        (Some(r#"{"open": "x"}"#), Refusal::NotReadBack { written: 1.0 }),
    ] {
        let mut night = night();
        night.frame(0, r#"{"open": 0, "loop": 0}"#).handle(write(1, 1.0)).handle(taken(1));
        if let Some(shown) = shown {
            night.frame(0, shown);
        }
        night.wait(9);
        assert_eq!(night.written, []);
        night.wait(2);
        assert_eq!(night.written, [(1, Err(expected))]);
    }
}

#[test]
fn what_the_source_says_or_does_not_say_is_told() {
    let mut night = night();
    night.handle(write(1, 1.0));
    night.handle(Input::Written { ticket: 1, result: Err("no wire".into()) });
    let reason = "no wire".to_owned();
    assert_eq!(night.written.pop(), Some((1, Err(Refusal::NotWritten { reason }))));

    night.wait(60).handle(write(2, 1.0)).wait(31);
    assert!(matches!(night.written.pop(), Some((2, Err(Refusal::NotWritten { .. })))));
}

#[test]
fn an_interlock_that_does_not_hold_or_cannot_tell_lets_nothing_through() {
    let is_locked = |night: &mut Night| matches!(refused(night), Refusal::Interlocked { .. });
    let mut night = night();

    assert!(is_locked(night.handle(write(1, 0.0))), "nothing is known yet");
    night.frame(0, r#"{"open": 1, "loop": 1}"#);
    assert!(is_locked(night.handle(write(2, 0.0))), "a car stands there");
    night.frame(0, r#"{"open": 1, "loop": 0}"#).frame(0, r#"{"open": 1, "loop": "x"}"#);
    assert!(is_locked(night.handle(write(3, 0.0))), "the loop is broken");
    night.frame(0, r#"{"open": 1, "loop": 0}"#).wait(61);
    assert!(is_locked(night.handle(write(4, 0.0))), "that was a while ago");

    night.frame(0, r#"{"open": 1, "loop": 0}"#).handle(write(5, 0.0));
    assert_eq!(night.orders.len(), 1);
}

#[test]
fn an_interlock_of_the_community_looks_at_any_device_and_says_why() {
    let mut community = night().pipeline.community.as_ref().clone();
    community.interlocks = vec![Interlock {
        device: "t1".into(),
        point: "open".into(),
        of: [("heat".to_owned(), "t2/temperature".to_owned())].into(),
        when: "heat < 60.0 || value == 0.0".into(),
        why: Text::new("着火", "there is a fire"),
    }];
    let mut night = Night::new(community);
    let reason = |night: &mut Night| match refused(night) {
        Refusal::Interlocked { reason } => reason,
        other => panic!("{other:?}"),
    };

    night.frame(0, r#"{"open": 0, "loop": 0}"#).handle(write(1, 1.0));
    assert!(reason(&mut night).contains("is not known now"), "the other one has said nothing");
    night.frame(1, r#"{"t": 70}"#).handle(write(2, 1.0));
    let expected = "`heat < 60.0 || value == 0.0` does not hold: 着火 / there is a fire";
    assert_eq!(reason(&mut night), expected);
    night.frame(0, r#"{"open": 1, "loop": 1}"#).handle(write(3, 0.0));
    assert!(reason(&mut night).starts_with("`loop_taken"), "the device's own one counts too");

    night.frame(1, r#"{"t": 20}"#).handle(write(4, 1.0));
    assert_eq!(night.orders.len(), 1);
}

#[test]
fn what_nobody_declared_is_not_written() {
    let mut night = night();
    let other = |device: &str, point: &str, value| {
        let (device, point) = (device.to_owned(), point.to_owned());
        Input::Write { ticket: 1, write: Write { device, point, value } }
    };
    for (device, point, value, kind) in [
        ("t9", "open", 1.0, "not-found"),
        ("t1", "opn", 1.0, "not-found"),
        ("t1", "loop_taken", 1.0, "not-writable"),
        ("t2", "temperature", 1.0, "not-writable"),
        ("t1", "open", 2.0, "out-of-limits"),
        ("t1", "open", 0.5, "out-of-limits"),
        ("t1", "open", f64::NAN, "out-of-limits"),
    ] {
        night.handle(other(device, point, value));
        let refusal = serde_json::to_value(refused(&mut night)).unwrap();
        assert_eq!(refusal["kind"], kind, "{device} {point} {value}");
    }
}

#[test]
fn a_point_is_written_no_more_often_than_it_may() {
    let mut night = night();
    night.handle(write(1, 1.0));
    night.handle(write(2, 1.0)).handle(taken(1)).frame(0, r#"{"open": 1}"#).handle(write(3, 1.0));

    assert!(matches!(night.written[0], (2, Err(Refusal::Busy { .. }))));
    assert_eq!(night.written[1], (1, Ok(1.0)));
    assert!(matches!(night.written[2], (3, Err(Refusal::Busy { .. }))));
    night.wait(30).handle(write(4, 1.0));
    assert_eq!(night.orders.len(), 2);
}

#[test]
fn another_configuration_ends_what_is_under_way() {
    let mut night = night();
    night.handle(write(1, 1.0)).handle(taken(1));
    night.handle(Input::Config(Arc::new(Night::with_scenes(&[]))));

    assert_eq!(night.written, [(1, Err(Refusal::NotReadBack { written: 1.0 }))]);
}
