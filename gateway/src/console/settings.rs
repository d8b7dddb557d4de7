//! `/settings` and `/api/v1/settings`: every value in effect, and who says so. Nothing is changed here.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::{Html, Json};
use gatehouse_core::community::quantity::Language;
use maud::{Markup, html};
use serde::Deserialize;

use super::guard::Reader;
use super::page::{self, Here};
use super::words::site::SiteWords;
use super::{Console, Snapshot};
use crate::accounts::Principal;
use crate::origins::{Origin, Setting};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// `set`: only what somebody has set.
    show: String,
    /// Part of the key or value.
    text: String,
}

impl Wanted {
    fn fits(&self, setting: &Setting) -> bool {
        let text = self.text.trim().to_lowercase();
        let has = |part: &str| part.to_lowercase().contains(&text);
        (self.show != "set" || setting.origin != Origin::Default)
            && (has(&setting.key) || has(&setting.value) || has(&setting.part))
    }
}

/// `GET /settings`.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(principal): Extension<Principal>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Html<String> {
    let snapshot = console.snapshot_for(&principal);
    let language = reader.language;
    let words = SiteWords::of(language);
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let main = html! {
        main #main tabindex="-1" {
            h1 { (words.settings) }
            p .lead { (words.settings_hint) }
            form .narrow method="get" action="/settings" role="search" {
                label {
                    (words.key)
                    input type="search" name="text" value=(wanted.text) maxlength="80";
                }
                label .tick {
                    input type="checkbox" name="show" value="set" checked[wanted.show == "set"];
                    " " (words.only_set)
                }
                button type="submit" { (words.look) }
            }
            (parts(&snapshot, &wanted, language))
        }
    };
    page::html(page::full(&snapshot, language, Here::Settings, &main))
}

/// `GET /api/v1/settings`.
pub(super) async fn list(State(console): State<Arc<Console>>) -> Json<Vec<Setting>> {
    Json(console.snapshot().configuration.origins.settings.clone())
}

fn parts(snapshot: &Snapshot, wanted: &Wanted, language: Language) -> Markup {
    let words = SiteWords::of(language);
    let settings = &snapshot.configuration.origins.settings;
    let shown: Vec<&Setting> = settings.iter().filter(|setting| wanted.fits(setting)).collect();
    html! {
        @if let Some(bundle) = &snapshot.configuration.bundle {
            p .lead { (words.origin) ": " (bundle) }
        }
        @if shown.is_empty() { p .calm { (words.no_lines) } }
        @for (at, part) in shown.chunk_by(|a, b| a.part == b.part).enumerate() {
            details .panel open[at == 0 || !wanted.text.is_empty()] {
                summary { span .id { (part[0].part) } " (" (part.len()) ")" }
                dl .settings {
                    @for setting in part {
                        div {
                            dt .id { (setting.key) }
                            dd {
                                span .value { (setting.value) }
                                " " (origin(&setting.origin, language))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn origin(origin: &Origin, language: Language) -> Markup {
    let words = SiteWords::of(language);
    html! {
        @match origin {
            Origin::Default => { span .reason { (words.by_default) } }
            Origin::File { file, line } => { span .reason.id { (file) ":" (line) } }
            Origin::Overlay { by, at } => {
                span .tag { (words.by_console) " " (by) }
                " " time .reason datetime=(at) { (at) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_found_by_part_of_its_key_or_value() {
        let setting = Setting {
            part: "gateway.toml".into(),
            key: "store.max-waiting".into(),
            value: "100000".into(),
            origin: Origin::Default,
        };
        let wanted = |show: &str, text: &str| Wanted { show: show.into(), text: text.into() };

        assert!(wanted("", "WAITING ").fits(&setting) && wanted("", "1000").fits(&setting));
        assert!(!wanted("", "broker").fits(&setting) && !wanted("set", "").fits(&setting));
    }
}
