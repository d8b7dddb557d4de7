//! `/map`: the community from above: areas by what is open in them or by their last thirty days, and every
//! device. The drawing is for eyes and hands; the lists below it say the same to everybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::Html;
use gatehouse_core::community::Device;
use gatehouse_core::community::quantity::Language;
use maud::{Markup, html};
use serde::Deserialize;

use super::bays::lots;
use super::devices::{Condition, condition, configured};
use super::figures::{count, fingerprint};
use super::guard::Reader;
use super::page::{self, Here, ago, device_title, translated};
use super::place;
use super::plan::{Plan, WIDTH};
use super::words::Words;
use super::words::site::SiteWords;
use super::{Console, Snapshot};
use crate::accounts::Principal;

/// Steps of the heat, palest first.
const STEPS: usize = 5;

/// What the areas are coloured by.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// `heat`: the last thirty days; else what is open.
    show: String,
}

/// An area as the map shows it.
#[derive(Debug, Default, Clone)]
struct Standing {
    open: usize,
    /// Of the open events; 1 most urgent.
    worst: Option<u8>,
    devices: usize,
    silent: usize,
    doubtful: usize,
    /// Events of the last thirty days; `None` while they are counted.
    heat: Option<u64>,
}

/// `GET /map`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Html<String> {
    let snapshot = console.snapshot_for(&principal);
    let language = reader.language;
    let words = SiteWords::of(language);
    let by_heat = wanted.is_ok_and(|Query(wanted)| wanted.show == "heat");
    let heat = console.heat(snapshot.now).await;
    let standings = standings(&snapshot, heat.as_ref());
    let place = html! {
        div .panel.drawing {
            (drawing(&snapshot, &standings, by_heat, language))
            (legend(&standings, by_heat, language))
        }
        (areas(&snapshot, &standings, language))
    };
    let main = html! {
        main #main tabindex="-1" {
            h1 { (words.map) }
            p .filter {
                a href="/map" aria-current=[(!by_heat).then_some("true")] { (words.by_events) }
                a href="/map?show=heat" aria-current=[by_heat.then_some("true")] { (words.by_heat) }
            }
            div #map data-live {
                div .beside data-key="place" data-rev=(format!("{:x}", fingerprint(place.0.as_bytes()))) {
                    (place)
                }
                (everything(&snapshot, language))
            }
            @if !lots(&snapshot).is_empty() {
                p .further { a href="/bays" { (words.bays) } }
            }
        }
    };
    page::html(page::full(&snapshot, language, Here::Map, &main))
}

fn standings(snapshot: &Snapshot, heat: Option<&BTreeMap<String, u64>>) -> Vec<Standing> {
    let community = &snapshot.community;
    let mut standings: Vec<Standing> = community
        .areas
        .iter()
        .map(|area| Standing {
            heat: heat.map(|heat| heat.get(&area.id).copied().unwrap_or(0)),
            ..Standing::default()
        })
        .collect();
    for event in place::open(snapshot) {
        let at = community.areas.iter().position(|area| area.id == event.data.area);
        if let Some(standing) = at.and_then(|at| standings.get_mut(at)) {
            standing.open += 1;
            let worst = standing.worst.unwrap_or(u8::MAX);
            standing.worst = Some(worst.min(event.data.level.clamp(1, 4)));
        }
    }
    for view in &snapshot.view.devices {
        let device = configured(community, view);
        let standing = device.and_then(|(_, device)| standings.get_mut(device.area));
        let Some(standing) = standing else { continue };
        standing.devices += 1;
        match condition(community, view) {
            Condition::Well => {}
            Condition::Doubtful => standing.doubtful += 1,
            Condition::Silent => standing.silent += 1,
        }
    }
    standings
}

/// How many events the darkest step of the heat stands for.
fn hottest(standings: &[Standing]) -> u64 {
    standings.iter().filter_map(|standing| standing.heat).max().unwrap_or(0)
}

/// Which step of the heat an area has: 0 for none at all, and even parts of the most.
fn step(heat: u64, hottest: u64) -> usize {
    match heat {
        0 => 0,
        heat => {
            let part = (heat - 1) * (STEPS as u64 - 1) / hottest.max(1);
            1 + usize::try_from(part).unwrap_or(0)
        }
    }
}

fn drawing(
    snapshot: &Snapshot,
    standings: &[Standing],
    by_heat: bool,
    language: Language,
) -> Markup {
    let community = &snapshot.community;
    let plan = Plan::of(community);
    let hottest = hottest(standings);
    let mut alarmed: BTreeMap<&str, u8> = BTreeMap::new();
    for event in place::open(snapshot).map(|event| &event.data) {
        for device in event.affected.iter().chain([&event.device]) {
            let level = alarmed.entry(device).or_insert(u8::MAX);
            *level = (*level).min(event.level.clamp(1, 4));
        }
    }
    html! {
        svg .plan viewBox=(format!("0 0 {WIDTH} {:.0}", plan.height)) aria-hidden="true" focusable="false" {
            @for ((area, shape), standing) in community.areas.iter().zip(&plan.areas).zip(standings) {
                @let colour = if by_heat {
                    format!("heat-{}", step(standing.heat.unwrap_or(0), hottest))
                } else {
                    standing.worst.map_or("calm-area".to_owned(), |worst| format!("level-{worst}"))
                };
                g class=(colour) {
                    polygon points=(points(&shape.corners)) {
                        title { (translated(&area.title, language)) }
                    }
                    text .name x=(coordinate(shape.name[0])) y=(coordinate(shape.name[1])) {
                        (translated(&area.title, language))
                        tspan .number dx="0.5em" { (label(standing, by_heat, language)) }
                    }
                }
            }
            // What is in an event lies above the others.
            @for is_alarmed in [false, true] {
                @for view in &snapshot.view.devices {
                    @let level = alarmed.get(view.id.as_str()).copied();
                    @if level.is_some() == is_alarmed
                        && let Some((at, device)) = configured(community, view)
                        && let Some(spot) = plan.devices.get(at) {
                        @let state = condition(community, view);
                        a href={ "/devices/" (view.id) } tabindex="-1" {
                            title {
                                (named(device, language)) " · " (told(state, language))
                            }
                            @match level {
                                Some(level) => { (disc(*spot, level, language)) }
                                None => { (dot(*spot, plan.radius, state)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn named(device: &Device, language: Language) -> &str {
    let title = translated(&device.title, language);
    if title.is_empty() { &device.id } else { title }
}

/// What stands behind an area's name.
fn label(standing: &Standing, by_heat: bool, language: Language) -> String {
    let words = SiteWords::of(language);
    if by_heat {
        return standing.heat.map_or_else(|| words.counting.to_owned(), count);
    }
    match standing.worst {
        Some(worst) => format!("{} × {}", Words::of(language).level(worst).0, standing.open),
        None => String::new(),
    }
}

/// A device: full where all is well, a triangle in doubt, an empty ring when silent.
fn dot([x, y]: [f64; 2], radius: f64, state: Condition) -> Markup {
    let (cx, cy) = (coordinate(x), coordinate(y));
    html! {
        @match state {
            Condition::Well => { circle .dot cx=(cx) cy=(cy) r=(coordinate(radius)) {} }
            Condition::Doubtful => {
                polygon .dot.doubtful points=(points(&[
                    [x, y - radius * 1.25],
                    [x + radius * 1.2, y + radius * 0.9],
                    [x - radius * 1.2, y + radius * 0.9],
                ])) {}
            }
            Condition::Silent => { circle .dot.silent cx=(cx) cy=(cy) r=(coordinate(radius)) {} }
        }
    }
}

/// A device with an open event: its level's numeral, large enough to be read on a phone.
fn disc([x, y]: [f64; 2], level: u8, language: Language) -> Markup {
    html! {
        g class={ "level-" (level) } {
            circle .disc cx=(coordinate(x)) cy=(coordinate(y)) r="20" {}
            text .numeral x=(coordinate(x)) y=(coordinate(y)) dy="0.36em" {
                (Words::of(language).level(level).0)
            }
        }
    }
}

fn told(state: Condition, language: Language) -> &'static str {
    let words = Words::of(language);
    match state {
        Condition::Well => SiteWords::of(language).well,
        Condition::Doubtful => SiteWords::of(language).doubtful,
        Condition::Silent => words.silent,
    }
}

fn legend(standings: &[Standing], by_heat: bool, language: Language) -> Markup {
    let words = SiteWords::of(language);
    let hottest = hottest(standings);
    let swatch = |class: &str| {
        html! {
            svg .swatch viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" {
                g class=(class) { polygon points="1,1 23,1 23,23 1,23" {} }
            }
        }
    };
    let shape = |drawn: Markup| {
        html! { svg .swatch viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" { (drawn) } }
    };
    let of = |state: Condition| shape(dot([12.0, 12.0], 5.0, state));
    html! {
        ul .legend role="list" {
            @if by_heat {
                li { (swatch("heat-0")) "0" }
                @for part in 1..STEPS {
                    @let (from, to) = part_of(part, hottest);
                    @if from <= to {
                        li {
                            (swatch(&format!("heat-{part}")))
                            (count(from)) @if to > from { "–" (count(to)) }
                        }
                    }
                }
                li .quietly { (words.in_thirty_days) }
            } @else {
                li { (swatch("calm-area")) (words.nothing_open) }
                @for level in 1..=4_u8 {
                    @let (numeral, name) = Words::of(language).level(level);
                    li { (swatch(&format!("level-{level}"))) (numeral) " " (name) }
                }
            }
            li { (of(Condition::Well)) (words.well) }
            li { (of(Condition::Doubtful)) (words.doubtful) }
            li { (of(Condition::Silent)) (Words::of(language).silent) }
            li { (shape(html! { g .level-1 { circle .disc cx="12" cy="12" r="11" {} } })) (words.in_an_event) }
        }
    }
}

/// The counts that a step of the heat stands for; backwards where there is none.
fn part_of(part: usize, hottest: u64) -> (u64, u64) {
    let (part, parts) = (part as u64, STEPS as u64 - 1);
    (((part - 1) * hottest).div_ceil(parts) + 1, (part * hottest).div_ceil(parts))
}

/// What is open and how each area does: the drawing in words.
fn areas(snapshot: &Snapshot, standings: &[Standing], language: Language) -> Markup {
    let words = SiteWords::of(language);
    let common = Words::of(language);
    let community = &snapshot.community;
    html! {
        section .panel.in-words aria-labelledby="in-words" {
            h2 #in-words { (words.areas) }
            ul role="list" {
                @for (area, standing) in community.areas.iter().zip(standings) {
                    li .part {
                        h3 {
                            a href={ "/devices?area=" (area.id) } { (translated(&area.title, language)) }
                            @if let Some(worst) = standing.worst {
                                span .{ "level-" (worst) } {
                                    span .badge {
                                        (common.level(worst).0) " × " (standing.open)
                                    }
                                }
                            }
                        }
                        p .where {
                            span { (standing.devices) " " (words.of_devices) }
                            @if standing.silent > 0 {
                                span .bad { (standing.silent) " " (common.silent) }
                            }
                            @if standing.doubtful > 0 {
                                span .bad { (standing.doubtful) " " (words.doubtful) }
                            }
                            span {
                                (words.thirty_days) " "
                                (standing.heat.map_or_else(|| words.counting.to_owned(), count))
                            }
                        }
                        @let open = || place::open(snapshot).filter(|e| e.data.area == area.id);
                        @if open().next().is_some() {
                            ul role="list" .open-here {
                                @for event in open() {
                                    li class={ "level-" (event.data.level.clamp(1, 4)) } {
                                        span .badge { (common.level(event.data.level).0) }
                                        a href={ "/events/" (event.data.event) } {
                                            (translated(&event.data.title, language))
                                        }
                                        span .reason {
                                            (device_title(community, &event.data.device, language)) " · "
                                            (ago(snapshot, event.started, language))
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Every device with its state, for those who do not see the drawing.
fn everything(snapshot: &Snapshot, language: Language) -> Markup {
    let words = SiteWords::of(language);
    let community = &snapshot.community;
    let rows = html! {
        @for view in &snapshot.view.devices {
            @let device = configured(community, view).map(|(_, device)| device);
            @let area = device.and_then(|d| community.areas.get(d.area));
            tr {
                th scope="row" {
                    a href={ "/devices/" (view.id) } {
                        (device.map_or(&*view.id, |device| named(device, language)))
                    }
                }
                td { (area.map_or(Words::of(language).unknown_area, |a| translated(&a.title, language))) }
                td { (told(condition(community, view), language)) }
            }
        }
    };
    let rev = format!("{:x}", fingerprint(rows.0.as_bytes()));
    html! {
        div data-key="everything" data-rev=(rev) {
            details .panel.every {
                summary { (words.as_table) " (" (snapshot.view.devices.len()) ")" }
                div .scroll tabindex="0" role="group" aria-label=(words.as_table) {
                    table {
                        thead {
                            tr {
                                th scope="col" { (words.device) }
                                th scope="col" { (words.area) }
                                th scope="col" { (words.state) }
                            }
                        }
                        tbody { (rows) }
                    }
                }
            }
        }
    }
}

fn points(corners: &[[f64; 2]]) -> String {
    let one = |[x, y]: &[f64; 2]| format!("{},{}", coordinate(*x), coordinate(*y));
    corners.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// A tenth of a unit is finer than a screen.
fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_falls_into_the_step_that_the_legend_names() {
        for hottest in [1, 2, 3, 7, 40, 1_003] {
            for heat in 1..=hottest {
                let at = step(heat, hottest);
                let (from, to) = part_of(at, hottest);
                assert!((1..STEPS).contains(&at), "{heat} of {hottest}: {at}");
                assert!((from..=to).contains(&heat), "{heat} of {hottest}: {from} to {to}");
            }
        }
        assert_eq!(step(0, 9), 0);
    }
}
