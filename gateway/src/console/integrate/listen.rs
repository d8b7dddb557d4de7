//! `/integrate/listen`: what arrives at a broker on topics that no device claims. Nothing of it is kept.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::Response;
use gatehouse_core::community::Address;
use gatehouse_core::draft::Sample;
use maud::{Markup, html};

use super::Visit;
use super::fields::Fields;
use crate::accounts::Principal;
use crate::audit::Outcome;
use crate::console::Console;
use crate::console::guard::Reader;
use crate::source::mqtt::{Heard, listen};

/// How long somebody may listen, in seconds.
const SPANS: [u64; 3] = [10, 30, 60];

pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    visit.page(visit.words().listen, None, &form(&visit, "", "#"))
}

/// `POST /integrate/listen`: the answer comes when the time is over.
pub(super) async fn act(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
    fields: Fields,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    let words = visit.words();
    let wires = Arc::clone(&console.sources.wires.borrow());
    let (broker, filter) = (fields.get("broker"), fields.get("filter"));
    let config = wires.brokers.iter().find(|config| config.id == broker);
    let Some((config, identity)) = config.zip(wires.identity.as_ref()) else {
        return visit.refuse(words.no_broker);
    };
    if filter.is_empty() || filter.len() > 200 || filter.contains('\0') {
        return visit.refuse(words.no_filter);
    }
    let Ok(_seat) = console.scans.ears.try_acquire() else { return visit.refuse(words.busy) };
    let seconds = fields.number("seconds").filter(|s| SPANS.contains(s)).unwrap_or(SPANS[0]);
    let community = console.snapshot().community;
    let of_broker = |source: usize| community.sources.get(source).is_some_and(|s| s.id == broker);
    let claimed: Vec<String> = community
        .devices
        .iter()
        .filter(|device| of_broker(device.source.0))
        .filter_map(|device| match &device.address {
            Address::Topic(topic) => Some(topic.clone()),
            Address::Unit(_) | Address::Replay => None,
        })
        .collect();
    visit.note("integrate.listen", broker, Outcome::Done);
    let heard = listen(config, identity, filter, &claimed, Duration::from_secs(seconds));
    let stopped = console.stop.run_until_cancelled(heard).await;
    let main = match stopped {
        Some(Ok(heard)) => {
            html! { (form(&visit, broker, filter)) (messages(&visit, broker, &heard)) }
        }
        Some(Err(error)) => html! {
            p .notice role="alert" { (error) }
            (form(&visit, broker, filter))
        },
        None => return visit.refuse(words.busy),
    };
    visit.page(words.listen, None, &main)
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
                label {
                    (words.how_long)
                    select name="seconds" { @for span in SPANS { option value=(span) { (span) " s" } } }
                }
            }
            button .main type="submit" { (words.listen_now) }
        }
    }
}

fn messages(visit: &Visit<'_>, broker: &str, heard: &[Heard]) -> Markup {
    let words = visit.words();
    html! {
        section aria-labelledby="heard" {
            h2 #heard { (words.heard) " (" (heard.len()) ")" }
            @if heard.is_empty() { p { (words.nothing_heard) } }
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
