//! The numbers of a drawing as a form has them, and what is wrong with them, in the reader's language.

use gatehouse_core::community::camera::{Drawing, MOST_CORNERS, Tripwire, Zone};
use gatehouse_core::community::device_type::DeviceType;

use crate::console::words::camera::CameraWords;

/// One zone or tripwire as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub name: String,
    pub corners: String,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Typed {
    pub zones: Vec<Row>,
    pub wires: Vec<Row>,
    wish: Wish,
}

/// Which button was pressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Wish {
    /// What is typed.
    #[default]
    Save,
    /// The whole picture, whatever is typed and the configuration draws.
    Nothing,
    /// As the configuration draws it.
    Reset,
}

/// What is wrong, and with which: a zone or a tripwire, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    is_zone: bool,
    position: usize,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    NoName,
    NameTwice,
    NotNumbers,
    TooFew,
    TooMany,
    Outside,
    Crosses,
    TwoEnds,
    SameEnds,
}

impl Fault {
    pub(super) fn told(&self, words: &CameraWords) -> String {
        let kind = if self.is_zone { words.zone } else { words.tripwire };
        let what = match self.what {
            What::NoName => words.no_name,
            What::NameTwice => words.name_twice,
            What::NotNumbers => words.not_numbers,
            What::TooFew => words.too_few,
            What::TooMany => words.too_many,
            What::Outside => words.outside,
            What::Crosses => words.crosses,
            What::TwoEnds => words.two_ends,
            What::SameEnds => words.same_ends,
        };
        format!("{kind} {}: {what}", self.position)
    }
}

/// Names of zones and tripwires that the points of a device type ask for.
pub(super) fn needed(kind: &DeviceType) -> Vec<&str> {
    let at = kind.points.iter().map(|point| &point.at);
    let mut names: Vec<&str> =
        at.flat_map(|at| at.zone.iter().chain(&at.tripwire)).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Typed {
    /// What is drawn now, what the points ask for and nobody has drawn, and room for one more of each.
    pub(super) fn of(drawing: &Drawing, kind: &DeviceType) -> Self {
        let pairs = |corners: &[[f64; 2]]| {
            let pair = |[x, y]: &[f64; 2]| format!("{x} {y}");
            corners.iter().map(pair).collect::<Vec<_>>().join(", ")
        };
        let zone = |zone: &Zone| Row { name: zone.name.clone(), corners: pairs(&zone.corners) };
        let wire = |wire: &Tripwire| Row {
            name: wire.name.clone(),
            corners: pairs(&[wire.from, wire.to]),
        };
        let mut typed = Self {
            zones: drawing.zones.iter().map(zone).collect(),
            wires: drawing.tripwires.iter().map(wire).collect(),
            wish: Wish::Save,
        };
        for point in &kind.points {
            add(&mut typed.zones, point.at.zone.as_ref());
            add(&mut typed.wires, point.at.tripwire.as_ref());
        }
        typed.zones.push(Row::default());
        typed.wires.push(Row::default());
        typed
    }

    /// As a browser sends it.
    pub(super) fn read(fields: &[(String, String)]) -> Self {
        let mut typed = Self::default();
        for (key, value) in fields {
            match key.as_str() {
                "zone.name" => typed.zones.push(named(value)),
                "tripwire.name" => typed.wires.push(named(value)),
                "zone.corners" => draw(&mut typed.zones, value),
                "tripwire.corners" => draw(&mut typed.wires, value),
                "do" => {
                    typed.wish = match value.as_str() {
                        "reset" => Wish::Reset,
                        "nothing" => Wish::Nothing,
                        _ => Wish::Save,
                    }
                }
                // The rest is the guard's.
                _ => {}
            }
        }
        typed
    }

    /// What is drawn, when it is sound; `None` lets the configuration rule. A row without corners is none.
    pub(super) fn drawing(&self) -> Result<Option<Drawing>, Vec<Fault>> {
        match self.wish {
            Wish::Reset => return Ok(None),
            Wish::Nothing => return Ok(Some(Drawing::default())),
            Wish::Save => {}
        }
        let (mut drawing, mut faults) = (Drawing::default(), Vec::new());
        for (is_zone, rows) in [(true, &self.zones), (false, &self.wires)] {
            let mut seen: Vec<&str> = Vec::new();
            for (at, row) in rows.iter().enumerate() {
                if row.corners.is_empty() {
                    continue;
                }
                let mut fault = |what| faults.push(Fault { is_zone, position: at + 1, what });
                if row.name.is_empty() {
                    fault(What::NoName);
                } else if seen.contains(&row.name.as_str()) {
                    fault(What::NameTwice);
                }
                seen.push(&row.name);
                let Some(corners) = pairs(&row.corners) else {
                    fault(What::NotNumbers);
                    continue;
                };
                let what = if is_zone {
                    drawing.zones.push(Zone { name: row.name.clone(), corners });
                    drawing.zones.last().and_then(wrong_zone)
                } else {
                    match corners.as_slice() {
                        [from, to] => {
                            let (name, from, to) = (row.name.clone(), *from, *to);
                            drawing.tripwires.push(Tripwire { name, from, to });
                            wrong_wire(from, to)
                        }
                        _ => Some(What::TwoEnds),
                    }
                };
                if let Some(what) = what {
                    fault(what);
                }
            }
        }
        if faults.is_empty() { Ok(Some(drawing)) } else { Err(faults) }
    }
}

fn named(value: &str) -> Row {
    let name: String = value.trim().chars().filter(|c| !c.is_control()).take(60).collect();
    Row { name, corners: String::new() }
}

fn draw(rows: &mut [Row], value: &str) {
    if let Some(row) = rows.last_mut() {
        value.trim().clone_into(&mut row.corners);
    }
}

fn add(rows: &mut Vec<Row>, name: Option<&String>) {
    if let Some(name) = name.filter(|name| rows.iter().all(|row| row.name != **name)) {
        rows.push(Row { name: name.clone(), corners: String::new() });
    }
}

/// Numbers with whatever between them that is no letter, two by two; also as `community.toml` has them.
fn pairs(text: &str) -> Option<Vec<[f64; 2]>> {
    let between = |c: char| c.is_whitespace() || "[](),;，；、".contains(c);
    let numbers = text.split(between).filter(|part| !part.is_empty());
    let numbers: Vec<f64> = numbers.map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (pairs, rest) = numbers.as_chunks::<2>();
    rest.is_empty().then(|| pairs.to_vec())
}

fn is_outside([x, y]: &[f64; 2]) -> bool {
    !((0.0..=1.0).contains(x) && (0.0..=1.0).contains(y))
}

/// As [`Drawing::faults`] judges it, told in the reader's language.
fn wrong_zone(zone: &Zone) -> Option<What> {
    let corners = &zone.corners;
    if corners.len() < 3 {
        return Some(What::TooFew);
    }
    if corners.len() > MOST_CORNERS {
        return Some(What::TooMany);
    }
    if corners.iter().any(is_outside) {
        return Some(What::Outside);
    }
    let alone = Zone { name: "alone".to_owned(), corners: corners.clone() };
    let alone = Drawing { zones: vec![alone], tripwires: Vec::new() };
    (!alone.faults().is_empty()).then_some(What::Crosses)
}

fn wrong_wire(from: [f64; 2], to: [f64; 2]) -> Option<What> {
    if is_outside(&from) || is_outside(&to) {
        return Some(What::Outside);
    }
    let is_point = from.iter().zip(to).all(|(from, to)| from.total_cmp(&to).is_eq());
    is_point.then_some(What::SameEnds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(zones: &[(&str, &str)], wires: &[(&str, &str)]) -> Typed {
        let fields = |kind: &str, rows: &[(&str, &str)]| -> Vec<(String, String)> {
            let both = |(name, corners): &(&str, &str)| {
                [
                    (format!("{kind}.name"), (*name).to_owned()),
                    (format!("{kind}.corners"), (*corners).to_owned()),
                ]
            };
            rows.iter().flat_map(both).collect()
        };
        Typed::read(&[fields("zone", zones), fields("tripwire", wires)].concat())
    }

    #[test]
    fn corners_are_read_as_people_and_files_write_them() {
        let square = vec![[0.1, 0.1], [0.5, 0.1], [0.5, 0.5]];
        for text in [
            "0.1 0.1, 0.5 0.1, 0.5 0.5",
            "[[0.10, 0.10], [0.50, 0.10], [0.50, 0.50]]",
            "0.1，0.1；.5，.1\n0.5 5e-1",
        ] {
            let drawing =
                typed(&[("lane", text), ("", "")], &[("", "")]).drawing().unwrap().unwrap();
            assert_eq!(
                drawing.zones,
                [Zone { name: "lane".into(), corners: square.clone() }],
                "{text}"
            );
        }
        let wire = typed(&[], &[("fence", "0 0.5, 1 0.5")]).drawing().unwrap().unwrap();
        assert_eq!(format!("{:?}", wire.tripwires[0].to), "[1.0, 0.5]");
        assert_eq!(wire.faults(), []);
    }

    #[test]
    fn what_is_wrong_is_told_of_each() {
        let sound = "0.1 0.1, 0.5 0.1, 0.5 0.5";
        for (zones, wires, expected) in [
            (vec![("", sound)], vec![], vec![What::NoName]),
            (vec![("a", sound), ("a", sound)], vec![], vec![What::NameTwice]),
            (vec![("a", "left, right")], vec![], vec![What::NotNumbers]),
            (vec![("a", "0.1 0.2, 0.3")], vec![], vec![What::NotNumbers]),
            (vec![("a", "0.1 0.2, 0.3 0.4")], vec![], vec![What::TooFew]),
            (vec![("a", "10 20, 30 40, 10 40")], vec![], vec![What::Outside]),
            (vec![("a", "nan 0, 1 0, 1 1")], vec![], vec![What::Outside]),
            (vec![("a", "0 0, 1 1, 1 0, 0 1")], vec![], vec![What::Crosses]),
            (vec![("a", "0 0, 0.5 0.5, 1 1")], vec![], vec![What::Crosses]),
            (vec![], vec![("w", "0 0, 1 1, 1 0")], vec![What::TwoEnds]),
            (vec![], vec![("w", "0.5 0.5, 0.5 0.5")], vec![What::SameEnds]),
            (
                vec![("a", "0 0")],
                vec![("", "0 0, 1 2")],
                vec![What::TooFew, What::NoName, What::Outside],
            ),
        ] {
            let faults = typed(&zones, &wires).drawing().unwrap_err();
            let found: Vec<What> = faults.iter().map(|fault| fault.what).collect();
            assert_eq!(found, expected, "{zones:?} {wires:?}");
        }
        let many = "0.1 0.1,".repeat(MOST_CORNERS + 1);
        let faults = typed(&[("a", &many)], &[]).drawing().unwrap_err();
        assert_eq!(faults[0].what, What::TooMany);
    }

    #[test]
    fn two_buttons_need_nothing_typed_the_whole_picture_and_what_the_configuration_draws() {
        for (button, expected) in [("nothing", Some(Drawing::default())), ("reset", None)] {
            let fields = [("zone.name", "a"), ("zone.corners", "nonsense"), ("do", button)];
            let fields = fields.map(|(key, value)| (key.to_owned(), value.to_owned()));
            assert_eq!(Typed::read(&fields).drawing(), Ok(expected), "{button}");
        }
    }
}
