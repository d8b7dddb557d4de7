//! The fields of a form, some of which come several times, and the sample that each step carries on.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gatehouse_core::community::device_type::Function;
use gatehouse_core::draft::{Form as Paste, NoSample, Sample, function_word};
use maud::{Markup, html};

use super::Visit;
use crate::accounts::Principal;
use crate::console::Console;
use crate::console::guard::Reader;
use crate::console::page::translated;

/// What was filled in.
pub(super) struct Fields(Vec<(String, String)>);

/// The fields that go from step to step.
const CARRIED: [&str; 9] =
    ["sample", "form", "table", "start", "line", "unit", "broker", "topic", "time"];

pub(super) const TABLES: [Function; 4] =
    [Function::Input, Function::Holding, Function::Coil, Function::Discrete];

impl Fields {
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// As it was sent, blanks and all.
    pub(super) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(super) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name).parse().ok()
    }

    /// What the form carries of the sensor's own words.
    pub(super) fn sample(&self) -> Result<Sample, NoSample> {
        let text = self.get("sample");
        let form = match self.get("form") {
            form if form == "words" || (form == "guess" && is_list(text)) => {
                let (table, start) = (table(self.get("table")), self.number("start").unwrap_or(0));
                return Sample::read_words(text, table, start);
            }
            "json" => Paste::Json,
            "hex" => Paste::Hex,
            "base64" => Paste::Base64,
            _ => Paste::Guess,
        };
        Sample::read(text, form)
    }

    /// Hidden inputs for the next step, with the sample as it was understood.
    pub(super) fn carried(&self, sample: &Sample) -> Markup {
        let (form, table) = match sample {
            Sample::Json(_) => ("json", ""),
            Sample::Bytes(_) => ("hex", ""),
            Sample::Words { function, .. } => ("words", function_word(*function)),
        };
        let value = |name: &str| match name {
            "sample" => sample.text(),
            "form" => form.to_owned(),
            "table" => table.to_owned(),
            other => self.get(other).to_owned(),
        };
        html! {
            @for name in CARRIED {
                @let value = value(name);
                @if !value.is_empty() { input type="hidden" name=(name) value=(value); }
            }
        }
    }
}

pub(super) fn table(word: &str) -> Function {
    TABLES.into_iter().find(|table| function_word(*table) == word).unwrap_or(Function::Input)
}

impl FromRequest<Arc<Console>> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Arc<Console>) -> Result<Self, Response> {
        let (reader, who) = (
            request.extensions().get::<Reader>().cloned(),
            request.extensions().get::<Principal>().cloned(),
        );
        match Form::<Vec<(String, String)>>::from_request(request, console).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(error) => {
                let (Some(reader), Some(who)) = (reader, who) else {
                    return Err(error.into_response());
                };
                Err(Visit { console, reader: &reader, who: &who }.unreadable(&error))
            }
        }
    }
}

impl Visit<'_> {
    fn unreadable(&self, error: &FormRejection) -> Response {
        let words = self.words();
        let is_long = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
        let mut response = self.refuse(if is_long { words.too_long } else { words.unreadable });
        *response.status_mut() = error.status();
        response
    }

    /// Why a sample is none, in the reader's language.
    pub(super) fn no_sample(&self, error: &NoSample) -> Response {
        self.refuse(translated(&error.text(), self.reader.language))
    }
}

/// Whether it is registers, as in `253, 561`: pairs of digits would be bytes.
fn is_list(text: &str) -> bool {
    let mut parts = text.split(',').map(str::trim);
    text.contains(',')
        && parts.clone().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        && parts.any(|part| part.len() != 2)
}
