//! Typed strings of the configuration: `"5 s"`, `"150 ug/m3"`, and a text in two languages.
//!
//! The units that points may have stand here and nowhere else.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fault::closest;

/// A length of time as people write it: `"5 s"`, `"10 min"`, `"1h 30m"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// The text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPeriod {
    /// It is a bare number.
    #[error("`{0}` has no unit; expected a length of time, as in \"5 s\" or \"10 min\"")]
    NoUnit(String),
    #[error(
        "`{0}` is not a length of time; expected a number and a unit, as in \"5 s\" or \"10 min\""
    )]
    Unreadable(String),
    /// It cannot be meant, and its multiples have no room.
    #[error("`{0}` is longer than 100 years")]
    TooLong(String),
}

/// The longest period that somebody may mean.
const LONGEST: Duration = Duration::from_hours(100 * 8_766);

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        let length = humantime::parse_duration(text).map_err(|_| {
            let is_number = text.trim().parse::<f64>().is_ok();
            let error = if is_number { NotAPeriod::NoUnit } else { NotAPeriod::Unreadable };
            error(text.to_owned())
        })?;
        if length > LONGEST { Err(NotAPeriod::TooLong(text.to_owned())) } else { Ok(Self(length)) }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Typed::new("a length of time, as in \"5 s\" or \"10 min\""))
    }
}

/// Reads a typed string, and says which one was expected where there is something else.
pub(super) struct Typed<T> {
    expected: &'static str,
    of: PhantomData<T>,
}

impl<T> Typed<T> {
    pub(super) fn new(expected: &'static str) -> Self {
        Self { expected, of: PhantomData }
    }
}

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Typed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl schemars::JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A length of time: a number and a unit, as in \"5 s\", \"10 min\" or \"1h 30m\".",
            "examples": ["5 s", "10 min"]
        })
    }
}

/// A number with its unit, as in `"150 ug/m3"`. The unit must be the point's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    pub value: f64,
    pub unit: String,
}

/// The text is not a number followed by a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a quantity; expected a number and a unit, as in \"150 ug/m3\"")]
pub struct NotAQuantity(pub String);

impl FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let trimmed = text.trim();
        let (number, unit) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
        match number.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Self { value, unit: unit.trim().to_owned() }),
            _ => Err(NotAQuantity(text.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a number with its unit in quotes, as in \"150 ug/m3\"";
        deserializer.deserialize_str(Typed::new(expected))
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value, self.unit)
    }
}

/// The units that points may have, as UCUM writes them or as people read them on their devices.
/// Apart from these, `{…}` stands for whatever is counted: `{people}`, `{people}/h`.
const UNITS: [&str; 13] = [
    "1 % ppm ppb ppt 1/s 1/min 1/h 1/d rpm",
    "degC degF [degF] K degC/min degC/h",
    "us ms s min h d",
    "um mm cm dm m km mm2 cm2 m2 km2 mm3 cm3 dm3 m3 mL L hL deg rad mrad",
    "ng ug mg g kg t ng/m3 ug/m3 mg/m3 g/m3 kg/m3 ug/L mg/L g/L g/kg mol/L mmol/L mol/m3",
    "1/mL 1/L 1/cm3 1/m3 %LEL",
    "mm/s cm/s m/s m/min km/h mm/h mm/min cm/h cm/min mm/s2 m/s2 g0",
    "mL/min L/s L/min L/h m3/s m3/min m3/h m3/d kg/s kg/min kg/h t/h",
    "N kN N.m Pa hPa kPa MPa mbar bar psi mm[H2O] m[H2O] mm[Hg]",
    "uV mV V kV uA mA A kA Ohm kOhm MOhm uS/cm mS/cm S/m mS uS uF mF F mH H",
    "mW W kW MW VA kVA MVA var kvar Mvar W.h kW.h MW.h var.h kvar.h VA.h kVA.h mA.h A.h",
    "J kJ MJ GJ kJ/kg W/m2 kW.h/m3 Hz kHz MHz GHz lx klx cd lm dB dB[A] dBm dB[mW]",
    "nT uT mT T Gs uSv/h Bq/m3 Bq pH [pH] NTU FNU PSU",
];

/// How else people write a unit, without case, blanks and dashes.
const OTHERWISE: [(&str, &str); 38] = [
    ("%", "percent pct perc prozent %rh rh %rf"),
    ("degC", "celsius °c c ℃ cel degcelsius degreescelsius gradc centigrade"),
    ("degF", "fahrenheit °f f ℉ degfahrenheit"),
    ("K", "kelvin °k"),
    ("1", "none count number bool boolean unitless dimensionless pcs index"),
    ("deg", "° degree degrees"),
    ("s", "sec secs second seconds"),
    ("min", "minute minutes mins"),
    ("h", "hour hours hr hrs"),
    ("d", "day days"),
    ("m", "meter meters metre metres mtr"),
    ("m2", "sqm"),
    ("m3", "cbm cubicmeter cubicmetre"),
    ("L", "liter liters litre litres ltr"),
    ("L/min", "lpm"),
    ("m3/h", "m3h cmh cbm/h"),
    ("kg", "kilogram kilograms kgs kilo"),
    ("g", "gram grams"),
    ("ug/m3", "ugm3 ug/cbm mcg/m3"),
    ("mg/m3", "mgm3"),
    ("Pa", "pascal"),
    ("psi", "[psi]"),
    ("mbar", "millibar"),
    ("V", "volt volts vac vdc"),
    ("A", "amp amps ampere amperes"),
    ("W", "watt watts"),
    ("kW", "kilowatt kilowatts"),
    ("kW.h", "kwh kilowatthour kilowatthours"),
    ("W.h", "wh watthour watthours"),
    ("MW.h", "mwh"),
    ("kvar.h", "kvarh"),
    ("A.h", "ah"),
    ("Hz", "hertz"),
    ("lx", "lux"),
    ("dB", "decibel db(a) dba"),
    ("NTU", "fnu/ntu"),
    ("Ohm", "ω ohms"),
    ("rpm", "r/min rev/min u/min"),
];

/// Whether a point may have this unit.
pub fn is_unit(unit: &str) -> bool {
    // What is counted is a number, whatever stands between the braces.
    let counted = unit.strip_prefix('{').and_then(|unit| unit.split_once('}'));
    let number = counted.map(|(what, per)| (!what.is_empty(), format!("1{per}")));
    let (is_named, unit) = number.unwrap_or((true, unit.to_owned()));
    is_named && !unit.contains(' ') && all_units().any(|known| known == unit)
}

/// The unit that was meant by a text that is none.
pub fn nearest_unit(text: &str) -> Option<&'static str> {
    let plain: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && !['-', '_', '^'].contains(c))
        .map(|c| match c {
            'µ' | 'μ' => 'u',
            '²' => '2',
            '³' => '3',
            '·' | '*' => '.',
            other => other,
        })
        .collect();
    let small = plain.to_lowercase();
    let is_meant = |others: &str| others.split(' ').any(|other| other == small);
    all_units()
        .find(|unit| *unit == plain)
        .or_else(|| OTHERWISE.iter().find(|(_, others)| is_meant(others)).map(|(unit, _)| *unit))
        .or_else(|| all_units().find(|unit| unit.to_lowercase() == small))
        .or_else(|| closest(&plain, all_units()).filter(|_| plain.chars().count() > 2))
}

/// The units that a point may have, but for what is counted.
pub fn units() -> impl Iterator<Item = &'static str> {
    all_units()
}

fn all_units() -> impl Iterator<Item = &'static str> {
    UNITS.iter().flat_map(|units| units.split(' '))
}

impl schemars::JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A number and a unit, as in \"150 ug/m3\"; the unit must be the point's own.",
            "examples": ["150 ug/m3"]
        })
    }
}

/// The same text in the two languages that a community reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Text {
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    /// The same in both: what a system or a device says.
    pub fn alike(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { zh: text.clone(), en: text }
    }

    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::Zh => &self.zh,
            Language::En => &self.en,
        }
    }
}

/// The languages of every text that a person may see.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    Zh,
    En,
}

/// A UCUM unit as it is written on paper: nothing for the unity and for what only names what is
/// counted (`{bays}`). One that is not known here stays as it is.
pub fn printed_unit(code: &str) -> &str {
    match code {
        "1" => "",
        "degC" | "Cel" => "°C",
        "ug/m3" => "µg/m³",
        "mg/m3" => "mg/m³",
        "m3/h" => "m³/h",
        "m3" => "m³",
        "kW.h" => "kW·h",
        "uT" => "µT",
        "deg" => "°",
        _ if code.starts_with('{') && code.ends_with('}') => "",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_a_number_and_a_unit() {
        assert_eq!("150 ug/m3".parse(), Ok(Quantity { value: 150.0, unit: "ug/m3".into() }));
        assert_eq!("-2.5".parse(), Ok(Quantity { value: -2.5, unit: String::new() }));
        for wrong in ["", "much", "NaN degC", "inf degC"] {
            assert_eq!(wrong.parse::<Quantity>(), Err(NotAQuantity(wrong.into())));
        }
    }

    #[test]
    fn a_unit_is_known_or_the_nearest_one_is() {
        for unit in ["%", "degC", "ug/m3", "kW.h", "1", "NTU", "m3/h", "{people}", "{cars}/h"] {
            assert!(is_unit(unit), "{unit}");
        }
        let cases = [
            ("percent", Some("%")),
            ("celsius", Some("degC")),
            ("°C", Some("degC")),
            ("C", Some("degC")),
            ("µg/m³", Some("ug/m3")),
            ("kWh", Some("kW.h")),
            ("Kw", Some("kW")),
            ("m^3/h", Some("m3/h")),
            ("ug/m4", Some("ug/m3")),
            ("furlong", None),
            ("{}", None),
            ("", None),
        ];
        for (wrong, meant) in cases {
            assert!(!is_unit(wrong), "{wrong}");
            assert_eq!(nearest_unit(wrong), meant, "{wrong}");
        }
        assert!(OTHERWISE.iter().all(|(unit, _)| is_unit(unit)), "what is meant is known");
    }

    #[test]
    fn a_unit_is_printed_as_people_write_it_and_what_is_counted_is_not() {
        let units = ["ug/m3", "kW.h", "ppm", "1", "{bays}"];

        assert_eq!(units.map(printed_unit), ["µg/m³", "kW·h", "ppm", "", ""]);
    }

    #[test]
    fn a_period_prints_as_it_can_be_read_again() {
        let period: Period = serde_json::from_str("\"90 s\"").unwrap();

        assert_eq!(period, Period(Duration::from_secs(90)));
        assert_eq!(serde_json::to_string(&period).unwrap(), "\"1m 30s\"");
    }
}
