//! JSON that means one thing: read so that no two programs can differ about it, and written in the
//! one canonical way, so that what was signed and what is obeyed are the same.
//!
//! A name that stands twice in an object, and a number that not every program reads as the same double,
//! are refused (RFC 7493, I-JSON). The canonical form is that of RFC 8785.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// 2^53 - 1: RFC 7493, section 2.2.
const LARGEST: u64 = (1 << 53) - 1;

/// Digits that every double holds; readers differ about the last ones of longer numbers.
const DIGITS: usize = 15;

/// Reads a text of which nothing can be taken in two ways.
///
/// # Errors
/// It is not JSON, or not unambiguous; the message says where.
pub fn read(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Plain>(text).map(|plain| plain.0)
}

/// The canonical form (RFC 8785).
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
        Value::Number(value) => text.push_str(&number(value.as_f64().unwrap_or_default())),
        Value::Array(values) => {
            text.push('[');
            for (position, value) in values.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write(value, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            text.push('{');
            for (position, (name, value)) in fields.into_iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
    }
}

/// As ECMAScript writes it: ECMA-262, `Number::toString`.
fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let shortest = format!("{:e}", value.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits = digits(mantissa);
    // Where the decimal point stands, counted from the first digit.
    let point: i32 = exponent.parse::<i32>().unwrap_or_default() + 1;
    let count = i32::try_from(digits.len()).unwrap_or_default();
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    let plain = if (count..=21).contains(&point) {
        digits.clone() + &zeros(point - count)
    } else if (1..=21).contains(&point) {
        let (whole, rest) = digits.split_at(usize::try_from(point).unwrap_or_default());
        format!("{whole}.{rest}")
    } else if (-5..=0).contains(&point) {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let plus = if point > 0 { "+" } else { "" };
        format!("{first}{dot}{rest}e{plus}{}", point - 1)
    };
    format!("{sign}{plain}")
}

/// The digits before the exponent.
fn digits(number: &str) -> String {
    number.chars().take_while(|c| *c != 'e').filter(char::is_ascii_digit).collect()
}

/// A value that means one thing.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        if value > LARGEST {
            return Err(E::custom(format!("{value} is beyond 2^53; write it as a text")));
        }
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > LARGEST {
            return Err(E::custom(format!("{value} is beyond 2^53; write it as a text")));
        }
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // 1e2 and 100 are one number, and -0 is 0.
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        let whole = (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64);
        if whole.is_none() && digits(&format!("{value:e}")).len() > DIGITS {
            return Err(E::custom(format!("{value} has more than {DIGITS} digits; round it")));
        }
        let number = whole.map(Number::from).or_else(|| Number::from_f64(value));
        number.map(Value::Number).ok_or_else(|| E::custom("a number that is none"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Plain(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format!("`{name}` stands here twice")));
            }
            let Plain(value) = object.next_value()?;
            fields.insert(name, value);
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn again(text: &str) -> String {
        canonical(&read(text.as_bytes()).unwrap())
    }

    /// RFC 8785, section 3.2.2 and 3.2.3.
    #[test]
    fn the_example_of_the_rfc_comes_out_as_the_rfc_has_it() {
        let value = serde_json::json!({
            "numbers": [333_333_333.333_333_3, 1E30, 4.50, 2e-3, 0.000_000_000_000_000_000_000_000_001],
            "string": "\u{20ac}$\u{f}\u{a}A'\u{42}\u{22}\u{5c}\\\"/",
            "literals": [null, true, false]
        });
        let expected = concat!(
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
            "\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
        assert_eq!(canonical(&value), expected);
    }

    /// RFC 8785, section 3.2.3: UTF-16 code units, so that an emoji comes before U+FB33.
    #[test]
    fn names_are_sorted_by_utf_16() {
        let text = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        let expected = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
        assert_eq!(again(text), expected);
    }

    /// RFC 8785, appendix B, but for the tie: with so many digits a number is refused.
    #[test]
    fn numbers_are_written_as_the_rfc_s_table_has_them() {
        let table: [(u64, &str); 21] = [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        ];
        for (bits, expected) in table {
            assert_eq!(number(f64::from_bits(bits)), expected, "{bits:016x}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let cases = [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":[{"b":1,"b":1}]}"#,
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551616000000000000000000000000000000000000000000000000000e999",
            "0.30000000000000004",
            r#""\ud800""#,
            "NaN",
            "01",
            "[1,]",
            "{} {}",
            "",
        ];
        for text in cases {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(deep.as_bytes()).is_err());
    }

    #[test]
    fn ways_to_write_one_value_come_out_alike() {
        for (one, other) in [
            ("-0", "0"),
            ("1e2", "100"),
            ("100.0", "100"),
            (r#""\u0041""#, r#""A""#),
            (r#""\/""#, r#""/""#),
            (r#"{"b":1,"a":2}"#, r#"{ "a" : 2 , "b" : 1.0 }"#),
        ] {
            assert_eq!(again(one), again(other), "{one}");
        }
    }

    fn decimal((digits, places): (i64, u8)) -> Value {
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53")]
        let number = digits as f64 / 10_f64.powi(i32::from(places));
        Value::from(number)
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-999_999_999_999_i64..999_999_999_999, 0_u8..12).prop_map(decimal),
            any::<i32>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_its_own_canonical_form(value in values()) {
            let text = canonical(&value);
            prop_assert_eq!(again(&text), text);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes).map(|value| canonical(&value));
        }
    }
}
