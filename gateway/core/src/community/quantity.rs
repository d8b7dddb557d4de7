//! Typed strings of the configuration: `"5 s"`, `"150 ug/m3"`, and a text in two languages.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time as people write it: `"5 s"`, `"10 min"`, `"1h 30m"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(|_| {
            serde::de::Error::custom(format!(
                "`{text}` is not a length of time; expected a number and a unit, as in \"5 s\" or \"10 min\""
            ))
        })
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
        Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
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
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
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
    fn a_period_prints_as_it_can_be_read_again() {
        let period: Period = serde_json::from_str("\"90 s\"").unwrap();

        assert_eq!(period, Period(Duration::from_secs(90)));
        assert_eq!(serde_json::to_string(&period).unwrap(), "\"1m 30s\"");
    }
}
