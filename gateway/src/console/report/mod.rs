//! `/reports`, `/reports/2026-11` and `/reports/2026-11.pdf`: what a month came to.
//!
//! The paper is made from the journal when somebody asks, beside this thread and one at a time; [`sheet`]
//! shows it as a page. `?lang=en` chooses the language.

mod sheet;

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::report::month::Month;
use maud::html;

use super::failure::Failure;
use super::guard::Reader;
use super::page::{self, Frame, Here, translated};
use super::words::report::ReportWords;
use super::{Console, Snapshot};
use crate::accounts::Principal;
use crate::report::collect::{NoReport, Wanted};

/// Months in the list.
const MONTHS: usize = 36;

/// `GET /reports`.
pub(super) async fn list(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
) -> Response {
    let since = match console.reports.known_since().await {
        Ok(since) => since,
        Err(error) => return failed(&error, &reader),
    };
    let snapshot = console.snapshot_for(&principal);
    let language = reader.language;
    let words = ReportWords::of(language);
    let offset = snapshot.community.calendar.as_ref().map(|c| c.time_zone).unwrap_or_default();
    let last = Month::at(snapshot.now, offset);
    let first = since.and_then(|since| Month::at(since, offset)).or(last);
    let months = std::iter::successors(last, |month| month.before())
        .take_while(|month| first.is_none_or(|first| *month >= first))
        .take(MONTHS);
    let main = html! {
        main #main .reports tabindex="-1" {
            h1 { (words.reports) }
            p { (words.told) }
            ul role="list" {
                @for month in months {
                    li {
                        a href={ "/reports/" (month) } { (translated(&month.title(), language)) }
                        @if Some(month) == last { " " span .tag { (words.running) } }
                        " "
                        (downloads(month, language))
                    }
                }
            }
        }
    };
    page::html(page::full(&snapshot, language, Here::Reports, &main)).into_response()
}

/// `GET /reports/2026-11` and `GET /reports/2026-11.pdf`.
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
) -> Response {
    let (name, is_pdf) = match name.strip_suffix(".pdf") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let Ok(month) = name.parse::<Month>() else { return Failure::NotFound.answer(&reader) };
    let snapshot = console.snapshot_for(&principal);
    let community = Arc::clone(&snapshot.community);
    let wanted = Wanted { community, month, language: reader.language, now: snapshot.now };
    if is_pdf {
        return match console.reports.pdf(wanted).await {
            Ok(pdf) => {
                let name = format!("inline; filename=\"gatehouse-{month}.pdf\"");
                let kind = "application/pdf".to_owned();
                ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], pdf.to_vec())
                    .into_response()
            }
            Err(error) => failed(&error, &reader),
        };
    }
    match console.reports.paper(wanted).await {
        Ok(paper) => {
            let title = format!("{} {}", paper.month, paper.kind);
            let address = format!("/reports/{month}");
            let frame = Frame { here: Here::Reports, title: &title, address: &address, feed: "" };
            let main = sheet::main(&paper, &around(month, &snapshot, reader.language));
            page::html(page::framed(&snapshot, reader.language, frame, &main)).into_response()
        }
        Err(error) => failed(&error, &reader),
    }
}

/// The way to other months, and to paper.
fn around(month: Month, snapshot: &Snapshot, language: Language) -> maud::Markup {
    let words = ReportWords::of(language);
    let offset = snapshot.community.calendar.as_ref().map(|c| c.time_zone).unwrap_or_default();
    let after = month.after().filter(|after| after.begins(offset) <= snapshot.now);
    html! {
        p .around {
            a href="/reports" { (words.all) }
            @if let Some(before) = month.before() { a href={ "/reports/" (before) } { (words.before) } }
            @if let Some(after) = after { a href={ "/reports/" (after) } { (words.after) } }
            (downloads(month, language))
        }
    }
}

fn downloads(month: Month, language: Language) -> maud::Markup {
    let words = ReportWords::of(language);
    let (own, other) = match language {
        Language::Zh => ("zh", "en"),
        Language::En => ("en", "zh"),
    };
    let title = translated(&month.title(), language).to_owned();
    html! {
        span .papers {
            a .paper href={ "/reports/" (month) ".pdf?lang=" (own) } {
                (words.print) span .quiet { " " (title) }
            }
            a .paper href={ "/reports/" (month) ".pdf?lang=" (other) } hreflang=(other) {
                (words.print_other) span .quiet { " " (title) }
            }
        }
    }
}

fn failed(error: &NoReport, reader: &Reader) -> Response {
    tracing::warn!(%error, "a report could not be made");
    let words = ReportWords::of(reader.language);
    let page = page::notice(reader.language, words.failed, words.failed_hint);
    (StatusCode::SERVICE_UNAVAILABLE, page::html(page)).into_response()
}
