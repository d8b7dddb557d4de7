//! Which of two versions is older, for names that people give.

use std::cmp::Ordering;

/// Compares piece by piece: runs of digits as numbers, everything else as text, and a version that goes
/// on is newer. A dash begins what comes before the release (`2.0-rc1` is older than `2.0`).
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let ((one, one_before), (other, other_before)) = (halves(one), halves(other));
    one.cmp(&other).then_with(|| match (one_before, other_before) {
        (Some(one), Some(other)) => one.cmp(&other),
        // `None` is the release itself.
        (one, other) => one.is_none().cmp(&other.is_none()),
    })
}

fn halves(version: &str) -> (Vec<Piece<'_>>, Option<Vec<Piece<'_>>>) {
    version
        .split_once('-')
        .map_or_else(|| (pieces(version), None), |(r, before)| (pieces(r), Some(pieces(before))))
}

/// A number without its leading zeros (by length, then by digits), or text.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece<'v> {
    Number(usize, &'v str),
    Text(&'v str),
}

fn pieces(version: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    for part in version.split(['.', '_', '-']) {
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let is_same = |c: char| c.is_ascii_digit() == first.is_ascii_digit();
            let end = rest.find(|c| !is_same(c)).unwrap_or(rest.len());
            let (piece, more) = rest.split_at(end);
            let digits = piece.trim_start_matches('0');
            let is_number = first.is_ascii_digit();
            found.push(if is_number {
                Piece::Number(digits.len(), digits)
            } else {
                Piece::Text(piece)
            });
            rest = more;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_ordered_as_people_count() {
        for (older, newer) in [
            ("1", "2"),
            ("9", "10"),
            ("1.9", "1.10"),
            ("1.0", "1.0.1"),
            ("2.0-rc1", "2.0"),
            ("2.0-rc9", "2.0-rc10"),
            ("2026.01.09", "2026.1.10"),
            ("1.0a", "1.0b"),
            ("v9", "v10"),
            ("1", "spring"),
            ("99999999999999999999998", "99999999999999999999999"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} < {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{newer} > {older}");
        }
        assert_eq!(compare("1.07", "1.7"), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn an_order_is_an_order(versions in prop::collection::vec("[0-9a-c._-]{0,8}", 3)) {
            let [a, b, c] = [&versions[0], &versions[1], &versions[2]];
            prop_assert_eq!(compare(a, b), compare(b, a).reverse());
            if compare(a, b).is_le() && compare(b, c).is_le() {
                prop_assert!(compare(a, c).is_le());
            }
        }
    }
}
