//! A report as a page: the same words and figures as on paper. Charts are drawn here, and each has its
//! numbers in a table beside it.

use maud::{Markup, html};

use crate::console::words::report::ReportWords;
use crate::report::paper::{Block, Cell, Column, Days, Heat, Kind, Paper, Section, Table, Tile};

/// Of the chart of the days, in its own units.
const WIDE: u32 = 720;
const HIGH: u32 = 160;
const LEFT: u32 = 34;

pub(super) fn main(paper: &Paper, around: &Markup) -> Markup {
    html! {
        main #main .report tabindex="-1" {
            (around)
            p .place { (paper.community) }
            h1 { (paper.month) " " (paper.kind) }
            p .soft { (paper.stretch) }
            p .lead { (paper.lead) }
            @for remark in &paper.remarks { p .soft { (remark) } }
            dl .tiles { @for tile in &paper.tiles { (shown_tile(tile)) } }
            @for section in &paper.sections { (shown(section, paper)) }
            p .soft { (paper.made) }
        }
    }
}

fn shown_tile(tile: &Tile) -> Markup {
    html! {
        div .odd[tile.is_odd] {
            dt { (tile.name) }
            dd { b { (tile.value) } @if !tile.beside.is_empty() { " " small { (tile.beside) } } }
        }
    }
}

fn shown(section: &Section, paper: &Paper) -> Markup {
    let is_alone = section.blocks.len() == 1;
    html! {
        section aria-labelledby=(section.id) {
            h2 #(section.id) { (section.title) }
            @for block in &section.blocks {
                @match block {
                    Block::Text(text) => { p .soft { (text) } }
                    Block::Findings(findings) => {
                        ol .findings {
                            @for finding in findings {
                                li { b { (finding.what) } " " span { (finding.because) } }
                            }
                        }
                    }
                    Block::Days(days) => { (shown_days(days, paper)) }
                    Block::Heat(heat) => { (shown_heat(heat)) }
                    Block::Table(table) => { (shown_table(table, is_alone)) }
                }
            }
        }
    }
}

fn shown_days(days: &Days, paper: &Paper) -> Markup {
    let top = days.top();
    let base = HIGH + 8;
    let many = u32::try_from(days.days.len().max(1)).unwrap_or(31);
    let each = f64::from(WIDE - LEFT) / f64::from(many);
    let high = |events: u32| f64::from(events) * f64::from(HIGH) / f64::from(top);
    let place = |at: usize| f64::from(LEFT) + each * at as f64;
    html! {
        figure .days {
            figcaption { h3 { (days.title) } }
            ul .legend role="list" {
                @for (name, class) in days.legend.iter().zip(LEVELS) { li .(class) { (name) } }
            }
            div .scroll tabindex="0" role="group" aria-label=(days.title) {
                svg viewBox={ "0 0 " (WIDE) " " (base + 20) } role="img" aria-label=(days.told) {
                    @for (at, day) in days.days.iter().enumerate() {
                        @if day.is_weekend {
                            rect .rest x=(short(place(at))) y="8" width=(short(each)) height=(HIGH) {}
                        }
                    }
                    @for step in 0..=4 {
                        line x1=(LEFT) x2=(WIDE) y1=(base - HIGH * step / 4) y2=(base - HIGH * step / 4) {}
                        text .end x=(LEFT - 6) y=(base - HIGH * step / 4 + 4) { (top / 4 * step) }
                    }
                    @for (at, day) in days.days.iter().enumerate() {
                        @for (level, class) in LEVELS.iter().enumerate().rev() {
                            @let below: u32 = day.levels[level + 1..].iter().sum();
                            @let events = day.levels[level];
                            @if events > 0 {
                                rect .(class) x=(short(place(at) + each * 0.2)) width=(short(each * 0.6))
                                    y=(short(f64::from(base) - high(below + events))) height=(short(high(events))) {}
                            }
                        }
                        text .middle x=(short(place(at) + each / 2.0)) y=(base + 15) { (day.number) }
                    }
                }
            }
            p .soft { (days.told) }
            details {
                summary { (ReportWords::of(paper.language).table) }
                (days_table(days, paper))
            }
        }
    }
}

/// The chart's numbers.
fn days_table(days: &Days, paper: &Paper) -> Markup {
    let name = format!("{}: {}", days.title, ReportWords::of(paper.language).table);
    html! {
        div .scroll tabindex="0" role="group" aria-label=(name) {
            table {
                thead {
                    tr {
                        @for head in &days.head { th scope="col" { (head) } }
                        @for name in &days.legend { th scope="col" { (name) } }
                    }
                }
                tbody {
                    @for day in &days.days {
                        tr {
                            th scope="row" { (day.number) }
                            td { (day.events()) }
                            @for events in day.levels { td { (events) } }
                        }
                    }
                }
            }
        }
    }
}

fn shown_heat(heat: &Heat) -> Markup {
    html! {
        h3 { (heat.title) }
        div .scroll tabindex="0" role="group" aria-label=(heat.title) {
            table .heat {
                thead {
                    tr {
                        td {}
                        @for hour in 0..24 { th scope="col" { (format!("{hour:02}")) } }
                    }
                }
                tbody {
                    @for (name, hours) in heat.weekdays.iter().zip(&heat.hours) {
                        tr {
                            th scope="row" { (name) }
                            @for events in hours {
                                td .{ "h" (heat.shade(*events)) } { @if *events > 0 { (events) } }
                            }
                        }
                    }
                }
            }
        }
        p .soft { (heat.told) }
    }
}

fn shown_table(table: &Table, is_alone: bool) -> Markup {
    html! {
        @if !is_alone { h3 { (table.title) } }
        div .scroll tabindex="0" role="group" aria-label=(table.title) {
            table .figures {
                thead {
                    tr {
                        @for column in &table.head {
                            @if column.kind == Kind::Bar { td {} }
                            @else { th scope="col" .number[column.kind == Kind::Number] { (column.title) } }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr { @for (at, (cell, column)) in row.iter().zip(&table.head).enumerate() {
                            (shown_cell(cell, column, at == 0))
                        } }
                    }
                }
            }
        }
    }
}

fn shown_cell(cell: &Cell, column: &Column, is_name: bool) -> Markup {
    html! {
        @match cell {
            Cell::Text(text) if is_name => { th scope="row" { (text) } }
            Cell::Text(text) => { td .number[column.kind == Kind::Number] { (text) } }
            Cell::Bar(levels) => { td { (bar(levels)) } }
        }
    }
}

/// It says what a number beside it says.
fn bar(levels: &[f32; 4]) -> Markup {
    let starts = levels.iter().scan(0.0, |sum, share| {
        let start = *sum;
        *sum += f64::from(*share) * 100.0;
        Some(start)
    });
    html! {
        svg .bar viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            @for ((start, share), class) in starts.zip(levels).zip(LEVELS) {
                @if *share > 0.0 {
                    rect .(class) x=(short(start)) width=(short(f64::from(*share) * 100.0)) height="8" {}
                }
            }
        }
    }
}

const LEVELS: [&str; 4] = ["r1", "r2", "r3", "r4"];

fn short(number: f64) -> String {
    format!("{number:.1}")
}
