//! What stands around every page: head, header strip, navigation.
//!
//! Pages are whole without JavaScript; `live.js` only keeps the parts marked `data-live` fresh, `keys.js`
//! adds shortcuts, and `voice.js` speaks what is new.

use axum::response::Html;
use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::{Language, Text};
use gatehouse_core::reading::{TimeQuality, Timestamp};
use gatehouse_core::view::DeviceView;
use maud::{DOCTYPE, Markup, html};

use super::Snapshot;
use super::assets::{ICON, KEYS, LIVE, STYLE, VOICE};
use super::figures::count;
use super::guard::escaped;
use super::look;
use super::terms;
use super::words::Words;
use super::words::access::AccessWords;
use super::words::frame::FrameWords;
use crate::accounts::{Principal, Right};

/// Which page it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    Events,
    Map,
    Devices,
    Scenes,
    Models,
    People,
    Reports,
    Audit,
    Settings,
    Integrate,
    /// One's own account, and everybody's.
    Account,
}

impl Here {
    const ALL: [Self; 10] = [
        Self::Events,
        Self::Map,
        Self::Devices,
        Self::Scenes,
        Self::Models,
        Self::People,
        Self::Reports,
        Self::Audit,
        Self::Settings,
        Self::Integrate,
    ];

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Events => "/",
            Self::Map => "/map",
            Self::Devices => "/devices",
            Self::Scenes => "/scenes",
            Self::Models => "/models",
            Self::People => "/people",
            Self::Reports => "/reports",
            Self::Audit => "/audit",
            Self::Settings => "/settings",
            Self::Integrate => "/integrate",
            Self::Account => "/account",
        }
    }

    /// What it takes to see it.
    fn right(self) -> Right {
        match self {
            Self::Events
            | Self::Map
            | Self::Devices
            | Self::Scenes
            | Self::Models
            | Self::People
            | Self::Reports
            | Self::Settings
            | Self::Account => Right::See,
            Self::Audit => Right::SeeAudit,
            Self::Integrate => Right::Integrate,
        }
    }
}

/// What stands around a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'p> {
    pub here: Here,
    pub title: &'p str,
    /// Path and query, for the way back and the other language.
    pub address: &'p str,
    /// Where the browser hears news of the page; without one it asks for the page now and then.
    pub feed: &'p str,
}

pub(super) fn html(markup: Markup) -> Html<String> {
    Html(markup.into_string())
}

/// Whether the reader may do that; what is no page has no reader, and may all.
pub(super) fn may(snapshot: &Snapshot, right: Right) -> bool {
    snapshot.who.as_ref().is_none_or(|principal| principal.may(right))
}

/// A page for somebody who is logged in.
pub(super) fn full(snapshot: &Snapshot, language: Language, here: Here, main: &Markup) -> Markup {
    let (title, address) = (FrameWords::of(language).page(here), here.path());
    framed(snapshot, language, Frame { here, title, address, feed: "" }, main)
}

/// The same, with a title and a feed of its own.
pub(super) fn framed(
    snapshot: &Snapshot,
    language: Language,
    frame: Frame<'_>,
    main: &Markup,
) -> Markup {
    let words = Words::of(language);
    let of_frame = FrameWords::of(language);
    let community = translated(&snapshot.community.title, language);
    let body = html! {
        header .top {
            div .name {
                a .brand href="/" { (mark()) span { "Gatehouse" } }
                @if !community.is_empty() { span .community { (community) } }
            }
            div .tools {
                button #voice type="button" hidden aria-pressed="false"
                    data-hello=(of_frame.voice_on) data-bye=(of_frame.voice_off) { (of_frame.voice) }
                (look::switch(frame.address, language))
                a href=(with(frame.address, "lang", words.other.0)) lang=(words.other.0)
                    hreflang=(words.other.0) { (words.other.1) }
                a href="/account" { (AccessWords::of(language).account) }
                form method="post" action="/logout" {
                    @if let Some(principal) = &snapshot.who {
                        (csrf(principal))
                        span .quiet { (of_frame.signed_in) (principal.name) }
                    }
                    button type="submit" { (words.leave) }
                }
            }
            nav .pages aria-label=(words.pages) {
                @for page in Here::ALL {
                    @if may(snapshot, page.right()) {
                        a href=(page.path())
                            aria-current=[(page == frame.here).then_some("page")] {
                            (of_frame.page(page))
                        }
                    }
                }
            }
        }
        (faults(snapshot, language))
        p #lost .notice hidden role="alert" data-text=(words.lost) {}
        (main)
        (strip(snapshot, language))
        p #news .quiet role="status" aria-live="polite" {}
        (shortcuts(of_frame))
    };
    document(language, frame.title, Some(frame.feed), &body)
}

/// The address with one more field in its query.
pub(super) fn with(address: &str, name: &str, value: &str) -> String {
    let sign = if address.contains('?') { '&' } else { '?' };
    format!("{address}{sign}{name}={}", escaped(value))
}

/// What the keys do. `keys.js` opens it; they can be turned off there (WCAG 2.1.4).
fn shortcuts(words: &FrameWords) -> Markup {
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { (words.keys) }
            dl {
                @for (keys, does) in words.each_key {
                    div { dt { kbd { (keys) } } dd { (does) } }
                }
            }
            label { input #keys-on type="checkbox" checked; " " (words.keys_on) }
            form method="dialog" { button { (words.shut) } }
        }
    }
}

/// A page for anybody: the login, an error.
pub(super) fn bare(language: Language, title: &str, main: &Markup) -> Markup {
    let body = html! {
        header .top.alone { a .brand href="/" { (mark()) span { "Gatehouse" } } }
        (main)
    };
    document(language, title, None, &body)
}

/// What every form that posts must carry, or the guard refuses it.
pub(super) fn csrf(principal: &Principal) -> Markup {
    html! {
        @if let Some(csrf) = &principal.csrf { input type="hidden" name="csrf" value=(csrf); }
    }
}

/// One message and the way back.
pub(super) fn notice(language: Language, title: &str, hint: &str) -> Markup {
    let main = html! {
        main #main .door {
            h1 { (title) }
            p { (hint) }
            p { a href="/" { (Words::of(language).back) } }
        }
    };
    bare(language, title, &main)
}

fn document(language: Language, title: &str, feed: Option<&str>, body: &Markup) -> Markup {
    let words = Words::of(language);
    html! {
        (DOCTYPE)
        html lang=(words.tag) {
            head {
                meta charset="utf-8";
                title { (title) " · Gatehouse" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href=(ICON.address()) type="image/svg+xml";
                link rel="stylesheet" href=(STYLE.address());
                link rel="stylesheet" href="/static/look.css";
                @if feed.is_some() {
                    @for script in [&LIVE, &KEYS, &VOICE] { script src=(script.address()) defer {} }
                }
            }
            body data-feed=[feed] data-ages=(words.ages.join("|")) {
                a .skip href="#main" { (words.skip) }
                (body)
            }
        }
    }
}

/// The gateway at a glance: one line of figures over every page.
pub(super) fn strip(snapshot: &Snapshot, language: Language) -> Markup {
    let words = Words::of(language);
    let view = &snapshot.view;
    let heard = view.devices.iter().filter(|d| is_heard(d)).count();
    let silent = view.devices.iter().filter(|d| d.silent).count();
    let down = view.sources.iter().filter(|s| s.down.is_some()).count();
    let refused = view.counts.refused.values().sum();
    let clock_is_right = view.time_quality == TimeQuality::Synced;
    html! {
        section #strip .strip data-live aria-label=(words.glance)
            data-now=(snapshot.now.0) data-speed=(snapshot.speed) {
            dl {
                (figure(words.heard, silent > 0, &html! {
                    (heard) small { " / " (view.devices.len()) }
                    @if silent > 0 { span .aside { (silent) " " (words.silent) } }
                }))
                (figure(words.sources, down > 0, &html! {
                    (view.sources.len() - down) small { " / " (view.sources.len()) }
                }))
                (figure(words.last_reading, false, &html! {
                    @match last_frame(snapshot) {
                        Some(at) => (ago(snapshot, at, language)),
                        None => "–",
                    }
                }))
                (figure(words.readings, false, &html! { (count(view.counts.readings)) }))
                (figure(words.refused, false, &html! { (count(refused)) }))
                (figure(words.waiting, snapshot.store.fault.is_some(), &html! {
                    (count(snapshot.store.waiting))
                }))
                (figure(words.clock, !clock_is_right, &html! {
                    (terms::clock(language, view.time_quality))
                }))
            }
        }
    }
}

/// What is wrong with the gateway itself, above every page.
pub(super) fn faults(snapshot: &Snapshot, language: Language) -> Markup {
    html! {
        div #fault data-live {
            @if let Some(fault) = &snapshot.store.fault {
                p .notice role="alert" { (Words::of(language).store_fault) (fault) }
            }
            @if let Some(why) = &snapshot.configuration.set_aside {
                p .notice { (translated(why, language)) }
            }
        }
    }
}

fn figure(name: &str, is_odd: bool, value: &Markup) -> Markup {
    html! { div .odd[is_odd] { dt { (name) } dd { (value) } } }
}

/// Whether the device has spoken and has not fallen silent since.
pub(super) fn is_heard(device: &DeviceView) -> bool {
    device.last_frame.is_some() && !device.silent
}

/// When any device last spoke.
pub(super) fn last_frame(snapshot: &Snapshot) -> Option<Timestamp> {
    snapshot.view.devices.iter().filter_map(|d| d.last_frame).max()
}

/// How long ago, as `live.js` will keep it.
pub(super) fn ago(snapshot: &Snapshot, at: Timestamp, language: Language) -> Markup {
    let (before, after) = Words::of(language).ago;
    html! { span .whole { (before) (age(snapshot, at, language)) (after) } }
}

/// How long since.
pub(super) fn age(snapshot: &Snapshot, at: Timestamp, language: Language) -> Markup {
    html! {
        time datetime=(at.rfc3339()) data-since=(at.0) {
            (Words::of(language).age(snapshot.now.since(at)))
        }
    }
}

/// The text in that language, or in the other one when it has none.
pub(super) fn translated(text: &Text, language: Language) -> &str {
    let wanted = text.get(language);
    if !wanted.is_empty() {
        return wanted;
    }
    match language {
        Language::Zh => &text.en,
        Language::En => &text.zh,
    }
}

/// What people call an area; its id when the configuration knows none.
pub(super) fn area_title<'a>(community: &'a Community, id: &'a str, language: Language) -> &'a str {
    let area = community.areas.iter().find(|a| a.id == id);
    area.map(|a| translated(&a.title, language)).filter(|t| !t.is_empty()).unwrap_or(id)
}

/// What people call a device; its id when the configuration knows none.
pub(super) fn device_title<'a>(
    community: &'a Community,
    id: &'a str,
    language: Language,
) -> &'a str {
    let device = community.devices.iter().find(|d| d.id == id);
    device.map(|d| translated(&d.title, language)).filter(|t| !t.is_empty()).unwrap_or(id)
}

fn mark() -> Markup {
    html! {
        svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" {
            rect .mark width="32" height="32" rx="7" {}
            path .arch d="M8 25V14a8 8 0 0 1 16 0v11" {}
            circle .lamp cx="16" cy="18" r="2.6" {}
        }
    }
}
