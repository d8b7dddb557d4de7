//! Does what may be written to a device hold together: where it goes, its limits, its interlock, and the
//! examples that show what goes out.

use std::collections::BTreeSet;

use super::super::device_type::{DeviceType, Example, Function, Point, Via};
use super::super::document::Document;
use super::super::fault::nearest;
use super::super::rule::check_detector;
use super::super::writable::{VALUE, Writable};
use crate::decode::order::{NoOrder, Order};
use crate::detect::rule::{Feature, Rule};

/// Stands for a device's own topic where a file has none; deep enough for any template.
const SOME_TOPIC: &str = "a/b/c/d/e/f/g/h";

pub(super) fn check(document: &mut Document, device_type: &DeviceType) {
    for (position, point) in device_type.points.iter().enumerate() {
        let Some(writable) = &point.writable else { continue };
        let path = format!("point.{position}.writable");
        if document.is_mended(&path) {
            continue;
        }
        check_wire(document, &path, device_type, point, writable);
        check_limits(document, &path, device_type, point, writable);
        if let Some(text) = &writable.when {
            let names = device_type.points.iter().map(|point| point.name.as_str()).collect();
            check_when(document, &format!("{path}.when"), text, names);
        }
        let is_shown = |example: &Example| example.write.contains_key(&point.name);
        if !device_type.examples.iter().any(is_shown) && !document.is_doubtful("example") {
            let message =
                format!("`{}` is writable, and no example shows what goes out", point.name);
            let help = format!("add an `[[example]]` with `write = {{ {} = … }}`", point.name);
            document.fault(&path, message, Some(help));
        }
    }
}

/// Keys of the wire that it does not go by, and those that it needs.
fn check_wire(
    document: &mut Document,
    path: &str,
    device_type: &DeviceType,
    point: &Point,
    writable: &Writable,
) {
    let of_modbus = [("at", writable.at.is_some()), ("multiple", writable.multiple)];
    let of_mqtt = [
        ("topic", writable.topic.is_some()),
        ("payload", writable.payload.is_some()),
        ("words", !writable.words.is_empty()),
    ];
    let (needless, other) = match device_type.head.via {
        Via::Modbus => (&of_mqtt[..], "MQTT"),
        Via::Mqtt => (&of_modbus[..], "Modbus"),
        Via::Camera => {
            document.fault(path, "nothing can be written to a camera", None);
            return;
        }
        Via::Localbus => {
            document.fault(path, "nothing can be written to a sensor on the local bus", None);
            return;
        }
        Via::Replay => {
            document.fault(path, "nothing can be written to a recording", None);
            return;
        }
    };
    for (key, _) in needless.iter().filter(|(_, is_set)| *is_set) {
        document.key_fault(&format!("{path}.{key}"), format!("`{key}` is for {other}"), None);
    }
    if device_type.head.via == Via::Mqtt {
        for (key, _) in of_mqtt[..2].iter().filter(|(_, is_set)| !is_set) {
            let message = format!("missing key `{key}`; a point via MQTT is written by a message");
            document.fault(path, message, None);
        }
        if writable.payload.as_ref().is_some_and(|payload| !payload.contains("{value}")) {
            let message = "the payload is the same for every value; `{value}` stands for it";
            document.fault(&format!("{path}.payload"), message, None);
        }
        return;
    }
    let at = writable.at.as_ref().unwrap_or(&point.at);
    let function = at.function.or(device_type.modbus.as_ref().map(|modbus| modbus.function));
    if matches!(function, Some(Function::Discrete | Function::Input)) {
        let help = "say where it is written: `at = { word = 4, function = \"holding\" }`";
        let message = "discrete inputs and input registers are only read";
        document.fault(path, message, Some(help.to_owned()));
    } else if at.word.is_none() {
        document.fault(path, "a point via Modbus is written to a `word`", None);
    } else if at.bits.is_some() {
        let message = "bits of a register cannot be written: the others in it would be too";
        document.fault(path, message, Some("a device has a coil or a register for it".to_owned()));
    }
}

fn check_limits(
    document: &mut Document,
    path: &str,
    device_type: &DeviceType,
    point: &Point,
    writable: &Writable,
) {
    let (lowest, highest) = writable.range;
    if !(lowest.is_finite() && highest.is_finite() && lowest <= highest) {
        let message = "`range` is `[lowest, highest]`, two numbers";
        document.fault(&format!("{path}.range"), message, None);
        return;
    }
    if writable.step.is_some_and(|step| !step.is_finite() || step <= 0.0) {
        document.fault(&format!("{path}.step"), "`step` must be more than 0", None);
        return;
    }
    for (key, period) in [("every", writable.every), ("within", writable.within)] {
        if period.0.is_zero() {
            let message = format!("`{key}` must be longer than nothing");
            document.fault(&format!("{path}.{key}"), message, None);
        }
    }
    if document.is_doubtful(path) || document.is_doubtful("modbus") {
        return;
    }
    let words = writable.words.values().copied();
    let tried: Vec<f64> = if writable.words.is_empty() { vec![lowest] } else { words.collect() };
    for value in tried {
        match Order::new(device_type, point, value, Some(SOME_TOPIC)) {
            Ok(_) => {}
            Err(NoOrder::OutOfLimits(why)) => {
                document.fault(path, format!("{value} could not be written: {why}"), None);
            }
            Err(why @ (NoOrder::NoPlace(_) | NoOrder::NotWritable)) => {
                document.fault(path, format!("it cannot be written: {why}"), None);
            }
        }
    }
}

/// The interlock looks at values, and at nothing that has to be learnt first.
pub(super) fn check_when(document: &mut Document, path: &str, text: &str, names: BTreeSet<&str>) {
    let names: BTreeSet<&str> = names.into_iter().chain([VALUE]).collect();
    if let Err(faults) = check_detector(text, &names) {
        for fault in faults {
            document.fault_inside(path, fault.inside, fault.message, fault.help);
        }
        return;
    }
    let env = std::sync::Arc::new(cel::Env::stdlib());
    let Ok(rule) = Rule::compile(text, &env) else { return };
    let is_plain = rule.needs().iter().all(|need| need.feature == Feature::Value);
    if !is_plain || rule.asks_calendar() {
        let message = "an interlock looks at the points as they are now, and at `value`";
        document.fault(path, message, None);
    }
}

/// Runs an example with `write`.
pub(super) fn run_example(
    document: &mut Document,
    position: usize,
    device_type: &DeviceType,
    example: &Example,
) {
    let (title, path) = (format!("example {}", position + 1), format!("example.{position}"));
    let mut written = example.write.iter();
    let (Some((name, value)), None) = (written.next(), written.next()) else {
        document.fault(&path, "an example writes one point", None);
        return;
    };
    let Some(point) = device_type.points.iter().find(|point| point.name == *name) else {
        let help = nearest(name, device_type.points.iter().map(|point| point.name.as_str()));
        document.key_fault(
            &format!("{path}.write.{name}"),
            format!("there is no point `{name}`"),
            help,
        );
        return;
    };
    if !example.expect.is_empty() || !example.quality.is_empty() {
        let message = "an example with `write` says what goes out, and nothing of what comes in";
        document.fault(&path, message, None);
        return;
    }
    if document.is_doubtful("point") || document.is_doubtful("modbus") {
        return;
    }
    let own_topic = example.own_topic.as_deref().or(Some(SOME_TOPIC));
    let order = match Order::new(device_type, point, *value, own_topic) {
        Ok(order) => order,
        Err(why) => {
            document.fault(&format!("{path}.write.{name}"), format!("{title}: {why}"), None);
            return;
        }
    };
    let differs = match &order {
        Order::Coil { on, .. } => {
            let given = example.tables.get(&Function::Coil);
            let sent = vec![u16::from(*on)];
            (given != Some(&sent)).then(|| format!("`tables = {{ coil = {sent:?} }}`"))
        }
        Order::Registers { words, .. } => {
            let given = example.words.as_ref().or(example.tables.get(&Function::Holding));
            (given != Some(words)).then(|| format!("`words = {words:?}`"))
        }
        Order::Publish { topic, payload } => {
            let is_topic = example.topic.as_ref().is_none_or(|given| given == topic);
            let is_same = is_topic && example.payload.as_ref() == Some(payload);
            (!is_same).then(|| format!("`{payload}` to `{topic}`"))
        }
    };
    if let Some(sent) = differs {
        let message = format!("{title}: `{name} = {value}` is written as {sent}");
        document.fault(
            &path,
            message,
            Some("is the point's place, type or scale right?".to_owned()),
        );
    }
}
