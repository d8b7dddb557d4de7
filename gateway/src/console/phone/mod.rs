//! For those on the spot, on a phone: what they are sent to do, and what they report.
//!
//! Somebody with an account opens `/errands` and `/report`. Somebody without one has a personal link,
//! `/p/<token>` ([`crate::alert::link::personal`]), which `community.toml` revokes by having no such person.
//! Both ways lead to the same pages; on these stand a place, what to do and how far it is
//! ([`gatehouse_core::event::view`]), and nobody's name or words.
//!
//! 1. [`errands`]: what was dispatched to that person or one of the teams,
//! 2. [`report`]: a category, an area, a few words; with [`upload`] a picture, where it can be masked,
//! 3. [`answer`]: a resident says whether it is fixed,
//! 4. [`drill`]: a manager begins an exercise.

pub(super) mod answer;
pub(super) mod drill;
mod errands;
mod report;
pub(super) mod upload;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use gatehouse_core::community::quantity::Language;
use maud::{Markup, html};
use tokio::time::Instant;

use super::failure::Failure;
use super::guard::Reader;
use super::inbox::notices::Owner;
use super::page;
use super::words::Words;
use super::words::phone::PhoneWords;
use super::{Console, link};
use crate::accounts::{Principal, Right};
use crate::alert::link::{BadLink, Deed};

/// Reports of one person within [`WHILE`].
const MOST: usize = 10;
const WHILE: Duration = Duration::from_hours(1);

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/errands", get(errands::page).post(errands::act))
        .route("/report", get(report::form).post(report::take))
        .route("/p/{token}", get(errands::page).post(errands::act))
        .route("/p/{token}/report", get(report::form).post(report::take))
        .route("/scenes/{id}/drill", post(drill::start))
}

/// How much each has reported of late, by a clock that nobody can set.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<BTreeMap<Owner, VecDeque<Instant>>>);

impl Pace {
    /// Counts one more; false when it is too many.
    fn allows(&self, owner: Owner, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, times| {
            times.retain(|at| now.saturating_duration_since(*at) < WHILE);
            !times.is_empty()
        });
        let times = all.entry(owner).or_default();
        if times.len() >= MOST {
            return false;
        }
        times.push_back(now);
        true
    }
}

/// Who stands there.
#[derive(Debug)]
struct Visitor {
    /// The account's name or the person's id; as such in the audit log.
    name: String,
    /// The person of `community.toml`, by id.
    person: Option<String>,
    /// Where the errands are, and where the form is.
    errands: String,
    report: String,
    principal: Option<Principal>,
}

impl Visitor {
    fn may_act(&self) -> bool {
        self.principal.as_ref().is_none_or(|principal| principal.may(Right::Act))
    }

    fn owner(&self) -> Owner {
        let person = || Owner::Person(self.name.clone());
        self.principal.as_ref().map_or_else(person, Owner::from)
    }

    fn of_account(console: &Console, principal: Principal) -> Self {
        let community = console.sources.community.borrow();
        let mut people = community.duties.people.iter();
        let person = people.find(|person| person.account.as_ref() == Some(&principal.name));
        Self {
            name: principal.name.clone(),
            person: person.map(|person| person.id.clone()),
            errands: "/errands".to_owned(),
            report: "/report".to_owned(),
            principal: Some(principal),
        }
    }

    fn of_link(console: &Console, token: &str) -> Result<Self, BadLink> {
        let claim = console.sources.links.check(token, console.sources.clock.now())?;
        if claim.deed != Deed::Errands {
            return Err(BadLink::Forged);
        }
        if console.sources.community.borrow().duties.person(&claim.person).is_none() {
            return Err(BadLink::Revoked);
        }
        Ok(Self {
            name: claim.person.clone(),
            person: Some(claim.person),
            errands: format!("/p/{token}"),
            report: format!("/p/{token}/report"),
            principal: None,
        })
    }
}

impl FromRequestParts<Arc<Console>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        console: &Arc<Console>,
    ) -> Result<Self, Response> {
        if let Some(principal) = parts.extensions.get::<Principal>() {
            return Ok(Self::of_account(console, principal.clone()));
        }
        let reader = Extension::<Reader>::from_request_parts(parts, console).await;
        let Extension(reader) = reader.map_err(IntoResponse::into_response)?;
        let Ok(Path(token)) = Path::<String>::from_request_parts(parts, console).await else {
            return Err(Failure::NotFound.answer(&reader));
        };
        Self::of_link(console, &token).map_err(|bad| link::refused(console, bad, &reader))
    }
}

/// How a form is sent that may bring a picture.
fn encoding(console: &Console) -> Option<&'static str> {
    console.sources.pictures.stills.are_allowed().then_some("multipart/form-data")
}

/// The field for a picture, or why there is none.
fn picture(console: &Console, id: &str, language: Language) -> Markup {
    let words = PhoneWords::of(language);
    let hint = format!("{id}-hint");
    html! {
        @if encoding(console).is_some() {
            label {
                span { (words.picture) }
                input type="file" name="picture" accept="image/jpeg" aria-describedby=(hint);
            }
            p .soft id=(hint) { (words.picture_hint) }
        } @else {
            p .soft { (words.no_picture) }
        }
    }
}

/// A page of a visitor: the way to the other one, and for an account back to the console.
fn framed(visitor: &Visitor, language: Language, title: &str, body: &Markup) -> Response {
    let words = PhoneWords::of(language);
    let (tag, name) = Words::of(language).other;
    let main = html! {
        main #main .phone tabindex="-1" {
            nav .ways aria-label=(words.ways) {
                a href=(visitor.errands) aria-current=[(title == words.errands).then_some("page")] {
                    (words.errands)
                }
                a href=(visitor.report) aria-current=[(title == words.report).then_some("page")] {
                    (words.report)
                }
                @if visitor.principal.is_some() { a href="/" { (Words::of(language).events) } }
                a href={ "?lang=" (tag) } lang=(tag) hreflang=(tag) { (name) }
            }
            h1 { (title) }
            (body)
        }
    };
    page::html(page::bare(language, title, &main)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_reports_an_hour_are_read_of_each_and_more_a_while_later() {
        let (pace, now) = (Pace::default(), Instant::now());
        let chen = || Owner::Person("chen".into());
        assert!((0..MOST).all(|_| pace.allows(chen(), now)));
        assert!(!pace.allows(chen(), now) && pace.allows(Owner::Account("chen".into()), now));
        assert!(pace.allows(chen(), now + WHILE));
    }
}
