//! `/people`: who is on duty now, the teams, their people and shifts, and how long an event may wait.
//!
//! Names and addresses are personal data: who may not act on events sees how many there are, and no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Html;
use gatehouse_core::alert::standing::{Standing, Trouble};
use gatehouse_core::community::calendar::dates::Hours;
use gatehouse_core::community::people::{Person, ShiftDays, Team, on_duty};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::scene::Tier;
use gatehouse_core::reading::Timestamp;
use maud::{Markup, html};

use super::guard::Reader;
use super::page::{self, Here, area_title, may, translated};
use super::words::Words;
use super::words::site::SiteWords;
use super::{Console, Snapshot};
use crate::accounts::{Principal, Right};

/// `GET /people`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
) -> Html<String> {
    let snapshot = console.snapshot_for(&principal);
    let language = reader.language;
    let words = SiteWords::of(language);
    let duties = &snapshot.community.duties;
    let is_shown = may(&snapshot, Right::Act);
    let main = html! {
        main #main tabindex="-1" {
            h1 { (words.people) }
            @if !is_shown { p .lead { (words.hidden) } }
            div #people data-live {
                @if duties.teams.is_empty() && duties.people.is_empty() {
                    p .calm { (words.no_people) }
                } @else {
                    (now(&snapshot, is_shown, language))
                    (teams(&snapshot, is_shown, language))
                    @if is_shown { (people(&snapshot, language)) }
                }
                @if is_shown && let Some(alerts) = &console.sources.alerts {
                    (channels(&snapshot, &alerts.standings.borrow(), language))
                }
                (waits(&snapshot, language))
            }
        }
    };
    page::html(page::full(&snapshot, language, Here::People, &main))
}

/// Who is called when something happens now, by tier and area.
fn now(snapshot: &Snapshot, is_shown: bool, language: Language) -> Markup {
    let words = SiteWords::of(language);
    let community = &snapshot.community;
    html! {
        section .panel aria-labelledby="on-duty" {
            h2 #on-duty { (words.on_duty) }
            div .scroll tabindex="0" role="group" aria-label=(words.on_duty) {
                table .duty {
                    thead {
                        tr {
                            th scope="col" { (words.area) }
                            @for each in TIERS { th scope="col" { (tier(language, each)) } }
                        }
                    }
                    tbody {
                        @for area in &community.areas {
                            tr {
                                th scope="row" { (translated(&area.title, language)) }
                                @for each in TIERS {
                                    @let people = on_duty(community, each, &area.id, snapshot.now);
                                    @let is_somebodys =
                                        community.duties.teams.iter().any(|team| team.tier == each);
                                    td {
                                        @if is_somebodys { (called(&people, is_shown, words)) } @else { "–" }
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

fn called(people: &[&Person], is_shown: bool, words: &SiteWords) -> Markup {
    html! {
        @if people.is_empty() {
            span .bad { (words.nobody) }
        } @else if is_shown {
            (people.iter().map(|person| person.name.as_str()).collect::<Vec<_>>().join(", "))
        } @else {
            (people.len())
        }
    }
}

fn teams(snapshot: &Snapshot, is_shown: bool, language: Language) -> Markup {
    let words = SiteWords::of(language);
    let community = &snapshot.community;
    let duties = &community.duties;
    let areas = |team: &Team| {
        if team.areas.is_empty() {
            return words.every.to_owned();
        }
        let titles = team.areas.iter().map(|id| area_title(community, id, language));
        titles.collect::<Vec<_>>().join(", ")
    };
    html! {
        h2 .above { (words.teams) }
        ul .teams role="list" {
            @for team in &duties.teams {
                @let members = duties.people.iter().filter(|person| person.teams.contains(&team.id));
                @let members: Vec<&Person> = members.collect();
                li .panel {
                    h3 { (translated(&team.title, language)) }
                    p .where { span { (tier(language, team.tier)) } span { (areas(team)) } }
                    p { (called(&members, is_shown, words)) }
                    @for shift in duties.shifts.iter().filter(|shift| shift.team == team.id) {
                        @let on: Vec<&Person> =
                            shift.people.iter().filter_map(|id| duties.person(id)).collect();
                        p .reason {
                            (hours(shift.hours, words)) " · " (days(language, shift.days)) " · "
                            (called(&on, is_shown, words))
                        }
                    }
                }
            }
        }
    }
}

fn people(snapshot: &Snapshot, language: Language) -> Markup {
    let words = SiteWords::of(language);
    let duties = &snapshot.community.duties;
    let team = |id: &String| {
        duties.team(id).map_or_else(|| id.clone(), |t| translated(&t.title, language).to_owned())
    };
    html! {
        section .panel aria-labelledby="all-people" {
            h2 #all-people { (words.all_people) }
            div .scroll tabindex="0" role="group" aria-label=(words.all_people) {
                table {
                    thead {
                        tr {
                            th scope="col" { (words.name) }
                            th scope="col" { (words.teams) }
                            th scope="col" { (words.reached) }
                            th scope="col" { (words.account) }
                        }
                    }
                    tbody {
                        @for person in &duties.people {
                            tr {
                                th scope="row" { (person.name) }
                                td { (person.teams.iter().map(team).collect::<Vec<_>>().join(", ")) }
                                td {
                                    @if person.alerts.is_empty() { "–" }
                                    @for alert in &person.alerts {
                                        p {
                                            (alert.channel)
                                            @if !alert.address.is_empty() { " " span .id { (alert.address) } }
                                            @if alert.hours.is_some() {
                                                " " small { (hours(alert.hours, words)) }
                                            }
                                        }
                                    }
                                }
                                td { (person.account.as_deref().unwrap_or("–")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How each channel stands: when it last delivered, and when not and why.
fn channels(
    snapshot: &Snapshot,
    standings: &BTreeMap<String, Standing>,
    language: Language,
) -> Markup {
    let words = SiteWords::of(language);
    let since = |at: Option<Timestamp>| {
        html! {
            @match at {
                Some(at) => { (page::ago(snapshot, at, language)) }
                None => { "–" }
            }
        }
    };
    html! {
        section .panel aria-labelledby="channels" {
            h2 #channels { (words.channels) }
            div .scroll tabindex="0" role="group" aria-label=(words.channels) {
                table {
                    thead {
                        tr {
                            th scope="col" { (words.channel) }
                            th scope="col" { (words.state) }
                            th scope="col" { (words.delivered) }
                            th scope="col" { (words.not_delivered) }
                            th scope="col" { (words.said) }
                        }
                    }
                    tbody {
                        @for (channel, standing) in standings {
                            tr {
                                th scope="row" .id { (channel) }
                                td {
                                    @match standing.trouble() {
                                        None => { (words.works) }
                                        Some(trouble) => { span .bad { (told(trouble, words)) } }
                                    }
                                }
                                td { (since(standing.delivered)) }
                                td { (since(standing.failed)) }
                                td { @if standing.why.is_empty() { "–" } @else { (standing.why) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn told(trouble: Trouble, words: &SiteWords) -> &'static str {
    match trouble {
        Trouble::Unreachable => words.unreachable,
        Trouble::Misconfigured => words.misconfigured,
        Trouble::Refused => words.rejects,
    }
}

/// How long an event waits before the next tier is called.
fn waits(snapshot: &Snapshot, language: Language) -> Markup {
    let (words, common) = (SiteWords::of(language), Words::of(language));
    let duties = &snapshot.community.duties;
    html! {
        @if duties.times(1).is_some() {
            section .panel aria-labelledby="waits" {
                h2 #waits { (words.escalation) }
                div .scroll tabindex="0" role="group" aria-label=(words.escalation) {
                    table {
                        thead {
                            tr {
                                th scope="col" { (words.level) }
                                th scope="col" { (words.to_acknowledge) }
                                th scope="col" { (words.to_handle) }
                                th scope="col" { (words.to_review) }
                            }
                        }
                        tbody {
                            @for level in 1..=4_u8 {
                                @if let Some(times) = duties.times(level) {
                                    @let (numeral, name) = common.level(level);
                                    tr {
                                        th scope="row" { (numeral) " " (name) }
                                        td { (common.age(times.acknowledge)) }
                                        td { (common.age(times.handle)) }
                                        td { (common.age(times.review)) }
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

const TIERS: [Tier; 3] = [Tier::Grid, Tier::Community, Tier::Township];

fn tier(language: Language, tier: Tier) -> &'static str {
    let (zh, en) = match tier {
        Tier::Grid => ("网格", "Grid"),
        Tier::Community => ("社区", "Community"),
        Tier::Township => ("街镇", "Township"),
    };
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

fn hours(hours: Option<Hours>, words: &SiteWords) -> String {
    hours.map_or_else(|| words.always.to_owned(), |hours| hours.to_string())
}

fn days(language: Language, days: ShiftDays) -> &'static str {
    let (zh, en) = match days {
        ShiftDays::All => ("每天", "every day"),
        ShiftDays::Business => ("工作日", "business days"),
        ShiftDays::Other => ("休息日和节假日", "days off"),
    };
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_act_sees_how_many_there_are_and_no_names() {
        let person: Person = toml::from_str("id = \"li\"\nname = \"李<卫>国\"\n").unwrap();
        let words = SiteWords::of(Language::En);

        assert_eq!(called(&[&person], true, words).0, "李&lt;卫&gt;国");
        assert_eq!(called(&[&person, &person], false, words).0, "2");
        assert!(called(&[], true, words).0.contains("nobody"));
    }
}
