//! How often, as people write it: `"2 per week"`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::quantity::Typed;

const FORM: &str = "how often, as in \"2 per week\" or \"1 per month\"";

/// So many in a length of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frequency {
    pub count: f64,
    pub per: Span,
}

/// The lengths of time that a [`Frequency`] counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    Day,
    Week,
    Month,
    Year,
}

const SPANS: [(Span, &str, f64); 4] = [
    (Span::Day, "day", 1.0),
    (Span::Week, "week", 7.0),
    (Span::Month, "month", 365.25 / 12.0),
    (Span::Year, "year", 365.25),
];

/// The text does not say how often.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAFrequency {
    #[error(
        "`{0}` does not say how often; expected a number per day, week, month or year, as in \"2 per week\""
    )]
    Unreadable(String),
    #[error("`{0}` would never be; expected more than 0")]
    Never(String),
}

impl Frequency {
    /// The same, a second.
    pub fn per_second(self) -> f64 {
        self.count / (self.days() * 86_400.0)
    }

    /// One of `parts` equal shares.
    #[must_use]
    pub fn share(self, parts: usize) -> Self {
        Self { count: self.count / parts.max(1) as f64, ..self }
    }

    fn days(self) -> f64 {
        SPANS.iter().find(|(span, ..)| *span == self.per).map_or(1.0, |(_, _, days)| *days)
    }
}

impl FromStr for Frequency {
    type Err = NotAFrequency;

    fn from_str(text: &str) -> Result<Self, NotAFrequency> {
        let unreadable = || NotAFrequency::Unreadable(text.to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        let [count, "per", span] = words.as_slice() else { return Err(unreadable()) };
        let count: f64 = count.parse().map_err(|_| unreadable())?;
        let (per, ..) = SPANS.iter().find(|(_, word, _)| word == span).ok_or_else(unreadable)?;
        if !count.is_finite() {
            return Err(unreadable());
        }
        if count <= 0.0 {
            return Err(NotAFrequency::Never(text.to_owned()));
        }
        Ok(Self { count, per: *per })
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word =
            SPANS.iter().find(|(span, ..)| *span == self.per).map_or("", |(_, word, _)| word);
        write!(f, "{} per {word}", self.count)
    }
}

impl<'de> Deserialize<'de> for Frequency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Typed::new(FORM))
    }
}

impl Serialize for Frequency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl schemars::JsonSchema for Frequency {
    fn schema_name() -> Cow<'static, str> {
        "Frequency".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "How often: a number per day, week, month or year, as in \"2 per week\".",
            "pattern": "^\\s*[0-9.]+\\s+per\\s+(day|week|month|year)\\s*$",
            "examples": ["2 per week", "1 per month"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_is_a_number_per_span_and_prints_as_it_is_read() {
        let twice: Frequency = serde_json::from_str("\"2 per week\"").unwrap();

        assert!((twice.per_second() * 604_800.0 - 2.0).abs() < 1e-9);
        assert_eq!(serde_json::to_string(&twice.share(4)).unwrap(), "\"0.5 per week\"");
        for wrong in ["", "2", "2 a week", "two per week", "2 per fortnight", "inf per day"] {
            let error = wrong.parse::<Frequency>().unwrap_err();
            assert_eq!(error, NotAFrequency::Unreadable(wrong.into()));
        }
        assert!(matches!("0 per week".parse::<Frequency>(), Err(NotAFrequency::Never(_))));
    }
}
