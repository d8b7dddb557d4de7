//! The platform's commands over a mosquitto that wants client certificates, signed by jwcrypto, carried
//! out by the real program on pymodbus' registers and a device behind another mosquitto.

mod bundles;
mod deeds;
mod things;
mod town;
mod trial;

use std::time::Duration;

use serde_json::{Value, json};

use crate::peers::modbus::Kind;
use town::{LATER, Town, in_hours, kind};

#[tokio::test]
async fn a_command_is_carried_out_when_it_is_the_platform_s_and_is_answered_once() {
    let mut town = Town::start().await;
    let report = Town::command("r-1", "gateway.report", &json!({}));
    let signed = town.sign(&report).await;

    let reply = town.ask(&signed).await;
    assert_eq!((&reply["id"], &reply["ok"]), (&json!("r-1"), &json!(true)), "{reply}");
    let result = &reply["result"];
    assert_eq!(result["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&result["boot"], &result["devices"]), (&json!(1), &json!(3)), "{result}");
    assert_eq!(result["scenes"][0]["id"], "odd");
    let words = ["readings_of", "value", "@", "phone"];
    assert!(words.iter().all(|word| !result["counts"].to_string().contains(word)), "{result}");

    assert_eq!(town.ask(&signed).await, reply, "the same answer, and not the same work");
    let mut other = report.clone();
    other["expires"] = json!(in_hours(2));
    let other = town.sign(&other).await;
    assert_eq!(kind(&town.ask(&other).await), "id-taken");

    let snapshot = Town::command("s-1", "gateway.snapshot", &json!({"camera": "gate"}));
    let snapshot = town.sign(&snapshot).await;
    assert_eq!(kind(&town.ask(&snapshot).await), "not-allowed");
    town.stop().await;
}

#[tokio::test]
async fn what_is_forged_altered_late_or_ambiguous_changes_nothing_and_is_told_so() {
    let mut town = Town::start().await;
    let write = |id: &str| {
        json!({
            "id": id, "expires": LATER, "command": "device.write",
            "args": { "device": "relay-1", "point": "relay", "value": 1 }
        })
    };
    let mut whole = write("w-1");
    whole["expires"] = json!(in_hours(1));
    let signed = town.sign(&whole).await;
    let mut altered: Value = serde_json::from_str(&signed).unwrap();
    altered["args"]["value"] = json!(0);
    let mut unsigned = altered.clone();
    unsigned.as_object_mut().unwrap().remove("sig");
    let mut late = whole.clone();
    late["expires"] = json!("2026-01-01T00:00:00Z");
    let late = town.sign(&late).await;
    let mut far = whole.clone();
    far["expires"] = json!(in_hours(24 * 8));
    let far = town.sign(&far).await;
    let stranger = town.sign_as("stranger", &whole).await;
    let claimed = town.sign_claiming(&whole, "stranger").await;
    let crit = town.sign_with(&whole, &json!({ "crit": ["b64"], "b64": true })).await;
    let twice = signed.replacen('{', r#"{"command": "gateway.report","#, 1);
    let unknown = signed.replace("device.write", "device.wipe");

    for (text, expected) in [
        (altered.to_string(), "unverified"),
        (unsigned.to_string(), "unsigned"),
        (late, "expired"),
        (far, "too-far-ahead"),
        (stranger, "unverified"),
        (claimed, "unverified"),
        (crit, "unverified"),
        (twice, "malformed"),
        (unknown, "unknown"),
        ("{".to_owned(), "malformed"),
        ("x".repeat(70_000), "malformed"),
    ] {
        let reply = town.ask(&text).await;
        assert_eq!(kind(&reply), expected, "{text:.300} {reply}");
    }
    assert_eq!(town.slaves.get(5, "coil", 13).await, 0, "none of them has switched anything");

    // Another way to write the very same command is the same command.
    let args = r#"{"\u0064evice": "relay-1", "point": "rel\u0061y", "value": 1e0}"#;
    let fields: Value = serde_json::from_str(&signed).unwrap();
    let text = format!(
        r#"{{"sig": {}, "args": {args}, "expires": {}, "command": "device.write", "id": "w-1"}}"#,
        fields["sig"], fields["expires"]
    );
    let reply = town.ask(&text).await;
    assert_eq!(reply["ok"], true, "{reply}");
    assert_eq!(town.slaves.get(5, "coil", 13).await, 1);
    town.stop().await;
}

#[tokio::test]
async fn values_are_written_between_polls_and_read_back() {
    values_on(Kind::Tcp).await;
}

#[tokio::test]
async fn values_are_written_and_read_back_where_answers_have_no_numbers() {
    values_on(Kind::RtuOverTcp).await;
}

#[tokio::test]
async fn values_are_written_and_read_back_on_a_serial_line_that_is_polled() {
    values_on(Kind::Serial).await;
}

async fn values_on(wire: Kind) {
    let mut town = Town::start_on(wire).await;

    for (point, value, cells) in [
        ("relay", 1.0, vec![("coil", 13, 1)]),
        ("lamp", 1.0, vec![("coil", 14, 1)]),
        ("setpoint", 42.5, vec![("holding", 10, 425)]),
        ("speed", -12.25, vec![("holding", 12, 0xc144), ("holding", 13, 0)]),
        ("relay", 0.0, vec![("coil", 13, 0)]),
    ] {
        let reply = town.write("relay-1", point, value).await;
        assert_eq!(reply["result"]["value"], json!(value), "{point} {reply}");
        for (table, address, expected) in cells {
            assert_eq!(town.slaves.get(5, table, address).await, expected, "{point}");
        }
    }
    for (point, value, expected) in [
        ("setpoint", 99.5, "out-of-limits"),
        ("setpoint", 42.55, "out-of-limits"),
        ("witness", 1.0, "not-writable"),
        ("stuck", 7.0, "mismatch"),
        ("locked", 1.0, "interlocked"),
        ("nowhere", 1.0, "not-found"),
        ("absent", 1.0, "not-written"),
    ] {
        let reply = town.write("relay-1", point, value).await;
        assert_eq!(kind(&reply), expected, "{point} {reply}");
    }
    // The scene speaks when the witness is read as anything but what it is.
    let events = town.events.until_quiet(Duration::from_millis(500)).await;
    assert!(events.is_empty(), "{:?}", events.first().map(|e| String::from_utf8_lossy(e)));
    town.stop().await;
}

#[tokio::test]
async fn a_device_behind_a_broker_is_switched_and_a_command_that_a_kill_cut_off_is_not_done_twice()
{
    let mut town = Town::start().await;
    let mut heard = town.device("tele/plug/+").await;
    let mut switch = town.device("cmnd/plug/POWER").await;

    let command = town.write_command("plug-1", "on", 1.0);
    let signed = town.sign(&command).await;
    town.publish(&signed).await;
    assert_eq!(switch.next().await, b"ON");
    town.say("tele/plug/STATE", r#"{"on": true}"#).await;
    let reply = town.reply().await;
    assert_eq!(reply["result"]["value"], 1.0, "{reply}");
    drop(heard.next().await);

    // The device takes the next one and says nothing; then the power fails.
    let command = town.write_command("plug-1", "on", 0.0);
    let signed = town.sign(&command).await;
    town.publish(&signed).await;
    assert_eq!(switch.next().await, b"OFF");
    town.kill();
    town.run();

    let reply = town.reply().await;
    assert_eq!((&reply["id"], kind(&reply)), (&command["id"], "interrupted"), "{reply}");
    town.publish(&signed).await;
    assert_eq!(town.reply().await, reply, "the same answer again");
    let again = switch.until_quiet(Duration::from_secs(1)).await;
    assert!(again.is_empty(), "the device was not told a second time");
    town.stop().await;
}

#[tokio::test]
async fn the_outbox_is_emptied_by_the_platform_s_word_over_a_kill() {
    let mut town = Town::start().await;
    town.say("tele/plug/STATE", r#"{"t": 99}"#).await;
    let first: Value = serde_json::from_slice(&town.events.next().await).unwrap();
    let sequence = first["sequence"].as_str().unwrap().to_owned();

    town.kill();
    town.run();
    let again: Value = serde_json::from_slice(&town.events.next().await).unwrap();
    assert_eq!(again["id"], first["id"], "nothing is lost");

    let confirm = |id: &str, to: &str| {
        json!({
            "id": id, "expires": LATER, "command": "events.confirm", "args": { "ranges": [["1", to]] }
        })
    };
    let mut early = confirm("c-1", "9999");
    early["expires"] = json!(in_hours(1));
    assert_eq!(kind(&town.ask(&early.to_string()).await), "not-sent");
    let mut confirm = confirm("c-2", &sequence);
    confirm["expires"] = json!(in_hours(1));
    let reply = town.ask(&confirm.to_string()).await;
    assert_eq!(reply["ok"], true, "{reply}");
    let report = Town::command("r", "gateway.report", &json!({}));
    let report = town.sign(&report).await;
    let reply = town.ask(&report).await;
    assert_eq!(reply["result"]["outbox"], 0, "{reply}");
    town.stop().await;
}

#[tokio::test]
async fn a_platform_that_floods_is_answered_in_its_turn_and_stops_nobody() {
    let mut town = Town::start().await;
    for _ in 0..60 {
        town.publish("nonsense").await;
    }
    let report = Town::command("last", "gateway.report", &json!({}));
    let report = town.sign(&report).await;
    town.publish(&report).await;

    let reply = loop {
        let reply = town.reply().await;
        if reply["id"] == "last" {
            break reply;
        }
        assert_eq!(kind(&reply), "malformed");
    };
    assert_eq!(reply["ok"], true, "{reply}");
    town.stop().await;
}

/// The worked example of docs/platform.md.
#[tokio::test]
async fn the_book_s_example_is_signed_as_the_book_says() {
    let text = std::fs::read_to_string(crate::peers::workspace().join("docs/platform.md")).unwrap();
    let block = |after: &str| {
        let rest = text.split_once(after).expect(after).1;
        rest.split("```").nth(1).unwrap().split_once('\n').unwrap().1.trim().to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, block("The private key of this example")).unwrap();
    let mut commander = crate::peers::commander::Commander::start();
    let command: Value = serde_json::from_str(&block("The command, before it is signed")).unwrap();

    let signed: Value = serde_json::from_str(&commander.sign(&command, &key).await).unwrap();

    let expected: Value = serde_json::from_str(&block("What is sent")).unwrap();
    assert_eq!(signed, expected);
    let ours = town::sign_by_program(&command, &key);
    assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), expected);
}
