//! `POST /integrate/name`: what was picked gets names, units and limits; what it then says is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Response;
use gatehouse_core::community::device_type::TimeField;
use gatehouse_core::community::quantity::{Period, Text, units};
use gatehouse_core::draft::candidate::{Candidates, times};
use gatehouse_core::draft::{Chosen, Draft, EVERY, Place, Sample};
use maud::{Markup, html};

use super::Visit;
use super::choose::shown;
use super::fields::Fields;
use crate::accounts::Principal;
use crate::console::Console;
use crate::console::guard::Reader;

/// Points that a device type is drafted with at once.
const MOST_POINTS: usize = 40;

pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(reader): Extension<Reader>,
    Extension(who): Extension<Principal>,
    fields: Fields,
) -> Response {
    let visit = Visit { console: &console, reader: &reader, who: &who };
    let sample = match fields.sample() {
        Ok(sample) => sample,
        Err(error) => return visit.no_sample(&error),
    };
    let places: Vec<Place> =
        fields.all("pick").take(MOST_POINTS).filter_map(|pick| pick.parse().ok()).collect();
    if places.is_empty() {
        return visit.refuse(visit.words().none_picked);
    }
    let draft = suggested(&sample, places, &fields);
    visit.page(visit.words().title, Some(2), &form(&visit, &fields, &draft))
}

/// What is known of the picked places.
fn suggested(sample: &Sample, places: Vec<Place>, fields: &Fields) -> Draft {
    let texts = match Candidates::of(sample) {
        Candidates::Fields(fields) => fields,
        Candidates::Rows(_) => Vec::new(),
    };
    let mut points: Vec<Chosen> = Vec::new();
    for place in places {
        let words = match &place {
            Place::Json(pointer) => texts.iter().find(|field| field.pointer == *pointer),
            Place::Byte { .. } | Place::Word { .. } => None,
        };
        let words = words.map_or_else(BTreeMap::new, |field| field.words.iter().cloned().collect());
        let mut point = Chosen { words, ..Chosen::suggested(place) };
        let name = point.name.clone();
        let is_taken = |name: &str| points.iter().any(|before| before.name == name);
        for number in 2.. {
            if !is_taken(&point.name) {
                break;
            }
            point.name = format!("{name}_{number}");
        }
        points.push(point);
    }
    let (time, every) = (time(sample, fields), EVERY);
    let (id, title) = (String::new(), Text::default());
    let mut draft = Draft { id, title, sample: sample.clone(), time, every, points };
    // A range that what was seen contradicts is no help.
    let values = draft.values();
    for (point, value) in draft.points.iter_mut().zip(values) {
        let is_within =
            |(low, high): (f64, f64)| value.is_ok_and(|value| (low..=high).contains(&value));
        point.range = point.range.filter(|range| is_within(*range));
    }
    draft
}

fn time(sample: &Sample, fields: &Fields) -> Option<TimeField> {
    times(sample).into_iter().find(|time| time.json == fields.get("time"))
}

fn form(visit: &Visit<'_>, fields: &Fields, draft: &Draft) -> Markup {
    let words = visit.words();
    let values = draft.values();
    html! {
        form method="post" action="/integrate/file" .fields {
            (visit.csrf())
            (fields.carried(&draft.sample))
            section .panel {
                h2 { (words.product) }
                div .row {
                    (input(words.id, "id", "acme-th20", "", Some("[a-z0-9\\-]+")))
                    (input(words.title_zh, "title-zh", "温湿度变送器", "", None))
                    (input(words.title_en, "title-en", "temperature and humidity", "", None))
                    @if let Sample::Words { .. } = draft.sample {
                        (input(words.every, "every", "10 s", "10 s", None))
                    }
                }
                p .hint { (words.id_hint) }
            }
            datalist #units { @for unit in units() { option value=(unit) {} } }
            @for (at, (point, value)) in draft.points.iter().zip(&values).enumerate() {
                fieldset .panel {
                    legend { span .id { (point.place) } " = " b { (shown(visit, *value)) } }
                    input type="hidden" name="place" value=(point.place);
                    div .row {
                        (input(words.name, &format!("name-{at}"), "temperature", &point.name, Some("[a-z][a-z0-9_]*")))
                        label {
                            (words.unit)
                            input name={ "unit-" (at) } value=(point.unit) list="units" required maxlength="20";
                        }
                        (number(words.scale, &format!("scale-{at}"), Some(point.scale)))
                        (number(words.offset, &format!("offset-{at}"), Some(point.offset)))
                        (number(words.lowest, &format!("low-{at}"), point.range.map(|r| r.0)))
                        (number(words.highest, &format!("high-{at}"), point.range.map(|r| r.1)))
                        label {
                            (words.stale)
                            input name={ "stale-" (at) } placeholder="15 min" maxlength="20";
                        }
                        @if let Some(title) = &point.title {
                            input type="hidden" name={ "zh-" (at) } value=(title.zh);
                            input type="hidden" name={ "en-" (at) } value=(title.en);
                        }
                        @if !point.words.is_empty() {
                            label {
                                (words.meanings)
                                input name={ "words-" (at) } value=(meanings(&point.words)) maxlength="200";
                            }
                        }
                    }
                }
            }
            div .bar { button .main type="submit" { (words.next_file) } }
        }
    }
}

fn input(name: &str, key: &str, example: &str, value: &str, pattern: Option<&str>) -> Markup {
    html! {
        label {
            (name)
            input name=(key) placeholder=(example) value=(value) required maxlength="80" pattern=[pattern]
                autocomplete="off";
        }
    }
}

fn number(name: &str, key: &str, value: Option<f64>) -> Markup {
    html! {
        label { (name) input name=(key) inputmode="decimal" value=[value] maxlength="30" autocomplete="off"; }
    }
}

fn meanings(words: &BTreeMap<String, f64>) -> String {
    let pairs: Vec<String> =
        words.iter().map(|(word, number)| format!("{word} = {number}")).collect();
    pairs.join(", ")
}

/// The draft as the form says; what is no number there is told.
pub(super) fn draft(fields: &Fields, sample: Sample) -> Result<Draft, String> {
    let mut points = Vec::new();
    for (at, place) in fields.all("place").take(MOST_POINTS).enumerate() {
        let place: Place = place.parse().map_err(|_| place.to_owned())?;
        let get = |key: &str| fields.get(&format!("{key}-{at}"));
        let number = |key: &str| match get(key).replace('−', "-") {
            text if text.is_empty() => Ok(None),
            text => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Some(number)),
                _ => Err(text),
            },
        };
        let stale = match get("stale") {
            "" => None,
            text => Some(text.parse::<Period>().map_err(|error| error.to_string())?),
        };
        let title = Some(Text::new(get("zh"), get("en"))).filter(|title| !title.zh.is_empty());
        points.push(Chosen {
            place,
            name: get("name").to_owned(),
            title,
            unit: get("unit").to_owned(),
            scale: number("scale")?.unwrap_or(1.0),
            offset: number("offset")?.unwrap_or(0.0),
            range: number("low")?.zip(number("high")?),
            stale,
            words: pairs(get("words"))?,
        });
    }
    let every = match fields.get("every") {
        "" => EVERY,
        text => text
            .parse()
            .map_err(|error: gatehouse_core::community::quantity::NotAPeriod| error.to_string())?,
    };
    let title = Text::new(fields.get("title-zh"), fields.get("title-en"));
    let time = time(&sample, fields);
    Ok(Draft { id: fields.get("id").to_owned(), title, sample, time, every, points })
}

/// `open = 1, closed = 0`.
fn pairs(text: &str) -> Result<BTreeMap<String, f64>, String> {
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    let pair = |part: &str| {
        let (word, number) = part.rsplit_once('=')?;
        Some((word.trim().to_owned(), number.trim().parse().ok()?))
    };
    parts.map(|part| pair(part).ok_or_else(|| part.trim().to_owned())).collect()
}
