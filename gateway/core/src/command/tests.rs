//! What passes and what does not, before any signature is looked at.

use proptest::prelude::*;
use serde_json::json;

use super::task::Task;
use super::*;

const NOW: Timestamp = Timestamp(1_772_323_200_000);
const LATER: &str = "2026-03-01T00:01:00Z";
const AROUND: Circumstances = Circumstances { now: NOW, is_clock_known: true, is_mutual: true };

fn whole() -> Value {
    let sig = Signature::write("me", "", |_| [7; signature::SIGNATURE]);
    json!({
        "id": "c-1", "expires": LATER, "command": "event.acknowledge",
        "args": { "event": "01J" }, "sig": sig
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut command = whole();
    command[key] = value;
    command
}

fn without(mut command: Value, key: &str) -> Value {
    command.as_object_mut().unwrap().remove(key);
    command
}

fn read(command: &Value) -> Result<Received, Box<Reply>> {
    Received::read(command.to_string().as_bytes())
}

/// The kind of the refusal, or nothing when it passes.
fn refused(command: &Value, around: Circumstances) -> Option<String> {
    let refusal = match read(command) {
        Ok(received) => received.judge(around).err()?,
        Err(reply) => {
            assert_eq!((reply.id.as_deref(), reply.ok), (Some("c-1"), false), "{command}");
            reply.error?
        }
    };
    Some(serde_json::to_value(refusal).unwrap()["kind"].as_str().unwrap().to_owned())
}

#[test]
fn a_command_that_is_whole_is_read_as_it_was_sent() {
    let received = read(&whole()).unwrap();

    assert_eq!(received.command.command, Name::EventAcknowledge);
    assert_eq!(serde_json::to_value(&received.command).unwrap(), whole());
    let signed = r#"{"args":{"event":"01J"},"command":"event.acknowledge","expires":"2026-03-01T00:01:00Z","id":"c-1"}"#;
    assert_eq!(received.payload, signed);
    assert_eq!(received.judge(AROUND).unwrap().unwrap().key, "me");
}

#[test]
fn every_name_is_written_as_it_is_read() {
    for text in NAMES {
        let name: Name = serde_json::from_value(json!(text)).unwrap();
        assert_eq!(name.as_str(), text);
    }
}

#[test]
fn a_command_that_does_not_pass_is_answered_with_a_typed_error() {
    let cases = [
        (with("command", json!("event.acknowlege")), "unknown"),
        (with("command", json!("self.destruct")), "unknown"),
        (with("command", json!(7)), "malformed"),
        (without(whole(), "command"), "malformed"),
        (without(whole(), "expires"), "malformed"),
        (with("expires", json!("soon")), "malformed"),
        (with("args", json!([1])), "malformed"),
        (with("force", json!(true)), "malformed"),
        (with("expires", json!("2026-03-01T00:00:00Z")), "expired"),
        (with("expires", json!("2026-03-08T00:00:01Z")), "too-far-ahead"),
        (without(whole(), "sig"), "unsigned"),
        (with("sig", json!("e30..x")), "unverified"),
    ];
    for (command, kind) in cases {
        assert_eq!(refused(&command, AROUND).as_deref(), Some(kind), "{command}");
    }
}

#[test]
fn while_the_clock_is_not_known_only_what_needs_no_time_passes() {
    let around = Circumstances { is_clock_known: false, ..AROUND };
    let confirm = without(with("command", json!("events.confirm")), "sig");

    assert_eq!(refused(&whole(), around).as_deref(), Some("clock-unknown"));
    assert_eq!(refused(&confirm, around), None);
}

#[test]
fn confirming_events_needs_no_signature_where_both_sides_show_certificates() {
    let confirm = without(with("command", json!("events.confirm")), "sig");

    assert_eq!(refused(&confirm, AROUND), None);
    let around = Circumstances { is_mutual: false, ..AROUND };
    assert_eq!(refused(&confirm, around).as_deref(), Some("unsigned"));
}

#[test]
fn an_unknown_command_is_told_the_nearest_one() {
    let reply = read(&with("command", json!("event.acknowlege"))).unwrap_err();

    let help = Some("did you mean `event.acknowledge`?".to_owned());
    let command = "event.acknowlege".to_owned();
    assert_eq!(reply.error, Some(Refusal::Unknown { command, help }));
}

#[test]
fn what_has_no_id_is_answered_without_one() {
    let long = "x".repeat(LONGEST_ID + 1);
    for payload in ["", "null", "[]", "{", "{\"id\": 5}", &format!("{{\"id\": \"{long}\"}}")] {
        let reply = Received::read(payload.as_bytes()).unwrap_err();
        assert_eq!(reply.id, None, "{payload}");
        assert!(matches!(reply.error, Some(Refusal::Malformed { .. })), "{payload}");
    }
    assert!(Received::read(b"\xff\xfe").is_err());
    assert!(Received::read(&vec![b' '; LONGEST + 1]).is_err());
}

#[test]
fn a_field_that_stands_twice_is_refused_whichever_was_signed() {
    let text = whole().to_string();
    let twice = text.replacen('{', r#"{"command":"event.close","#, 1);

    assert!(matches!(
        Received::read(twice.as_bytes()).unwrap_err().error,
        Some(Refusal::Malformed { .. })
    ));
}

#[test]
fn arguments_are_what_the_command_takes() {
    let task = |name: &str, args: Value| {
        let name: Name = serde_json::from_value(json!(name)).unwrap();
        Task::read(name, args.as_object().unwrap())
    };
    let ranges = json!({ "ranges": [[1, 3], ["00000000000000000007", "9"]] });
    assert_eq!(task("events.confirm", ranges), Ok(Task::Confirm(vec![(1, 3), (7, 9)])));
    assert_eq!(task("gateway.report", json!({})), Ok(Task::Report));
    assert!(task("event.shelve", json!({ "event": "e", "until": LATER })).is_ok());

    let digest = "a0".repeat(32);
    let whole = json!({ "url": "https://township/b", "sha256": digest });
    assert!(matches!(task("bundle.install", whole), Ok(Task::Install(args)) if !args.shadow));

    for (name, args) in [
        ("bundle.install", json!({})),
        ("bundle.install", json!({ "url": "https://township/b", "sha256": "a0" })),
        ("bundle.install", json!({ "url": "https://township/b", "sha256": "g0".repeat(32) })),
        ("bundle.install", json!({ "url": "https://t/b", "sha256": digest, "older": true })),
        ("events.confirm", json!({})),
        ("events.confirm", json!({ "ranges": [] })),
        ("events.confirm", json!({ "ranges": [[3, 1]] })),
        ("events.confirm", json!({ "ranges": [[0, 1]] })),
        ("events.confirm", json!({ "ranges": [[-1, 1]] })),
        ("events.confirm", json!({ "ranges": [[1.5, 2]] })),
        ("events.confirm", json!({ "ranges": [["x", "y"]] })),
        ("events.confirm", json!({ "ranges": [[1, 2, 3]] })),
        ("events.confirm", json!({ "ranges": [[1, 2]], "all": true })),
        ("events.confirm", json!({ "ranges": vec![[1, 1]; 1_001] })),
        ("event.close", json!({})),
        ("event.close", json!({ "event": "e", "to": "t" })),
        ("event.dispatch", json!({ "event": "e" })),
        ("event.shelve", json!({ "event": "e", "until": "tomorrow" })),
        ("event.dismiss", json!({ "event": "e" })),
        ("device.write", json!({ "device": "d", "point": "p" })),
        ("device.write", json!({ "device": "d", "point": "p", "value": "1" })),
        ("gateway.report", json!({ "readings": true })),
    ] {
        let refusal = task(name, args.clone());
        assert!(matches!(refusal, Err(Refusal::Malformed { .. })), "{name} {args} {refusal:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Received::read(&bytes).is_err());
    }

    /// Nobody can change a field without changing what was signed.
    #[test]
    fn two_different_commands_are_never_signed_by_one_text(
        a in "[a-z\"\\\\\u{0}-\u{1f}{}:,]{1,9}", b in "[a-z\"\\\\\u{0}-\u{1f}{}:,]{1,9}",
    ) {
        let payload = |note: &str| {
            read(&with("args", json!({ "event": "e", "note": note }))).unwrap().payload
        };
        prop_assert_eq!(payload(&a) == payload(&b), a == b);
    }
}
