//! Can the floor plan be drawn: outlines that enclose something, and everything within the plan.

use super::super::document::Document;
use super::super::site::Site;

/// Metres; a district of this size has more than one gateway.
const LARGEST: f64 = 20_000.0;
/// Corners of one outline.
const MOST_CORNERS: usize = 200;
/// Square metres; less is a line.
const SMALLEST: f64 = 0.01;

pub(super) fn check(document: &mut Document, site: &Site) {
    let measures = site.community.plan_size;
    if let Some(lengths) = measures
        && !lengths.iter().all(|length| (1.0..=LARGEST).contains(length))
    {
        let message =
            format!("`plan-size` is width and height in metres, each from 1 to {LARGEST}");
        document.fault("community.plan-size", message, None);
        return;
    }
    for (position, area) in site.areas.iter().enumerate() {
        let path = format!("area.{position}.outline");
        match area.outline.len() {
            0 => continue,
            1 | 2 => {
                let message = format!(
                    "an outline has 3 corners or more, `[x, y]` each; found {}",
                    area.outline.len()
                );
                document.fault(&path, message, None);
                continue;
            }
            3..=MOST_CORNERS => {}
            many => {
                let message =
                    format!("an outline has {MOST_CORNERS} corners at most, found {many}");
                document.fault(&path, message, None);
                continue;
            }
        }
        let mut are_inside = true;
        for (corner, point) in area.outline.iter().enumerate() {
            are_inside &= check_point(document, &format!("{path}.{corner}"), *point, measures);
        }
        if are_inside && surface(&area.outline) < SMALLEST {
            let message = "the corners lie on one line, so that they enclose nothing";
            document.fault(&path, message, None);
        }
    }
    for (position, device) in site.devices.iter().enumerate() {
        let Some(at) = device.at else { continue };
        let path = format!("device.{position}.at");
        let area = site.areas.iter().find(|area| area.id == device.area);
        if let Some(area) = area.filter(|area| area.outline.is_empty()) {
            let message = format!("`at` is a place on the plan, but `{}` has no outline", area.id);
            let help = "give the area an `outline`, or leave `at` out".to_owned();
            document.key_fault(&path, message, Some(help));
            continue;
        }
        check_point(document, &path, at, measures);
    }
}

fn check_point(
    document: &mut Document,
    path: &str,
    point: [f64; 2],
    measures: Option<[f64; 2]>,
) -> bool {
    let [width, height] = measures.unwrap_or([LARGEST, LARGEST]);
    let is_inside = (0.0..=width).contains(&point[0]) && (0.0..=height).contains(&point[1]);
    if !is_inside {
        let [x, y] = point;
        let plan = if measures.is_some() { "`plan-size` is" } else { "a plan is at most" };
        let message = format!("[{x}, {y}] is not on the plan; {plan} [{width}, {height}] metres");
        document.fault(path, message, None);
    }
    is_inside
}

/// Square metres within the corners.
fn surface(corners: &[[f64; 2]]) -> f64 {
    let next = corners.iter().cycle().skip(1);
    let twice: f64 = corners.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
    twice.abs() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "[community]\nid = \"c\"\ntitle = { zh = \"\", en = \"\" }\n";

    /// `line:column message` of each fault in a plan.
    fn told(text: &str) -> Vec<String> {
        let text = format!("{HEAD}{text}");
        let (mut document, site) = Document::read::<Site>("community.toml", &text);
        if let Some(site) = site {
            check(&mut document, &site);
        }
        let told = document.faults().iter().map(|fault| {
            let before = &text[..fault.span.start];
            let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
            format!("{}:{column} {}", before.matches('\n').count() + 1, fault.message)
        });
        told.collect()
    }

    fn area(outline: &str) -> String {
        format!("[[area]]\nid = \"a\"\ntitle = {{ zh = \"\", en = \"\" }}\noutline = {outline}\n")
    }

    #[test]
    fn an_outline_that_encloses_nothing_or_leaves_the_plan_is_told_with_its_place() {
        let triangle = "[[0, 0], [10, 0], [0, 10]]";
        let device = |at: &str| {
            format!(
                "{}[[device]]\nid = \"d\"\ntype = \"t\"\narea = \"a\"\nat = {at}\n",
                area(triangle)
            )
        };
        for (text, expected) in [
            (area("[[0, 0], [1, 1]]"), "7:11 an outline has 3 corners or more"),
            (area("[[0, 0], [1, 1], [2, 2]]"), "7:11 the corners lie on one line"),
            (area("[[0, 0], [-1, 0], [0, 1]]"), "7:20 [-1, 0] is not on the plan"),
            (area("[[0, 0], [1, 0], [nan, 1]]"), "7:28 [NaN, 1] is not on the plan"),
            (area("[[0, 0], [1, 0], [1]]"), "7:28 "),
            (device("[10, 30000]"), "12:6 [10, 30000] is not on the plan"),
            (device("\"gate\""), "12:6 "),
            (format!("plan-size = [0, 10]\n{}", area(triangle)), "4:13 `plan-size` is width"),
            (
                format!("plan-size = [9, 10]\n{}", area(triangle)),
                "8:20 [10, 0] is not on the plan; `plan-size` is [9, 10] metres",
            ),
        ] {
            let told = told(&text);
            assert_eq!(told.len(), 1, "{text}: {told:#?}");
            assert!(told[0].starts_with(expected), "{expected}: {told:#?}");
        }
        assert_eq!(told(&device("[5, 5]")), [""; 0]);
    }

    #[test]
    fn a_device_has_no_place_in_an_area_that_is_not_drawn() {
        let text = area("[]").replace("outline = []\n", "")
            + "[[device]]\nid = \"d\"\ntype = \"t\"\narea = \"a\"\nat = [1, 1]\n";

        assert_eq!(told(&text), ["11:1 `at` is a place on the plan, but `a` has no outline"]);
    }
}
