//! `/audit` and `/audit/export`: who did what on this box, whether the chain holds, and the log as a file.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::reading::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::failure::Failure;
use super::figures::count;
use super::guard::{Reader, escaped};
use super::page::{self, Here, ago};
use super::words::site::SiteWords;
use super::{Console, Snapshot};
use crate::accounts::{Principal, Right};
use crate::audit::{Filter, Line, Outcome};

/// Lines of one page.
const LINES: usize = 50;
/// Lines of an export; `gatehouse` itself reads the files without such a bound.
const MOST: usize = 100_000;

/// Which lines; all when empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    who: String,
    action: String,
    about: String,
    before: Option<u64>,
}

impl Wanted {
    fn filter(&self, many: usize) -> Filter {
        let some = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Filter {
            who: some(&self.who),
            action: some(&self.action),
            about: some(&self.about),
            before: self.before,
            many,
        }
    }

    /// The same query from that line on into the past.
    fn address(&self, path: &str, before: Option<u64>) -> String {
        let fields = [("who", &self.who), ("action", &self.action), ("about", &self.about)];
        let fields = fields.into_iter().filter(|(_, text)| !text.is_empty());
        let mut query: Vec<String> =
            fields.map(|(name, text)| format!("{name}={}", escaped(text))).collect();
        query.extend(before.map(|before| format!("before={before}")));
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }
}

/// `GET /audit`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    if !principal.may(Right::SeeAudit) {
        return Failure::NotAllowed.answer(&reader);
    }
    let snapshot = console.snapshot_for(&principal);
    let language = reader.language;
    let words = SiteWords::of(language);
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let audit = &console.sources.audit;
    let found = audit.recent(wanted.filter(LINES + 1)).await;
    let chain = audit.verify().await;
    let main = html! {
        main #main tabindex="-1" {
            h1 { (words.audit) }
            p .lead { (words.audit_hint) }
            p .chain {
                @match &chain {
                    Ok(lines) => {
                        span .good { (words.chain_whole) } " · " (count(*lines)) " " (words.lines)
                    }
                    Err(error) => { span .bad { (words.chain_broken) } " " span .reason { (error) } }
                }
                " · " a href=(wanted.address("/audit/export", None)) download { (words.export) }
            }
            (search(&wanted, words))
            @match found {
                Ok(lines) => (listed(&snapshot, &wanted, &lines, language)),
                Err(error) => p .bad { (error) },
            }
        }
    };
    page::html(page::full(&snapshot, language, Here::Audit, &main)).into_response()
}

/// `GET /audit/export`: the wanted lines, newest first, as JSON lines.
pub(super) async fn export(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    if !principal.may(Right::SeeAudit) {
        return Failure::NotAllowed.answer(&reader);
    }
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let Ok(lines) = console.sources.audit.recent(wanted.filter(MOST)).await else {
        return Failure::NotHeard.answer(&reader);
    };
    let mut text = String::new();
    for line in &lines {
        // A line was JSON before.
        text += &serde_json::to_string(line).unwrap_or_default();
        text.push('\n');
    }
    let kind = (header::CONTENT_TYPE, "application/x-ndjson; charset=utf-8");
    let name = (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.jsonl\"");
    ([kind, name], text).into_response()
}

fn search(wanted: &Wanted, words: &SiteWords) -> Markup {
    html! {
        form .narrow method="get" action="/audit" role="search" {
            label { (words.who) input type="search" name="who" value=(wanted.who) maxlength="80"; }
            label { (words.action) input type="search" name="action" value=(wanted.action) maxlength="80"; }
            label { (words.about) input type="search" name="about" value=(wanted.about) maxlength="80"; }
            button type="submit" { (words.look) }
        }
    }
}

fn listed(snapshot: &Snapshot, wanted: &Wanted, lines: &[Line], language: Language) -> Markup {
    let words = SiteWords::of(language);
    let (shown, rest) = lines.split_at(lines.len().min(LINES));
    html! {
        @if shown.is_empty() { p .calm { (words.no_lines) } }
        ol .log role="list" {
            @for line in shown {
                li .panel {
                    p .head {
                        b .id { (line.action) }
                        @match line.outcome {
                            Outcome::Done => span .good { (words.done) },
                            Outcome::Refused => span .bad { (words.refused_it) },
                            Outcome::Failed => span .bad { (words.failed) },
                        }
                        span .age {
                            @match line.at.parse::<Timestamp>() {
                                Ok(at) => (ago(snapshot, at, language)),
                                Err(_) => (line.at),
                            }
                        }
                    }
                    p {
                        (line.who)
                        @if !line.about.is_empty() { " → " span .id { (line.about) } }
                    }
                    @if !line.detail.is_empty() { p .reason { (line.detail) } }
                    p .reason { "#" (line.n) " · " time datetime=(line.at) { (line.at) } }
                }
            }
        }
        p .further {
            @if wanted.before.is_some() {
                a href=(wanted.address("/audit", None)) { (words.newest) }
            }
            @if let Some(last) = shown.last().filter(|_| !rest.is_empty()) {
                a href=(wanted.address("/audit", Some(last.n))) { (words.older) }
            }
        }
    }
}
