//! `/integrate/listen`: what arrives at a broker on topics that no device claims.
//!
//! The last messages are kept while the page asks for them, and forgotten when it has not for a while.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Redirect, Response};
use gatehouse_core::community::{Address, Community};
use gatehouse_core::draft::Sample;
use maud::{Markup, html};
use tokio::time::Instant;

use super::Visit;
use super::fields::Fields;
use crate::accounts::Principal;
use crate::audit::Outcome;
use crate::console::Console;
use crate::console::guard::Reader;
use crate::source::mqtt::{Heard, listen};

/// Messages that are kept, the last ones.
const MOST_HEARD: usize = 50;
/// Nobody has looked for so long: the listening ends, and what was heard is forgotten.
const UNSEEN: Duration = Duration::from_secs(45);

/// Who listens, at most one at a time.
#[derive(Default)]
pub(in crate::console) struct Ears(Mutex<Option<Ear>>);

#[derive(Clone)]
struct Ear {
    broker: String,
    filter: String,
    heard: VecDeque<Heard>,
    seen: Instant,
    /// Why it has ended.
    end: Option<String>,
    /// Tells one listening from the next.
    begun: Instant,
}

impl Ears {
    fn lock(&self) -> MutexGuard<'_, Option<Ear>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is heard, if it is still that listening.
    fn note(&self, begun: Instant, change: impl FnOnce(&mut Ear)) {
        if let Some(ear) = self.lock().as_mut().filter(|ear| ear.begun == begun) {
            change(ear);
        }
    }

    /// Returns when nobody has looked for a while, or another one listens.
    async fn unseen(&self, begun: Instant) {
        loop {
            let seen = self.lock().as_ref().filter(|ear| ear.begun == begun).map(|ear| ear.seen);
            match seen.map(|seen| seen + UNSEEN) {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                Some(_) | None => return,
            }
        }
    }
}

pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    let ear = {
        let mut ear = console.ears.lock();
        if let Some(ear) = ear.as_mut() {
            ear.seen = Instant::now();
        }
        ear.clone()
    };
    let (broker, filter) =
        ear.as_ref().map_or(("", "#"), |ear| (ear.broker.as_str(), ear.filter.as_str()));
    let main = html! {
        (form(&visit, broker, filter))
        @if let Some(ear) = &ear { (messages(&visit, ear)) }
    };
    visit.page(visit.words().listen, None, &main)
}

/// `POST /integrate/listen`: begins to listen.
pub(super) async fn act(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
    fields: Fields,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    let words = visit.words();
    let wires = Arc::clone(&console.sources.wires.borrow());
    let (broker, filter) = (fields.get("broker").to_owned(), fields.get("filter").to_owned());
    let config = wires.brokers.iter().find(|config| config.id == broker).cloned();
    let Some((config, identity)) = config.zip(wires.identity.clone()) else {
        return visit.refuse(words.no_broker);
    };
    if filter.is_empty() || filter.len() > 200 || filter.contains('\0') {
        return visit.refuse(words.no_filter);
    }
    let claimed = claimed(&console.snapshot().community, &broker);
    visit.note("integrate.listen", &broker, Outcome::Done);
    let now = Instant::now();
    let (heard, end) = (VecDeque::new(), None);
    *console.ears.lock() =
        Some(Ear { broker, filter: filter.clone(), heard, seen: now, end, begun: now });
    let ours = Arc::clone(&console);
    tokio::spawn(async move {
        let ears = &ours.ears;
        let tell = |message| {
            ears.note(now, |ear| {
                if ear.heard.len() == MOST_HEARD {
                    ear.heard.pop_front();
                }
                ear.heard.push_back(message);
            });
        };
        tokio::select! {
            () = ours.stop.cancelled() => {}
            () = ears.unseen(now) => {
                let mut ear = ears.lock();
                ear.take_if(|ear| ear.begun == now);
            }
            ended = listen(&config, &identity, &filter, &claimed, tell) => {
                if let Err(error) = ended {
                    ears.note(now, |ear| ear.end = Some(error.to_string()));
                }
            }
        }
    });
    Redirect::to("/integrate/listen").into_response()
}

/// The topic filters of the devices at a broker.
fn claimed(community: &Community, broker: &str) -> Vec<String> {
    let of_broker = |source: usize| community.sources.get(source).is_some_and(|s| s.id == broker);
    let devices = community.devices.iter().filter(|device| of_broker(device.source.0));
    let topics = devices.filter_map(|device| match &device.address {
        Address::Topic(topic) => Some(topic.clone()),
        Address::Unit(_) | Address::Camera(_) | Address::Chip(_) | Address::Replay => None,
    });
    topics.collect()
}

fn form(visit: &Visit<'_>, broker: &str, filter: &str) -> Markup {
    let words = visit.words();
    let wires = Arc::clone(&visit.console.sources.wires.borrow());
    html! {
        p .lead { (words.listen_lead) }
        form method="post" action="/integrate/listen" .fields.panel {
            (visit.csrf())
            div .row {
                label {
                    (words.broker)
                    select name="broker" {
                        @for config in &wires.brokers {
                            option value=(config.id) selected[config.id == broker] { (config.id) }
                        }
                    }
                }
                label { (words.filter) input name="filter" value=(filter) required maxlength="200" autocomplete="off"; }
            }
            button .main type="submit" { (words.listen_now) }
        }
    }
}

fn messages(visit: &Visit<'_>, ear: &Ear) -> Markup {
    let words = visit.words();
    let Ear { broker, heard, end, .. } = ear;
    html! {
        section #messages data-live aria-labelledby="heard" {
            h2 #heard { (words.heard) " (" (heard.len()) ")" }
            @if let Some(end) = end {
                p .notice role="alert" { (end) }
            } @else if heard.is_empty() {
                p role="status" { (words.nothing_heard) }
            }
            p { a href="/integrate/listen" { (words.look_again) } }
            ul .heard {
                @for message in heard.iter().rev() {
                    li .panel {
                        p .id { (message.topic) }
                        @match Sample::of_bytes(&message.payload) {
                            Ok(sample) if message.is_whole => {
                                p .id { (sample.text().chars().take(300).collect::<String>()) }
                                form method="post" action="/integrate/choose" {
                                    (visit.csrf())
                                    input type="hidden" name="sample" value=(sample.text());
                                    input type="hidden" name="form" value=(form_of(&sample));
                                    input type="hidden" name="broker" value=(broker);
                                    input type="hidden" name="topic" value=(message.topic);
                                    button type="submit" { (words.use_this) }
                                }
                            }
                            Ok(_) | Err(_) => p .hint { (words.not_usable) },
                        }
                    }
                }
            }
        }
    }
}

fn form_of(sample: &Sample) -> &'static str {
    match sample {
        Sample::Json(_) => "json",
        Sample::Bytes(_) => "hex",
        Sample::Words { .. } => "words",
    }
}
