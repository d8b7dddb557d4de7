//! Does a device type hold together: its wire, the places of its points, their limits.

use super::super::calendar::Word;
use super::super::device_type::{At, Bits, DeviceType, Function, Kind, Modbus, Point, Via};
use super::super::document::Document;
use super::super::quantity::{is_unit, nearest_unit};
use super::super::rule::{MAPS, RESERVED};
use super::{unique, writables};

/// A binary payload's points lie within this; a sensor's payload has tens of bytes.
const LAST_BYTE: usize = 65_535;

pub(super) fn check(document: &mut Document, device_type: &DeviceType) {
    check_head(document, device_type);
    if let Some(modbus) = &device_type.modbus {
        check_modbus(document, modbus);
    }
    unique(document, "point", "name", device_type.points.iter().map(|point| &point.name));
    for (position, point) in device_type.points.iter().enumerate() {
        let path = format!("point.{position}");
        check_name(document, &path, &point.name);
        check_place(document, &path, device_type, point);
        check_limits(document, &path, point);
    }
    check_one_form(document, device_type);
    writables::check(document, device_type);
}

fn check_head(document: &mut Document, device_type: &DeviceType) {
    let head = &device_type.head;
    match (head.via, &device_type.modbus) {
        (Via::Modbus, None) => document.fault(
            "device-type.via",
            "a device type via `modbus` needs a section `[modbus]`",
            Some("add `[modbus]` with `function`, `start` and `every`".to_owned()),
        ),
        (Via::Mqtt | Via::Camera | Via::Localbus | Via::Replay, Some(_)) => document.fault(
            "modbus",
            "`[modbus]` is for device types via `modbus`",
            Some("set `via = \"modbus\"`, or remove the section".to_owned()),
        ),
        (Via::Modbus, Some(_)) | (Via::Mqtt | Via::Camera | Via::Localbus | Via::Replay, None) => {}
    }
    if head.via != Via::Mqtt {
        for (key, is_set) in [("echo", !head.echo.is_empty()), ("time", head.time.is_some())] {
            if is_set {
                let message = format!("`{key}` is for JSON payloads, so for `via = \"mqtt\"`");
                document.key_fault(&format!("device-type.{key}"), message, None);
            }
        }
    }
    if let Some(time) = &head.time {
        check_pointer(document, "device-type.time.json", &time.json);
    }
    match (head.any_point, device_type.points.is_empty()) {
        (true, false) => document.fault(
            "point.0",
            "with `any-point` every column is a point, so none is listed",
            None,
        ),
        (true, true) if head.via != Via::Replay => document.fault(
            "device-type.any-point",
            "`any-point` is for recordings, so for `via = \"replay\"`",
            None,
        ),
        (true, true) | (false, false) => {}
        (false, true) if document.is_mended("point") => {}
        (false, true) => {
            document.fault("device-type", "a device type needs at least one `[[point]]`", None);
        }
    }
}

fn check_modbus(document: &mut Document, modbus: &Modbus) {
    if modbus.every.0.is_zero() {
        document.fault("modbus.every", "`every` must be longer than nothing", None);
    }
    if !(1..=125).contains(&modbus.max_block) {
        let message =
            format!("`max-block` is {}; Modbus reads 1 to 125 words at once", modbus.max_block);
        document.fault("modbus.max-block", message, None);
    }
    if modbus
        .count
        .is_some_and(|count| count == 0 || u32::from(modbus.start) + u32::from(count) > 65_536)
    {
        let message = "`start` and `count` must stay within the 65536 addresses of a table, and `count` above 0";
        document.fault("modbus.count", message, None);
    }
    for (position, (first, last)) in modbus.holes.iter().enumerate() {
        let path = format!("modbus.holes.{position}");
        if first > last {
            document.fault(
                &path,
                "a hole is `[first, last]`",
                Some(format!("write `[{last}, {first}]`")),
            );
        } else if modbus.count.is_some_and(|count| *last >= count) {
            let message = "the hole lies outside `count`; holes are counted from `start`";
            document.fault(&path, message, None);
        }
    }
}

fn check_name(document: &mut Document, path: &str, name: &str) {
    let path = format!("{path}.name");
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_plain) {
        let message = format!(
            "`{name}` cannot stand in a rule; expected a lower case letter, then letters, digits and underscores"
        );
        let plain = name.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        document.fault(&path, message, Some(format!("`{plain}` would do")));
    } else if RESERVED.contains(&name) || MAPS.contains(&name) || Word::from_name(name).is_some() {
        let message = format!("`{name}` has a meaning of its own in rules");
        document.fault(&path, message, Some(format!("`{name}_value` would do")));
    }
}

fn check_place(document: &mut Document, path: &str, device_type: &DeviceType, point: &Point) {
    let at = &point.at;
    let words = format!("{path}.words");
    let path = format!("{path}.at");
    let places = [
        ("json", at.json.is_some()),
        ("byte", at.byte.is_some()),
        ("word", at.word.is_some()),
        ("see", at.see.is_some()),
        ("channel", at.channel.is_some()),
    ];
    let set: Vec<&str> = places.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| *key).collect();
    let expected = match device_type.head.via {
        Via::Mqtt => "`json` or `byte`",
        Via::Modbus => "`word`",
        Via::Camera => "`see`",
        Via::Localbus => "`channel`",
        Via::Replay => "nothing, as in `at = {}`",
    };
    let fits = match device_type.head.via {
        Via::Mqtt => matches!(set.as_slice(), ["json" | "byte"]),
        Via::Modbus => matches!(set.as_slice(), ["word"]),
        Via::Camera => matches!(set.as_slice(), ["see"]),
        Via::Localbus => matches!(set.as_slice(), ["channel"]),
        Via::Replay => set.is_empty(),
    };
    if !fits && !document.is_mended("device-type.via") {
        let via = match device_type.head.via {
            Via::Mqtt => "mqtt",
            Via::Modbus => "modbus",
            Via::Camera => "camera",
            Via::Localbus => "localbus",
            Via::Replay => "replay",
        };
        let found =
            if set.is_empty() { "none".to_owned() } else { super::super::fault::listed(&set) };
        let message = format!("a point via `{via}` stands at {expected}, found {found}");
        document.fault(&path, message, None);
        return;
    }
    if let Some(pointer) = &at.json {
        check_pointer(document, &format!("{path}.json"), pointer);
        for (key, is_set) in [
            ("type", at.kind.is_some()),
            ("order", at.order.is_some()),
            ("bits", at.bits.is_some()),
            ("function", at.function.is_some()),
        ] {
            if is_set {
                let message = format!("`{key}` has no meaning in JSON");
                document.key_fault(&format!("{path}.{key}"), message, None);
            }
        }
    }
    let has_texts = matches!(device_type.head.via, Via::Mqtt | Via::Modbus);
    if !point.words.is_empty() && at.json.is_none() && has_texts {
        document.fault(&words, "`words` are for texts, so for points at `json`", None);
    }
    if at.byte.is_some_and(|byte| byte > LAST_BYTE) {
        document.fault(&format!("{path}.byte"), format!("`byte` must be below {LAST_BYTE}"), None);
    }
    if at.byte.is_some() && at.function.is_some() {
        document.key_fault(&format!("{path}.function"), "`function` is for Modbus points", None);
    }
    if let (Some(word), Some(modbus)) = (at.word, &device_type.modbus) {
        check_word(document, &path, modbus, at, word);
    } else if at.byte.is_some() {
        check_bits(document, &path, at, at.kind.unwrap_or(Kind::U8));
    }
}

fn check_word(document: &mut Document, path: &str, modbus: &Modbus, at: &At, word: u16) {
    if at.function.is_none() && document.is_mended("modbus.function") {
        return;
    }
    let function = at.function.unwrap_or(modbus.function);
    let kind = match function {
        Function::Coil | Function::Discrete => {
            if at.kind.is_some_and(|kind| kind != Kind::Bool) || at.bits.is_some() {
                let key = if at.bits.is_some() { "bits" } else { "type" };
                let message = "coils and discrete inputs are single bits";
                let help = Some(format!("remove `{key}`"));
                document.key_fault(&format!("{path}.{key}"), message, help);
                return;
            }
            Kind::Bool
        }
        Function::Holding | Function::Input => {
            let kind = at.kind.unwrap_or(Kind::U16);
            check_bits(document, path, at, kind);
            kind
        }
    };
    let last = u32::from(word) + u32::from(width(kind) == 32);
    let path = format!("{path}.word");
    if u32::from(modbus.start) + last > 65_535 {
        document.fault(&path, "the point reaches past the last address, 65535", None);
        return;
    }
    if function != modbus.function {
        return;
    }
    if let Some(count) = modbus.count.filter(|count| last >= u32::from(*count)) {
        let message = format!("the point ends at word {last}, but `count` is {count}");
        let help =
            format!("words are counted from `start`; does the device have {} of them?", last + 1);
        document.fault(&path, message, Some(help));
    }
    let in_hole = |hole: &&(u16, u16)| u32::from(hole.0) <= last && word <= hole.1;
    if let Some((first, end)) = modbus.holes.iter().find(in_hole) {
        let message = format!("the point lies in the hole `[{first}, {end}]`, which is never read");
        document.fault(&path, message, None);
    }
}

fn check_bits(document: &mut Document, path: &str, at: &At, kind: Kind) {
    let Some(bits) = at.bits else { return };
    let (low, high) = match bits {
        Bits::One(bit) => (bit, bit),
        Bits::Field(low, high) => (low, high),
    };
    let path = format!("{path}.bits");
    if matches!(kind, Kind::F32 | Kind::Bool) {
        document.key_fault(&path, "`bits` are part of a whole number type, such as `u16`", None);
    } else if low > high {
        let help = Some(format!("write `[{high}, {low}]`"));
        document.fault(&path, "a field of bits is `[lowest, highest]`", help);
    } else if u32::from(high) >= width(kind) {
        let message = format!("bit {high} is not within the {} bits of the type", width(kind));
        let help = "the lowest bit is 0; `type = \"u32\"` has 32 of them".to_owned();
        document.fault(&path, message, Some(help));
    }
}

fn width(kind: Kind) -> u32 {
    match kind {
        Kind::Bool | Kind::U8 | Kind::I8 => 8,
        Kind::U16 | Kind::I16 => 16,
        Kind::U32 | Kind::I32 | Kind::F32 => 32,
    }
}

fn check_pointer(document: &mut Document, path: &str, pointer: &str) {
    let is_escaped = |rest: &str| rest.starts_with(['0', '1']);
    if !pointer.is_empty() && !pointer.starts_with('/') {
        let steps = pointer.trim_start_matches('$').trim_start_matches('.').replace('.', "/");
        let help = Some(format!("write `/{steps}`"));
        document.fault(
            path,
            format!("`{pointer}` is not a JSON pointer; it begins with `/`"),
            help,
        );
    } else if !pointer.split('~').skip(1).all(is_escaped) {
        let message = format!("`{pointer}` is not a JSON pointer: `~` is written `~0`");
        document.fault(path, message, None);
    }
}

fn check_limits(document: &mut Document, path: &str, point: &Point) {
    if point.scale == 0.0 || !point.scale.is_finite() {
        document.fault(&format!("{path}.scale"), "`scale` must be a number other than 0", None);
    }
    if !point.offset.is_finite() {
        document.fault(&format!("{path}.offset"), "`offset` must be a number", None);
    }
    if point.unit.trim().is_empty() {
        let help = Some("a number without a unit has `unit = \"1\"`".to_owned());
        document.fault(&format!("{path}.unit"), "`unit` is empty", help);
    } else if !is_unit(&point.unit) {
        let message = format!("`{}` is not a unit that is known here", point.unit);
        let help = nearest_unit(&point.unit).map_or_else(
            || "units are written as in UCUM: `degC`, `%`, `ug/m3`, `kW.h`; what is only counted, as in `{people}`".to_owned(),
            |unit| format!("did you mean `{unit}`?"),
        );
        document.fault(&format!("{path}.unit"), message, Some(help));
    }
    if let Some((lowest, highest)) = point.range {
        check_range(document, &format!("{path}.range"), lowest, highest);
    }
    if point.max_rate.is_some_and(|rate| rate.is_nan() || rate <= 0.0) {
        let message = "`max-rate` must be more than 0, or every change would be too fast";
        document.fault(&format!("{path}.max-rate"), message, None);
    }
    for (key, period) in [("stuck-after", point.stuck_after), ("stale", point.stale)] {
        if period.is_some_and(|period| period.0.is_zero()) {
            document.fault(
                &format!("{path}.{key}"),
                format!("`{key}` must be longer than nothing"),
                None,
            );
        }
    }
}

fn check_range(document: &mut Document, path: &str, lowest: f64, highest: f64) {
    if lowest > highest {
        let help = Some(format!("write `[{highest}, {lowest}]`"));
        document.fault(path, "`range` is reversed; it is `[lowest, highest]`", help);
    } else if lowest.is_nan() || highest.is_nan() || lowest >= highest {
        let message = "`range` is `[lowest, highest]`, two different numbers";
        document.fault(path, message, None);
    }
}

/// A payload is JSON or it is binary.
fn check_one_form(document: &mut Document, device_type: &DeviceType) {
    let is_json = |point: &Point| point.at.json.is_some();
    let Some(first) = device_type.points.iter().find(|p| is_json(p) || p.at.byte.is_some()) else {
        return;
    };
    for (position, point) in device_type.points.iter().enumerate() {
        if (point.at.byte.is_some() && is_json(first))
            || (is_json(point) && first.at.byte.is_some())
        {
            let message = format!(
                "`{}` stands in JSON and `{}` in bytes; a payload is one of them",
                if is_json(point) { &point.name } else { &first.name },
                if is_json(point) { &first.name } else { &point.name },
            );
            document.fault(&format!("point.{position}.at"), message, None);
            return;
        }
    }
    if !is_json(first) && device_type.head.time.is_some() {
        document.key_fault("device-type.time", "`time` is for JSON payloads", None);
    }
    if !is_json(first) && !device_type.head.echo.is_empty() {
        document.key_fault("device-type.echo", "`echo` is for JSON payloads", None);
    }
}
