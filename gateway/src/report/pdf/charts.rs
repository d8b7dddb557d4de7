//! The two charts: columns of the days, and the heat of weekdays and hours.

use krilla::tagging::Tag;

use super::letters::Weight;
use super::sheet::{
    ACROSS, Colour, GROUND, INK, LEFT, LEVELS, LINE, Mark, Node, Owner, SOFT, Sheets, Style,
};
use crate::report::paper::{Days, Heat};

const TITLE: Style = Style { size: 9.5, leading: 16.0, weight: Weight::Bold, colour: INK };
const LABEL: Style = Style { size: 7.0, leading: 10.0, weight: Weight::Regular, colour: SOFT };
const CHART_HIGH: f32 = 118.0;
/// Where the scale's numbers stand.
const SCALE: f32 = 24.0;
const CELL_HIGH: f32 = 15.0;
const WEEKDAY: f32 = 34.0;

/// From none to the most.
const SHADES: [Colour; 6] = [
    GROUND,
    [0xd3, 0xe5, 0xe1],
    [0xa5, 0xcd, 0xc5],
    [0x6f, 0xae, 0xa3],
    [0x3d, 0x86, 0x7a],
    [0x1d, 0x5c, 0x53],
];
const WHITE: Colour = [0xff, 0xff, 0xff];

pub(super) fn days(sheets: &mut Sheets<'_>, days: &Days) {
    sheets.need(TITLE.leading + CHART_HIGH + 60.0);
    let node = begin(sheets, &days.title, &days.told);
    legend(sheets, &days.legend);
    let (left, wide) = (LEFT + SCALE, ACROSS - SCALE);
    let (top, base) = (sheets.y, sheets.y + CHART_HIGH);
    let scale = days.top();
    let each = wide / f32::from(u8::try_from(days.days.len().max(1)).unwrap_or(31));
    let owner = Owner::Node(node);
    for (at, day) in days.days.iter().enumerate() {
        if day.is_weekend {
            let x = left + each * small(at);
            let ground = Mark::Box { x, y: top, wide: each, high: CHART_HIGH, colour: GROUND };
            sheets.mark(owner, ground);
        }
    }
    for step in 0..=4_u8 {
        let y = base - CHART_HIGH * f32::from(step) / 4.0;
        sheets.mark(owner, Mark::Rule { x: left, y, wide, colour: LINE });
        let number = (scale / 4 * u32::from(step)).to_string();
        let width = sheets.letters.width(&number, LABEL.weight, LABEL.size);
        sheets.line(owner, &number, LABEL, left - 5.0 - width, y - LABEL.leading / 2.0);
    }
    for (at, day) in days.days.iter().enumerate() {
        let x = left + each * small(at);
        let mut y = base;
        for (events, colour) in day.levels.iter().zip(LEVELS).rev() {
            let high = CHART_HIGH * share(*events, scale);
            if *events > 0 {
                y -= high;
                let column = Mark::Box { x: x + each * 0.2, y, wide: each * 0.6, high, colour };
                sheets.mark(owner, column);
            }
        }
        let number = day.number.to_string();
        let width = sheets.letters.width(&number, LABEL.weight, LABEL.size);
        sheets.line(owner, &number, LABEL, x + (each - width) / 2.0, base + 3.0);
    }
    sheets.y = base + LABEL.leading + 6.0;
    told(sheets, &days.told);
}

pub(super) fn heat(sheets: &mut Sheets<'_>, heat: &Heat) {
    sheets.need(TITLE.leading + 7.0 * CELL_HIGH + 50.0);
    let node = begin(sheets, &heat.title, &heat.told);
    let owner = Owner::Node(node);
    let each = (ACROSS - WEEKDAY) / 24.0;
    for hour in 0..24_u8 {
        let x = LEFT + WEEKDAY + each * f32::from(hour);
        centred(sheets, owner, &format!("{hour:02}"), (x, each), sheets.y, SOFT);
    }
    sheets.y += LABEL.leading + 2.0;
    for (name, hours) in heat.weekdays.iter().zip(&heat.hours) {
        let y = sheets.y;
        sheets.line(owner, name, LABEL, LEFT, y + (CELL_HIGH - LABEL.leading) / 2.0);
        for (hour, events) in hours.iter().enumerate() {
            let shade = heat.shade(*events);
            let x = LEFT + WEEKDAY + each * small(hour);
            let colour = SHADES[usize::from(shade)];
            let (wide, high) = (each - 1.0, CELL_HIGH - 1.0);
            sheets.mark(owner, Mark::Box { x, y, wide, high, colour });
            if *events > 0 {
                let ink = if shade >= 4 { WHITE } else { INK };
                let text = events.to_string();
                centred(sheets, owner, &text, (x, wide), y + (high - LABEL.leading) / 2.0, ink);
            }
        }
        sheets.y += CELL_HIGH;
    }
    sheets.y += 5.0;
    told(sheets, &heat.told);
}

fn begin(sheets: &mut Sheets<'_>, title: &str, told: &str) -> Node {
    let caption = sheets.group(Tag::P, None);
    sheets.paragraph(caption, title, TITLE, LEFT, ACROSS);
    sheets.y += 2.0;
    sheets.group(Tag::Figure(Some(format!("{title}: {told}"))), None)
}

fn told(sheets: &mut Sheets<'_>, told: &str) {
    sheets.text(told, Style::SMALL);
    sheets.y += 8.0;
}

fn legend(sheets: &mut Sheets<'_>, names: &[String; 4]) {
    let node = sheets.group(Tag::P, None);
    let mut x = LEFT + SCALE;
    for (name, colour) in names.iter().zip(LEVELS) {
        let y = sheets.y + 2.0;
        sheets.mark(Owner::Nobody, Mark::Box { x, y, wide: 6.0, high: 6.0, colour });
        sheets.line(Owner::Node(node), &format!("{name} "), LABEL, x + 9.0, sheets.y);
        x += 9.0 + sheets.letters.width(name, LABEL.weight, LABEL.size) + 14.0;
    }
    sheets.y += LABEL.leading + 8.0;
}

fn centred(
    sheets: &mut Sheets<'_>,
    owner: Owner,
    text: &str,
    (x, wide): (f32, f32),
    y: f32,
    colour: Colour,
) {
    let width = sheets.letters.width(text, LABEL.weight, LABEL.size);
    sheets.line(owner, text, LABEL.in_colour(colour), x + (wide - width) / 2.0, y);
}

fn small(at: usize) -> f32 {
    f32::from(u8::try_from(at).unwrap_or(u8::MAX))
}

#[expect(clippy::cast_possible_truncation, reason = "a height on paper")]
fn share(events: u32, of: u32) -> f32 {
    (f64::from(events) / f64::from(of.max(1))) as f32
}
