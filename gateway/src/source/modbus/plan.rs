//! Which registers to ask a device for: the fewest requests that cover its points.
//!
//! A request reads consecutive registers of one table, so points that lie close together share one,
//! and the registers between them are read along. What is in the way of that, the device type
//! declares: registers that must not be read (holes), where the map ends (`count`), and how much the
//! device hands out at once (`max-block`). A value of two words always comes in one request, else
//! its halves could be of different moments.
//!
//! Taking the points in order of address and filling each request as far as it goes is optimal: the
//! first point must be in some request, no request that holds it reaches further than the one that
//! starts with it, and so on from there.

use std::collections::BTreeMap;

use gatehouse_core::community::device_type::{DeviceType, Function, Kind, Modbus, Point};

/// Modbus application protocol V1.1b3, sections 6.3 and 6.4.
const MOST_REGISTERS: u32 = 125;
/// Modbus application protocol V1.1b3, sections 6.1 and 6.2.
const MOST_BITS: u32 = 2_000;

/// One question to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) function: Function,
    /// First register or bit, as on the wire.
    pub(super) start: u16,
    pub(super) count: u16,
}

/// The fewest requests that cover the points of a device type, by table and address.
///
/// A point that the declared map does not hold (in a hole, past `count`, past the last address) is
/// asked for by none of them; `check` says so to the integrator.
pub(super) fn plan(device_type: &DeviceType) -> Vec<Request> {
    let Some(modbus) = &device_type.modbus else { return Vec::new() };
    let mut tables: BTreeMap<Function, Vec<Span>> = BTreeMap::new();
    for point in &device_type.points {
        let function = point.at.function.unwrap_or(modbus.function);
        if let Some(span) = span(modbus, point) {
            tables.entry(function).or_default().push(span);
        }
    }
    tables
        .into_iter()
        .flat_map(|(function, mut spans)| {
            spans.sort_unstable();
            merge(modbus, function, &spans)
        })
        .collect()
}

/// Words from `start` on, counted as the device type counts: `first .. end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    first: u32,
    end: u32,
}

/// Where a point stands, if it may be read there.
fn span(modbus: &Modbus, point: &Point) -> Option<Span> {
    let first = u32::from(point.at.word?);
    let span = Span { first, end: first + words(point.at.kind) };
    let on_the_map = modbus.count.is_none_or(|count| span.end <= u32::from(count))
        && !holds_hole(modbus, span.first, span.end);
    let addressable = u32::from(modbus.start) + span.end <= 1 << 16;
    (on_the_map && addressable).then_some(span)
}

fn words(kind: Option<Kind>) -> u32 {
    match kind {
        Some(Kind::U32 | Kind::I32 | Kind::F32) => 2,
        None | Some(Kind::Bool | Kind::U8 | Kind::I8 | Kind::U16 | Kind::I16) => 1,
    }
}

/// Whether any word of `first .. end` must not be read.
fn holds_hole(modbus: &Modbus, first: u32, end: u32) -> bool {
    modbus.holes.iter().any(|(from, to)| u32::from(*from) < end && first <= u32::from(*to))
}

/// Packs spans, sorted by address, into requests.
fn merge(modbus: &Modbus, function: Function, spans: &[Span]) -> Vec<Request> {
    let most = match function {
        Function::Coil | Function::Discrete => (u32::from(modbus.max_block) * 16).min(MOST_BITS),
        Function::Holding | Function::Input => u32::from(modbus.max_block).min(MOST_REGISTERS),
    };
    let mut merged: Vec<Span> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last)
                if span.end - last.first <= most && !holds_hole(modbus, last.end, span.first) =>
            {
                last.end = last.end.max(span.end);
            }
            _ => merged.push(*span),
        }
    }
    let start = u32::from(modbus.start);
    merged
        .into_iter()
        .filter_map(|span| {
            Some(Request {
                function,
                start: u16::try_from(start + span.first).ok()?,
                count: u16::try_from(span.end - span.first).ok()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_share_a_request_and_a_hole_parts_them() {
        let device = device(
            "function = 'input'\nstart = 100\nholes = [[6, 7]]",
            &["word = 0", "word = 2, type = 'f32'", "word = 5", "word = 8", "word = 11"],
        );

        assert_eq!(plan(&device), [request("input", 100, 6), request("input", 108, 4)]);
    }

    #[test]
    fn each_table_is_asked_for_its_own_points() {
        let device = device(
            "function = 'holding'\nholes = [[1, 2], [4, 9]]",
            &[
                "word = 0",
                "word = 3, function = 'discrete'",
                "word = 10",
                "word = 0, function = 'coil'",
            ],
        );

        assert_eq!(
            plan(&device),
            [
                request("coil", 0, 1),
                request("discrete", 3, 1),
                request("holding", 0, 1),
                request("holding", 10, 1),
            ]
        );
    }

    #[test]
    fn no_request_is_longer_than_protocol_and_device_allow() {
        let cases = [
            (
                "125 registers",
                "function = 'input'",
                &["word = 0", "word = 124", "word = 125"],
                vec![request("input", 0, 125), request("input", 125, 1)],
            ),
            (
                "what the device allows",
                "function = 'input'\nmax-block = 16",
                &["word = 0", "word = 15", "word = 16"],
                vec![request("input", 0, 16), request("input", 16, 1)],
            ),
            (
                "2000 bits",
                "function = 'coil'",
                &["word = 0", "word = 1999", "word = 2000"],
                vec![request("coil", 0, 2_000), request("coil", 2_000, 1)],
            ),
            (
                "sixteenths for bits",
                "function = 'discrete'\nmax-block = 1",
                &["word = 0", "word = 15", "word = 16"],
                vec![request("discrete", 0, 16), request("discrete", 16, 1)],
            ),
        ];

        for (why, modbus, points, expected) in cases {
            assert_eq!(plan(&device(modbus, points)), expected, "{why}");
        }
    }

    #[test]
    fn a_value_of_two_words_never_straddles_two_requests() {
        let points = ["word = 0", "word = 124, type = 'u32'"];

        assert_eq!(
            plan(&device("function = 'input'", &points)),
            [request("input", 0, 1), request("input", 124, 2)]
        );
    }

    #[test]
    fn what_the_map_does_not_hold_is_never_asked_for() {
        let cases = [
            ("in a hole", "function = 'input'\nholes = [[3, 3]]", "word = 2, type = 'u32'"),
            ("past the count", "function = 'input'\ncount = 3", "word = 2, type = 'u32'"),
            ("past the last address", "function = 'input'\nstart = 65535", "word = 1"),
            (
                "half past the last address",
                "function = 'input'\nstart = 65535",
                "word = 0, type = 'f32'",
            ),
        ];

        for (why, modbus, point) in cases {
            assert_eq!(plan(&device(modbus, &[point])), [], "{why}");
        }
        let last = device("function = 'input'\nstart = 65535", &["word = 0"]);
        assert_eq!(plan(&last), [request("input", 65_535, 1)]);
    }

    proptest! {
        #[test]
        fn nobody_can_do_with_fewer_requests(
            points in prop::collection::vec((0_u16..14, any::<bool>()), 1..7),
            holes in prop::collection::vec((0_u16..14, 0_u16..3), 0..3),
            max_block in 2_u16..7,
        ) {
            let holes: Vec<[u16; 2]> = holes.iter().map(|(from, more)| [*from, from + more]).collect();
            let device = device(
                &format!("function = 'input'\nmax-block = {max_block}\nholes = {holes:?}"),
                &points
                    .iter()
                    .map(|(word, wide)| format!("word = {word}, type = '{}'", if *wide { "u32" } else { "i16" }))
                    .collect::<Vec<_>>(),
            );
            let free = |first: u16, end: u16| (first..end).all(|word| {
                holes.iter().all(|[from, to]| word < *from || *to < word)
            });
            let wanted: Vec<(u16, u16)> = points
                .iter()
                .map(|(word, wide)| (*word, word + if *wide { 2 } else { 1 }))
                .filter(|(first, end)| free(*first, *end))
                .collect();

            let planned = plan(&device);

            for asked in &planned {
                prop_assert!(asked.count <= max_block, "{asked:?} is too long");
                prop_assert!(free(asked.start, asked.start + asked.count), "{asked:?} reads a hole");
            }
            for (first, end) in &wanted {
                let covered = planned.iter().any(|asked| asked.start <= *first && *end <= asked.start + asked.count);
                prop_assert!(covered, "{first}..{end} is not whole in {planned:?}");
            }
            prop_assert_eq!(planned.len(), fewest(&wanted, max_block, free));
        }
    }

    /// Tries every set of permitted requests, in order of size.
    fn fewest(wanted: &[(u16, u16)], max_block: u16, free: impl Fn(u16, u16) -> bool) -> usize {
        let covers: Vec<u32> = (0..16_u16)
            .flat_map(|first| (1..=max_block).map(move |count| (first, first + count)))
            .filter(|(first, end)| free(*first, *end))
            .map(|(first, end)| {
                wanted
                    .iter()
                    .enumerate()
                    .filter(|(_, w)| first <= w.0 && w.1 <= end)
                    .map(|(i, _)| 1 << i)
                    .sum()
            })
            .collect();
        let all = (1_u32 << wanted.len()) - 1;
        let mut reached = std::collections::BTreeSet::from([0]);
        let mut requests = 0;
        while !reached.contains(&all) {
            reached = reached
                .iter()
                .flat_map(|done| covers.iter().map(move |more| done | more))
                .collect();
            requests += 1;
        }
        requests
    }

    fn device(modbus: &str, points: &[impl AsRef<str>]) -> DeviceType {
        let mut text = format!(
            "[device-type]\nid = 'test'\ntitle = {{ zh = '', en = '' }}\nvia = 'modbus'\n[modbus]\nevery = '1 s'\n{modbus}\n"
        );
        for (i, at) in points.iter().enumerate() {
            let at = at.as_ref();
            write!(text, "[[point]]\nname = 'p{i}'\nunit = '1'\nat = {{ {at} }}\n").unwrap();
        }
        toml::from_str(&text).unwrap()
    }

    fn request(function: &str, start: u16, count: u16) -> Request {
        let function = match function {
            "coil" => Function::Coil,
            "discrete" => Function::Discrete,
            "holding" => Function::Holding,
            _ => Function::Input,
        };
        Request { function, start, count }
    }
}
