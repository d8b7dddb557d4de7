//! Tables: columns as wide as they need, rows that stay whole, the head again on every page.

use krilla::tagging::{TableHeaderScope, Tag};

use super::letters::Weight;
use super::sheet::{ACROSS, LEFT, LEVELS, LINE, Mark, Node, Owner, RIGHT, SOFT, Sheets, Style};
use crate::report::paper::{Cell, Kind, Table};

/// Between two columns.
const GAP: f32 = 10.0;
/// Above and below the letters of a row.
const PAD: f32 = 3.0;
const BAR: f32 = 74.0;
const BAR_HIGH: f32 = 6.0;
/// A column of numbers is not made wider by its head than this; the head breaks.
const HEAD: f32 = 50.0;
/// A table of so few rows is not divided.
const SMALL: usize = 8;

const HEAD_STYLE: Style = Style { size: 7.5, leading: 10.5, weight: Weight::Regular, colour: SOFT };

struct Place {
    x: f32,
    wide: f32,
    kind: Kind,
}

/// As much of it as must stand on one page: all of a small table, the head and some rows of a large one.
pub(super) fn together(table: &Table) -> f32 {
    let rows = if table.rows.len() <= SMALL { table.rows.len() } else { 4 };
    2.0 * (PAD + HEAD_STYLE.leading) + row_high(1) * count(rows)
}

pub(super) fn draw(sheets: &mut Sheets<'_>, table: &Table) {
    let places = places(sheets, table);
    let head: Vec<Vec<String>> = table
        .head
        .iter()
        .zip(&places)
        .map(|(column, place)| lines(sheets, &column.title, HEAD_STYLE, place.wide))
        .collect();
    let head_high = height(&head, HEAD_STYLE);
    sheets.need(together(table));
    let node = sheets.group(Tag::Table, None);
    let above = sheets.group(Tag::THead, Some(node));
    let row = sheets.group(Tag::TR, Some(above));
    let owner = |place: &Place| match place.kind {
        Kind::Words | Kind::Number => {
            Owner::Node(sheets.group(Tag::TH(TableHeaderScope::Column), Some(row)))
        }
        Kind::Bar => Owner::Nobody,
    };
    let owners: Vec<Owner> = places.iter().map(owner).collect();
    draw_head(sheets, &head, &places, &owners, head_high);
    let body = sheets.group(Tag::TBody, Some(node));
    for cells in &table.rows {
        draw_row(sheets, cells, &places, (&head, head_high), body);
    }
    sheets.y += 6.0;
}

fn draw_head(
    sheets: &mut Sheets<'_>,
    head: &[Vec<String>],
    places: &[Place],
    owners: &[Owner],
    high: f32,
) {
    for ((lines, place), owner) in head.iter().zip(places).zip(owners) {
        // At the lower edge, near to what it names.
        let y = sheets.y + high - PAD - HEAD_STYLE.leading * count(lines.len());
        draw_lines(sheets, lines, place, HEAD_STYLE, y, *owner);
    }
    sheets.y += high;
    let rule = Mark::Rule { x: LEFT, y: sheets.y, wide: ACROSS, colour: SOFT };
    sheets.mark(Owner::Nobody, rule);
}

fn draw_row(
    sheets: &mut Sheets<'_>,
    cells: &[Cell],
    places: &[Place],
    (head, head_high): (&[Vec<String>], f32),
    body: Node,
) {
    let style = Style::CELL;
    let texts: Vec<Vec<String>> = cells
        .iter()
        .zip(places)
        .map(|(cell, place)| match cell {
            Cell::Text(text) => lines(sheets, text, style, place.wide),
            Cell::Bar(_) => Vec::new(),
        })
        .collect();
    let high = row_high(texts.iter().map(Vec::len).max().unwrap_or(1).max(1));
    if sheets.need(high) {
        // For the eye only: who listens has heard it.
        let owners = vec![Owner::Nobody; places.len()];
        draw_head(sheets, head, places, &owners, head_high);
    }
    let row = sheets.group(Tag::TR, Some(body));
    for (at, ((cell, lines), place)) in cells.iter().zip(&texts).zip(places).enumerate() {
        match cell {
            Cell::Text(_) => {
                let node = if at == 0 {
                    sheets.group(Tag::TH(TableHeaderScope::Row), Some(row))
                } else {
                    sheets.group(Tag::TD, Some(row))
                };
                draw_lines(sheets, lines, place, style, sheets.y + PAD, Owner::Node(node));
            }
            // It says what a number beside it says.
            Cell::Bar(levels) => draw_bar(sheets, levels, place, sheets.y + high / 2.0),
        }
    }
    sheets.y += high;
    sheets.mark(Owner::Nobody, Mark::Rule { x: LEFT, y: sheets.y, wide: ACROSS, colour: LINE });
}

fn draw_lines(
    sheets: &mut Sheets<'_>,
    lines: &[String],
    place: &Place,
    style: Style,
    mut y: f32,
    owner: Owner,
) {
    for line in lines {
        let wide = sheets.letters.width(line.trim_end(), style.weight, style.size);
        let x = match place.kind {
            Kind::Words | Kind::Bar => place.x,
            Kind::Number => place.x + place.wide - wide,
        };
        sheets.line(owner, line, style, x, y);
        y += style.leading;
    }
}

fn draw_bar(sheets: &mut Sheets<'_>, levels: &[f32; 4], place: &Place, middle: f32) {
    let mut x = place.x;
    for (share, colour) in levels.iter().zip(LEVELS) {
        let wide = share * place.wide;
        if wide > 0.0 {
            let bar = Mark::Box { x, y: middle - BAR_HIGH / 2.0, wide, high: BAR_HIGH, colour };
            sheets.mark(Owner::Nobody, bar);
            x += wide;
        }
    }
}

fn places(sheets: &Sheets<'_>, table: &Table) -> Vec<Place> {
    let style = Style::CELL;
    let longest = |at: usize| {
        let cells = table.rows.iter().filter_map(|row| row.get(at));
        cells
            .map(|cell| match cell {
                Cell::Text(text) => sheets.letters.width(text, style.weight, style.size),
                Cell::Bar(_) => BAR,
            })
            .fold(0.0, f32::max)
    };
    let wanted: Vec<f32> = table
        .head
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let (weight, size) = (HEAD_STYLE.weight, HEAD_STYLE.size);
            let head = sheets.letters.width(&column.title, weight, size).min(HEAD);
            let head = head.max(sheets.letters.widest(&column.title, weight, size));
            longest(at).max(head) + 1.0
        })
        .collect();
    let gaps = GAP * count(table.head.len().saturating_sub(1));
    let sum = |of: &[(Kind, f32)]| of.iter().map(|(_, amount)| *amount).sum::<f32>();
    let kinds = table.head.iter().map(|column| column.kind);
    let wanted: Vec<(Kind, f32)> = kinds.clone().zip(wanted).collect();
    let left = ACROSS - gaps - sum(&wanted);
    // What is left over goes to all, words first; what is missing is taken from the words.
    let weights: Vec<(Kind, f32)> = kinds
        .zip(&wanted)
        .map(|(kind, (_, wide))| match kind {
            Kind::Words if left < 0.0 => (kind, *wide),
            Kind::Words => (kind, 3.0),
            Kind::Number | Kind::Bar if left < 0.0 => (kind, 0.0),
            Kind::Number | Kind::Bar => (kind, 1.0),
        })
        .collect();
    let all = sum(&weights).max(1.0);
    let mut x = LEFT;
    let place = |((kind, wanted), (_, weight)): (&(Kind, f32), &(Kind, f32))| {
        let wide = (wanted + left * weight / all).max(20.0);
        let place = Place { x, wide: wide.min(RIGHT - x).max(1.0), kind: *kind };
        x += wide + GAP;
        place
    };
    wanted.iter().zip(&weights).map(place).collect()
}

fn lines(sheets: &Sheets<'_>, text: &str, style: Style, wide: f32) -> Vec<String> {
    sheets.letters.lines(text, style.weight, style.size, wide)
}

fn height(texts: &[Vec<String>], style: Style) -> f32 {
    let most = texts.iter().map(Vec::len).max().unwrap_or(1);
    2.0 * PAD + style.leading * count(most)
}

fn row_high(lines: usize) -> f32 {
    2.0 * PAD + Style::CELL.leading * count(lines)
}

fn count(of: usize) -> f32 {
    f32::from(u16::try_from(of).unwrap_or(u16::MAX))
}
