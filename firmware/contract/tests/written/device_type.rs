//! A map as a device type of the gateway.

use std::fmt::Write as _;

use gatehouse_contract::common::{KIND, MAGIC, MAGIC_WORD, MAP_VERSION};
use gatehouse_contract::{Access, Coding, Map, NoData, Register};

use super::shown;

/// The whole file.
pub(super) fn text(map: &Map) -> String {
    let Map { name, title_en, title_zh, version, every_s, .. } = map;
    let mut text = format!(
        "# Written from firmware/contract (map version {version}) by its tests; do not edit. The registers are\n\
         # explained in docs/nodes.md.\n\n\
         [device-type]\n\
         id = \"node-{name}\"\n\
         title = {{ zh = \"{title_zh}\", en = \"{title_en}\" }}\n\
         via = \"modbus\"\n\n\
         [modbus]\n\
         function = \"input\"\n\
         start = 0\n\
         count = {}\n\
         every = \"{every_s} s\"\n",
        map.end(Access::Input),
    );
    for register in points(map) {
        point(&mut text, map, register);
    }
    example(&mut text, map, "# an ordinary day", |register| Ok(typical(map, register)));
    example(&mut text, map, "# just switched on: nothing is measured yet", |register| {
        let is_own = map.registers.contains(register);
        if is_own { Err(NoData::Absent) } else { Ok(typical(map, register)) }
    });
    text
}

fn points(map: &Map) -> impl Iterator<Item = &'static Register> + use<> {
    map.table(Access::Input).filter(|register| register.is_point)
}

fn point(text: &mut String, map: &Map, register: &Register) {
    let Register { address, name, title_en, title_zh, unit, coding, range, max_rate, .. } =
        register;
    let kind = match coding {
        Coding::U16 => "",
        Coding::I16 => ", type = \"i16\"",
        Coding::U32 => ", type = \"u32\"",
    };
    let codes: Vec<String> =
        NoData::ALL.iter().map(|why| format!("{:#06X}", coding.code(*why))).collect();
    let scale = shown(register, 1);
    writeln!(text, "\n[[point]]\nname = \"{name}\"").unwrap();
    writeln!(text, "title = {{ zh = \"{title_zh}\", en = \"{title_en}\" }}").unwrap();
    writeln!(text, "at = {{ word = {address}{kind} }}").unwrap();
    if scale != "1" {
        writeln!(text, "scale = {scale}").unwrap();
    }
    writeln!(text, "unit = \"{unit}\"").unwrap();
    if *register == KIND || *register == MAP_VERSION {
        // Of another node, or of another version of this one, nothing can be believed.
        writeln!(text, "must-be = {}", typical(map, register)).unwrap();
    } else {
        let (lowest, highest) = (shown(register, range.0), shown(register, range.1));
        writeln!(text, "range = [{lowest}, {highest}]").unwrap();
    }
    if *max_rate > 0.0 {
        writeln!(text, "max-rate = {max_rate}").unwrap();
    }
    writeln!(text, "stale = \"{} s\"", 6 * map.every_s).unwrap();
    writeln!(text, "no-data = [{}]", codes.join(", ")).unwrap();
}

fn example(
    text: &mut String,
    map: &Map,
    why: &str,
    counts: impl Fn(&Register) -> Result<i32, NoData>,
) {
    let words: Vec<String> = map
        .table(Access::Input)
        .flat_map(|register| register.encode_counts(counts(register)).as_slice().to_vec())
        .map(|word| word.to_string())
        .collect();
    let good: Vec<String> = points(map)
        .filter_map(|register| Some((register, counts(register).ok()?)))
        .map(|(register, counts)| format!("{} = {}", register.name, shown(register, counts)))
        .collect();
    let missing: Vec<String> = points(map)
        .filter(|register| counts(register).is_err())
        .map(|register| format!("{} = \"no-data\"", register.name))
        .collect();
    writeln!(text, "\n[[example]] {why}\nwords = [{}]", words.join(", ")).unwrap();
    writeln!(text, "expect = {{ {} }}", good.join(", ")).unwrap();
    if !missing.is_empty() {
        writeln!(text, "quality = {{ {} }}", missing.join(", ")).unwrap();
    }
}

/// Counts that the register may well hold.
fn typical(map: &Map, register: &Register) -> i32 {
    match register.name {
        name if name == MAGIC.name => i32::from(MAGIC_WORD),
        name if name == KIND.name => i32::from(map.kind),
        name if name == MAP_VERSION.name => i32::from(map.version),
        "firmware" => 0x0100,
        "serial" => 260_001,
        "uptime" => 86_400,
        "supply" => 12_050,
        "supply_lowest" => 11_840,
        "reset_cause" | "occupied" => 1,
        "temperature" => shown_as(register, 21.5),
        "humidity" => shown_as(register, 56.25),
        "co2" => 640,
        "pm2_5" => shown_as(register, 38.5),
        "pm10" => shown_as(register, 61.0),
        "gas" => shown_as(register, 0.98),
        "field" => shown_as(register, 41.3),
        "drift" => shown_as(register, 1.2),
        "distance" => 320,
        "fill" => shown_as(register, 62.5),
        "weight" => shown_as(register, 27.5),
        "tilt" => shown_as(register, 2.0),
        "arrivals" | "requests" => 17,
        _ => 0,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "typical values are small")]
fn shown_as(register: &Register, value: f64) -> i32 {
    let (numerator, denominator) = register.scale;
    (value * f64::from(denominator) / f64::from(numerator)).round() as i32
}
