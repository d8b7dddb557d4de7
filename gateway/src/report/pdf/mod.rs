//! The report on paper: A4, vector text and charts, tagged for screen readers (PDF/UA-1), no raster.
//!
//! 1. `letters`: which glyph, how wide, where a line breaks,
//! 2. `sheet`: marks on pages, and the order in which they are read,
//! 3. `table`, `charts`: the blocks that are more than text,
//! 4. `ink`: the marks as a PDF.
//!
//! The fonts are Noto Sans CJK SC, cut by `font/subset.py` (SIL Open Font License 1.1, `font/OFL.txt`).

mod charts;
mod ink;
mod letters;
mod sheet;
mod table;

use krilla::tagging::{ListNumbering, Tag};
use std::num::NonZeroU16;

use super::paper::{Block, Finding, Paper, Section, Tile};
use letters::{Letters, Weight};
use sheet::{
    ACCENT, ACROSS, BAD, GROUND, HEIGHT, INK, LEFT, LINE, Mark, Owner, RIGHT, SOFT, Sheets, Stop,
    Style, TOP,
};

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum NoPdf {
    /// The program is damaged: install it anew.
    #[error("a font of the report cannot be read; the program is damaged, install it anew")]
    Font,
    /// A fault of ours.
    #[error("the report cannot be written as a PDF: {0}")]
    Writing(String),
}

const TITLE: Style = Style { size: 24.0, leading: 34.0, weight: Weight::Bold, colour: INK };
const PLACE: Style = Style { size: 12.0, leading: 18.0, weight: Weight::Bold, colour: ACCENT };
const SECTION: Style = Style { size: 13.0, leading: 20.0, weight: Weight::Bold, colour: ACCENT };

/// Writes the paper as a PDF.
pub fn render(paper: &Paper) -> Result<Vec<u8>, NoPdf> {
    let letters = Letters::new()?;
    let mut sheets = Sheets::new(&letters);
    opening(&mut sheets, paper);
    for section in &paper.sections {
        draw_section(&mut sheets, section);
    }
    running(&mut sheets, paper);
    ink::write(&sheets, paper)
}

fn opening(sheets: &mut Sheets<'_>, paper: &Paper) {
    sheets.y = TOP - 14.0;
    sheets.text(&paper.community, PLACE);
    let text = format!("{} {}", paper.month, paper.kind);
    let title = sheets.group(heading(1, &text), None);
    sheets.stops.push(Stop { title: text.clone(), page: 0, y: sheets.y });
    sheets.paragraph(title, &text, TITLE, LEFT, ACROSS);
    sheets.text(&paper.stretch, Style::SMALL);
    sheets.y += 12.0;
    sheets.text(&paper.lead, Style { size: 10.5, leading: 17.0, ..Style::BODY });
    sheets.y += 4.0;
    for remark in &paper.remarks {
        sheets.text(remark, Style::SMALL);
    }
    sheets.y += 12.0;
    tiles(sheets, &paper.tiles);
}

fn tiles(sheets: &mut Sheets<'_>, tiles: &[Tile]) {
    const EACH_ROW: usize = 4;
    const GAP: f32 = 8.0;
    const HIGH: f32 = 58.0;
    let wide = (ACROSS - GAP * 3.0) / 4.0;
    for row in tiles.chunks(EACH_ROW) {
        sheets.need(HIGH);
        let y = sheets.y;
        for (at, tile) in (0_u8..).zip(row) {
            let x = LEFT + (wide + GAP) * f32::from(at);
            sheets.mark(Owner::Nobody, Mark::Box { x, y, wide, high: HIGH, colour: GROUND });
            let edge = if tile.is_odd { BAD } else { ACCENT };
            sheets.mark(Owner::Nobody, Mark::Box { x, y, wide: 2.5, high: HIGH, colour: edge });
            let colour = if tile.is_odd { BAD } else { INK };
            let value = Style { size: 16.0, leading: 22.0, weight: Weight::Bold, colour };
            let node = Owner::Node(sheets.group(Tag::P, None));
            let small = Style { size: 7.5, leading: 11.0, ..Style::SMALL };
            sheets.line(node, &format!("{} ", tile.name), small, x + 10.0, y + 6.0);
            sheets.line(node, &format!("{} ", tile.value), value, x + 10.0, y + 18.0);
            sheets.line(node, &tile.beside, small, x + 10.0, y + 41.0);
        }
        sheets.y += HIGH + GAP;
    }
}

fn draw_section(sheets: &mut Sheets<'_>, section: &Section) {
    sheets.y += 12.0;
    // With the first lines of what it heads.
    let follows = match section.blocks.first() {
        Some(Block::Days(_)) => 200.0,
        Some(Block::Heat(_)) => 170.0,
        Some(Block::Table(of)) => table::together(of),
        Some(Block::Findings(_) | Block::Text(_)) | None => 70.0,
    };
    sheets.need(SECTION.leading + 8.0 + follows);
    let node = sheets.group(heading(2, &section.title), None);
    let page = sheets.pages.len() - 1;
    sheets.stops.push(Stop { title: section.title.clone(), page, y: sheets.y });
    sheets.paragraph(node, &section.title, SECTION, LEFT, ACROSS);
    sheets.mark(Owner::Nobody, Mark::Rule { x: LEFT, y: sheets.y, wide: ACROSS, colour: ACCENT });
    sheets.y += 8.0;
    let mut is_alone = section.blocks.iter().filter(|b| matches!(b, Block::Table(_))).count() > 1;
    is_alone |= section.blocks.iter().any(|b| matches!(b, Block::Days(_)));
    for block in &section.blocks {
        match block {
            Block::Text(text) => {
                sheets.text(text, Style::SMALL);
                sheets.y += 3.0;
            }
            Block::Findings(findings) => draw_findings(sheets, findings),
            Block::Days(days) => charts::days(sheets, days),
            Block::Heat(heat) => charts::heat(sheets, heat),
            Block::Table(of) => {
                if is_alone {
                    sheets.y += 6.0;
                    sheets.need(Style::BODY.leading + table::together(of));
                    sheets.text(&of.title, Style::BODY.bold());
                }
                table::draw(sheets, of);
            }
        }
    }
}

fn draw_findings(sheets: &mut Sheets<'_>, findings: &[Finding]) {
    const NUMBER: f32 = 22.0;
    let list = sheets.group(Tag::L(ListNumbering::Decimal), None);
    for (number, finding) in (1_u32..).zip(findings) {
        let lines = |text: &str, style: Style| {
            sheets.letters.lines(text, style.weight, style.size, ACROSS - NUMBER).len()
        };
        let body = Style::BODY.bold();
        let rows = lines(&finding.what, body);
        sheets.need(body.leading * f32::from(u16::try_from(rows).unwrap_or(9)) + 14.0);
        let item = sheets.group(Tag::LI, Some(list));
        let label = sheets.group(Tag::Lbl, Some(item));
        let content = sheets.group(Tag::LBody, Some(item));
        let what = sheets.group(Tag::P, Some(content));
        let because = sheets.group(Tag::P, Some(content));
        let text = format!("{number}.");
        sheets.line(Owner::Node(label), &text, body.in_colour(ACCENT), LEFT, sheets.y);
        sheets.paragraph(what, &finding.what, body, LEFT + NUMBER, ACROSS - NUMBER);
        sheets.paragraph(because, &finding.because, Style::SMALL, LEFT + NUMBER, ACROSS - NUMBER);
        sheets.y += 5.0;
    }
}

/// What stands above and below every page.
fn running(sheets: &mut Sheets<'_>, paper: &Paper) {
    let style = Style { size: 7.5, leading: 10.0, ..Style::SMALL };
    let total = sheets.pages.len();
    let mut page = Vec::new();
    for number in 1..=total {
        std::mem::swap(&mut page, &mut sheets.pages[number - 1]);
        let [before, between, after] = &paper.page;
        let place = format!("{before}{number}{between}{total}{after}");
        let head = format!("{} {}", paper.month, paper.kind);
        sheets.pages.push(Vec::new());
        if number == 1 {
            let band = Mark::Box { x: 0.0, y: 0.0, wide: sheet::WIDTH, high: 7.0, colour: ACCENT };
            sheets.mark(Owner::Nobody, band);
        } else {
            sheets.line(Owner::Header, &paper.community, style, LEFT, 32.0);
            let wide = sheets.letters.width(&head, style.weight, style.size);
            sheets.line(Owner::Header, &head, style, RIGHT - wide, 32.0);
            sheets.mark(Owner::Header, Mark::Rule { x: LEFT, y: 46.0, wide: ACROSS, colour: LINE });
        }
        let foot = HEIGHT - 40.0;
        sheets.mark(Owner::Footer, Mark::Rule { x: LEFT, y: foot, wide: ACROSS, colour: LINE });
        sheets.line(Owner::Footer, &paper.made, style, LEFT, foot + 6.0);
        let wide = sheets.letters.width(&place, style.weight, style.size);
        sheets.line(Owner::Footer, &place, style.in_colour(SOFT), RIGHT - wide, foot + 6.0);
        page.extend(sheets.pages.pop().unwrap_or_default());
        std::mem::swap(&mut page, &mut sheets.pages[number - 1]);
    }
}

fn heading(level: u16, title: &str) -> krilla::tagging::TagKind {
    let level = NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN);
    Tag::Hn(level, Some(title.to_owned())).into()
}
