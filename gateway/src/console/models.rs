//! `/models`: what judges here, and the candidate that runs beside it.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Html;
use gatehouse_core::community::quantity::Language;
use maud::{Markup, html};

use super::camera;
use super::figures::{count, value};
use super::guard::Reader;
use super::page::{self, Here, ago, device_title, translated};
use super::words::Words;
use super::words::models::{ModelWords, broken};
use super::{Console, Snapshot};
use crate::accounts::Principal;
use crate::infer::about;
use crate::infer::manifest::About;
use crate::shadow::PROBATION;
use crate::shadow::account::{Account, By, SceneAccount, Side, Spent};

/// `GET /models`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
) -> Html<String> {
    let snapshot = console.snapshot_for(&principal);
    let language = reader.language;
    let words = ModelWords::of(language);
    let pictures = picture_models(&snapshot).await;
    let main = html! {
        main #main tabindex="-1" {
            h1 { (Words::of(language).models) }
            div #models data-live {
                (running(&snapshot, words))
                (failed(&snapshot, language))
                (camera::models(&snapshot.community, &pictures, language))
                @if let Some(account) = &snapshot.watched.kept.probation {
                    (probation(&snapshot, account, language))
                }
                (candidate(&snapshot, language))
            }
        }
    };
    page::html(page::full(&snapshot, language, Here::Models, &main))
}

/// What the manifests of the installed picture models say.
async fn picture_models(snapshot: &Snapshot) -> Vec<About> {
    let shelves = snapshot.configuration.origins.models.clone();
    let read = move || {
        let all = shelves.names().into_iter().filter_map(|name| about(&shelves, &name).ok());
        all.filter(|about| !about.labels.is_empty()).collect()
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

fn running(snapshot: &Snapshot, words: &ModelWords) -> Markup {
    let configuration = &snapshot.configuration;
    html! {
        section .panel aria-labelledby="running" {
            h2 #running { (words.running) }
            dl .facts {
                dt { (words.bundle) }
                dd {
                    (configuration.bundle.as_deref().unwrap_or(words.no_bundle))
                    @if configuration.is_on_trial { " · " (words.on_trial) }
                }
                dt { (words.engine) }
                dd { (configuration.engine.unwrap_or(words.nobody_asked)) }
                @for model in &snapshot.community.models {
                    dt { (model.name) }
                    dd { (model.version) }
                }
            }
        }
    }
}

/// The last bundle that has not stood its trial.
fn failed(snapshot: &Snapshot, language: Language) -> Markup {
    let words = ModelWords::of(language);
    html! {
        @if let Some(failed) = &snapshot.configuration.failed {
            section .panel.odd aria-labelledby="failed" {
                h2 #failed { (words.installed) ": " (failed.title) }
                p .bad { (words.taken_back) " · " (ago(snapshot, failed.at, language)) }
                p { (translated(&failed.why, language)) }
            }
        }
    }
}

/// How the bundle that was promoted last does, or did.
fn probation(snapshot: &Snapshot, account: &Account, language: Language) -> Markup {
    let words = ModelWords::of(language);
    let age = |time| Words::of(language).age(time);
    html! {
        section .panel.odd[account.broke.is_some()] aria-labelledby="probation" {
            h2 #probation { (words.probation) ": " (account.title) }
            @match &account.broke {
                Some(broke) => {
                    p .bad { (words.taken_back) " · " (ago(snapshot, broke.at, language)) }
                    p { (broken(broke, language)) }
                }
                None if account.ran() >= PROBATION => { p .good { (words.stood) } }
                None => { p { (age(account.ran())) " / " (age(PROBATION)) } }
            }
        }
    }
}

fn candidate(snapshot: &Snapshot, language: Language) -> Markup {
    let words = ModelWords::of(language);
    let watched = &snapshot.watched;
    html! {
        section .panel aria-labelledby="candidate" {
            h2 #candidate {
                (words.candidate)
                @if let Some(account) = &watched.kept.candidate { ": " (account.title) }
            }
            @if let Some(fault) = &watched.fault {
                p .bad { (words.does_not_run) }
                p .reason { (fault) }
            }
            @match &watched.kept.candidate {
                Some(account) => { (compared(snapshot, account, language)) }
                None if watched.fault.is_none() => { p { (words.no_candidate) } }
                None => {}
            }
        }
    }
}

fn compared(snapshot: &Snapshot, account: &Account, language: Language) -> Markup {
    let words = ModelWords::of(language);
    let broke = account.broke.clone();
    let is_stopped = broke.is_some();
    let broke = broke.or_else(|| account.broken(By::Candidate));
    let scenes: Vec<_> = account.scenes.iter().filter(|(_, s)| is_worth_a_row(s)).collect();
    html! {
        @match &broke {
            Some(broke) => {
                p .bad { @if is_stopped { (words.stopped) } @else { (words.breaks) } }
                p { (broken(broke, language)) }
            }
            None => { p .good { (words.within) } }
        }
        dl .facts {
            dt { (words.runs_for) }
            dd { (Words::of(language).age(account.ran())) }
            dt { (words.since) }
            dd { (ago(snapshot, account.since, language)) }
            dt { (words.inputs) }
            dd {
                (count(account.inputs))
                @if account.dropped > 0 {
                    " · " span .bad { (words.holes) " " (count(account.dropped)) }
                }
            }
        }
        @if scenes.is_empty() {
            p { (words.nothing_raised) }
        } @else {
            div .scroll tabindex="0" role="group" aria-label=(words.head[0]) {
                table {
                    thead {
                        tr {
                            @for head in words.head { th scope="col" { (head) } }
                        }
                    }
                    tbody {
                        @for (id, scene) in scenes { (row(id, scene, language)) }
                    }
                }
            }
        }
        (disagreements(snapshot, account, language))
    }
}

fn is_worth_a_row(scene: &SceneAccount) -> bool {
    let says = |side: &Side| side.raised > 0 || side.budget.is_some();
    says(&scene.live) || says(&scene.candidate)
}

fn row(id: &str, scene: &SceneAccount, language: Language) -> Markup {
    let spent = |side: &Side| match &side.budget {
        Some(budget) => format!("{} / {}", budget.raised, budget.likely()),
        None => "–".to_owned(),
    };
    let promised = scene.candidate.budget.as_ref().map_or("–".to_owned(), |b| value(b.per_week));
    let title = translated(&scene.title, language);
    let is_odd = scene.candidate.budget.as_ref().is_some_and(Spent::is_broken);
    html! {
        tr {
            th scope="row" { (if title.is_empty() { id } else { title }) }
            td { (scene.live.raised) }
            td { (scene.candidate.raised) }
            td { (scene.only(By::Live)) }
            td { (scene.only(By::Candidate)) }
            td { (promised) }
            td { (spent(&scene.live)) }
            td .bad[is_odd] { (spent(&scene.candidate)) }
        }
    }
}

/// What only one of them raised, newest first.
fn disagreements(snapshot: &Snapshot, account: &Account, language: Language) -> Markup {
    let words = ModelWords::of(language);
    let mut apart: Vec<_> = account.scenes.values().flat_map(|s| &s.disagreements).collect();
    apart.sort_by_key(|d| std::cmp::Reverse(d.at));
    html! {
        @if !apart.is_empty() {
            details {
                summary { (words.apart) " (" (apart.len()) ")" }
                ul role="list" {
                    @for d in apart {
                        li {
                            span .tag { (match d.by { By::Live => words.only_live, By::Candidate => words.only_candidate }) }
                            " " b { (translated(&d.title, language)) }
                            " · " (device_title(&snapshot.community, &d.device, language))
                            " · " (ago(snapshot, d.at, language))
                        }
                    }
                }
            }
        }
    }
}
