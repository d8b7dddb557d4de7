//! Which events somebody wants to see: the query of the inbox, its form, and what that means for open
//! events and for the store.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::scene::Status;
use gatehouse_core::event::message::{EventData, Stage, State};
use gatehouse_core::reading::Timestamp;
use gatehouse_core::view::EventView;
use maud::{Markup, html};
use serde::Deserialize;

use crate::accounts::Right;
use crate::console::Snapshot;
use crate::console::guard::escaped;
use crate::console::page::{may, translated};
use crate::console::words::Words;
use crate::console::words::inbox::{InboxWords, STAGES};
use crate::store::{Filter, Place};

/// The query of the inbox; a field that is empty, or says nothing that we know, leaves nothing out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct Wanted {
    pub text: String,
    pub level: String,
    pub area: String,
    pub scene: String,
    pub stage: String,
    /// Where a page of the past begins.
    pub before: String,
    /// What is to be told.
    pub notice: String,
}

impl Wanted {
    fn level(&self) -> Option<u8> {
        self.level.parse().ok().filter(|level| (1..=4).contains(level))
    }

    fn stage(&self) -> Option<Stage> {
        STAGES.into_iter().find(|stage| stage.word() == self.stage)
    }

    /// Whether anything is left out.
    pub(in crate::console) fn is_narrow(&self) -> bool {
        let fields = [&self.text, &self.area, &self.scene];
        fields.into_iter().any(|field| !field.trim().is_empty())
            || self.level().is_some()
            || self.stage().is_some()
    }

    pub(in crate::console) fn place(&self) -> Option<Place> {
        let (opened, event) = self.before.split_once('-')?;
        Some(Place { opened: Timestamp(opened.parse().ok()?), event: event.to_owned() })
    }

    /// The address of a page with the same choice.
    pub(in crate::console) fn address(&self, path: &str) -> String {
        let fields = [
            ("text", &self.text),
            ("level", &self.level),
            ("area", &self.area),
            ("scene", &self.scene),
            ("stage", &self.stage),
        ];
        let mut address = path.to_owned();
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.trim().is_empty()) {
            let sign = if address.contains('?') { '&' } else { '?' };
            write!(address, "{sign}{name}={}", escaped(value.trim()))
                .expect("a String takes all that is written to it");
        }
        address
    }

    /// The open events that the reader may see and wants to: first those that wait for a yes, then those
    /// whose condition holds, then those that are gone and wait for a person, last what was put aside.
    pub(in crate::console) fn open<'v>(&self, snapshot: &'v Snapshot) -> Vec<&'v EventView> {
        let filter = self.filter(snapshot);
        let mut events: Vec<&EventView> =
            seen(snapshot).filter(|e| is_undone(e) && wants(&filter, &e.data)).collect();
        // Stable: within each they stay most urgent first.
        events.sort_by_key(|event| match &event.data {
            _ if event.needs_review => 0,
            data if data.handling.shelved_until.is_some() => 3,
            data if data.state == State::Cleared => 2,
            _ => 1,
        });
        events
    }

    /// What the store is asked for.
    pub(in crate::console) fn filter(&self, snapshot: &Snapshot) -> Filter {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Filter {
            text: self.text.trim().to_owned(),
            named: named(&snapshot.community, &self.text),
            scene: some(&self.scene),
            area: some(&self.area),
            level: self.level(),
            stage: self.stage(),
            not_events: open_events(snapshot)
                .filter(|event| is_undone(event))
                .map(|event| event.data.event.clone())
                .collect(),
            ..Filter::default()
        }
    }
}

/// An open event's own fields stand in for its line in the store.
pub(in crate::console) fn wants(filter: &Filter, data: &EventData) -> bool {
    let is_or_any =
        |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
    let text = filter.text.trim().to_lowercase();
    let named = [&data.area, &data.device].into_iter().any(|id| filter.named.contains(id));
    let parts =
        [&data.title.zh, &data.title.en, &data.event, &data.scene, &data.area, &data.device];
    is_or_any(&filter.scene, &data.scene)
        && is_or_any(&filter.area, &data.area)
        && is_or_any(&filter.device, &data.device)
        && filter.category.is_none_or(|category| category == data.category)
        && filter.drill.is_none_or(|drill| drill == data.drill)
        && filter.level.is_none_or(|level| level == data.level)
        && filter.stage.is_none_or(|stage| stage == data.handling.stage)
        && (text.is_empty() || named || parts.iter().any(|p| p.to_lowercase().contains(&text)))
}

/// Areas and devices whose names hold the text.
pub(in crate::console) fn named(community: &Community, text: &str) -> BTreeSet<String> {
    let text = text.trim().to_lowercase();
    if text.is_empty() {
        return BTreeSet::new();
    }
    let areas = community.areas.iter().map(|area| (&area.id, &area.title));
    let devices = community.devices.iter().map(|device| (&device.id, &device.title));
    areas
        .chain(devices)
        .filter(|(_, title)| {
            title.zh.to_lowercase().contains(&text) || title.en.to_lowercase().contains(&text)
        })
        .map(|(id, _)| id.clone())
        .collect()
}

/// Whether somebody has to do something; one that was dismissed may go on for long.
fn is_undone(event: &EventView) -> bool {
    !event.data.handling.stage.is_over()
}

/// Events that are open, or gone and wait for a person.
pub(in crate::console) fn open_events(snapshot: &Snapshot) -> impl Iterator<Item = &EventView> {
    snapshot.view.events.iter().chain(&snapshot.view.returned)
}

/// Those that the reader may see.
pub(in crate::console) fn seen(snapshot: &Snapshot) -> impl Iterator<Item = &EventView> {
    let sees_pilots = may(snapshot, Right::SeePilots);
    open_events(snapshot).filter(move |event| sees_pilots || !event.is_pilot)
}

/// The form; works without any script.
pub(super) fn form(snapshot: &Snapshot, wanted: &Wanted, language: Language) -> Markup {
    let words = InboxWords::of(language);
    let community = &snapshot.community;
    let levels = (1..=4).map(|level: u8| {
        let (numeral, name) = Words::of(language).level(level);
        (level.to_string(), format!("{numeral} {name}"))
    });
    let areas =
        community.areas.iter().map(|a| (a.id.clone(), translated(&a.title, language).to_owned()));
    let sees_pilots = may(snapshot, Right::SeePilots);
    let scenes = community.scenes.iter();
    let scenes = scenes.filter(|s| sees_pilots || s.head.status != Status::Pilot);
    let scenes =
        scenes.map(|s| (s.head.id.clone(), translated(&s.head.title, language).to_owned()));
    let stages = STAGES.map(|stage| (stage.word().to_owned(), words.stage(stage).to_owned()));
    html! {
        form .seek method="get" action="/" role="search" aria-label=(words.filter) {
            label .wide {
                span { (words.text) }
                input #seek type="search" name="text" value=(wanted.text) maxlength="80"
                    autocomplete="off";
            }
            (choice("level", words.level, words.any_level, &wanted.level, levels))
            (choice("area", words.area, words.any_area, &wanted.area, areas))
            (choice("scene", words.scene, words.any_scene, &wanted.scene, scenes))
            (choice("stage", words.stage_name, words.any_stage, &wanted.stage, stages.into_iter()))
            div .do {
                button type="submit" { (words.show) }
                @if wanted.is_narrow() { a href="/" { (words.show_all) } }
            }
        }
    }
}

fn choice(
    name: &str,
    label: &str,
    any: &str,
    chosen: &str,
    options: impl Iterator<Item = (String, String)>,
) -> Markup {
    html! {
        label {
            span { (label) }
            select name=(name) {
                option value="" { (any) }
                @for (value, title) in options {
                    option value=(value) selected[value == chosen] { (title) }
                }
            }
        }
    }
}
