//! Numbers and units as people read them.

use gatehouse_core::community::quantity::printed_unit;

/// A measured value: at most three decimals, fewer the larger it is, no trailing zeros.
pub(super) fn value(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let decimals = match value.abs() {
        v if v >= 1_000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.into() }
}

/// A value and its unit.
pub(super) fn quantity(number: f64, unit_code: &str) -> String {
    let unit = printed_unit(unit_code);
    if unit.is_empty() { value(number) } else { format!("{}\u{202f}{unit}", value(number)) }
}

/// What would have been normal, open ends left open.
pub(super) fn range(from: Option<f64>, to: Option<f64>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!("{} – {}", value(from), value(to)),
        (Some(from), None) => format!("≥ {}", value(from)),
        (None, Some(to)) => format!("≤ {}", value(to)),
        (None, None) => "–".into(),
    }
}

/// A count with its thousands apart: `12 345`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A share of one as a percentage.
pub(super) fn percent(share: f64) -> String {
    match value((share * 100.0).round()).as_str() {
        "–" => "–".into(),
        number => format!("{number}\u{202f}%"),
    }
}

/// A short fingerprint of what is shown, so that a page can tell what changed. Not for secrets:
/// 64-bit FNV-1a.
pub(super) const fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_as_many_digits_as_it_deserves() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.000_1, "0"),
            (0.123_4, "0.123"),
            (21.304, "21.3"),
            (221.37, "221.4"),
            (100.0, "100"),
            (12_345.6, "12346"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(value(number), expected);
        }
    }

    #[test]
    fn a_unit_is_written_as_on_paper_and_a_count_can_be_read() {
        assert_eq!(quantity(35.0, "ug/m3"), "35\u{202f}µg/m³");
        assert_eq!(quantity(1.0, "1"), "1");
        assert_eq!(quantity(3.0, "furlong"), "3\u{202f}furlong");
        assert_eq!(
            [count(7), count(1_000), count(12_345_678)],
            ["7", "1\u{202f}000", "12\u{202f}345\u{202f}678"]
        );
    }
}
