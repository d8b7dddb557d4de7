//! Text messages through a provider's HTTP API, whichever it is: the configuration says what to ask.
//!
//! Placeholders are written as the place wants it: percent-encoded in the address and in a form, escaped
//! in JSON, as they are in a header. What they stand for is put in once and not looked at again.

use gatehouse_core::alert::Outcome;
use gatehouse_core::community::quantity::Language;

use super::channel::{Message, secret};
use super::code::percent;
use super::config::{SmsConfig, SmsFormat};
use super::http::{Answer, Request, by_status, later, shortened};

pub(super) async fn send(sms: &SmsConfig, message: &Message) -> Outcome {
    let secret = match sms.secret_file.as_deref().map(secret).transpose() {
        Ok(secret) => secret.unwrap_or_default(),
        Err(outcome) => return outcome,
    };
    match request(sms, message, &secret).send().await {
        Ok(answer) => judged(sms, &answer),
        Err(outcome) => outcome,
    }
}

fn judged(sms: &SmsConfig, answer: &Answer) -> Outcome {
    match (by_status(answer), &sms.success) {
        (Outcome::Sent, Some(success)) if !answer.body.contains(success.as_str()) => {
            later(format!("the provider's answer has no `{success}`: {}", shortened(&answer.body)))
        }
        (outcome, _) => outcome,
    }
}

fn request(sms: &SmsConfig, message: &Message, secret: &str) -> Request {
    let text = text(sms, message);
    let filled = |template: &str, written: &dyn Fn(&str) -> String| {
        let values = [
            ("{phone}", message.address.as_str()),
            ("{text}", &text),
            ("{id}", &message.letter.id),
            ("{secret}", secret),
        ];
        fill(template, &values, written)
    };
    let in_json = |value: &str| {
        let quoted = serde_json::Value::from(value).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let in_header = |value: &str| value.replace(char::is_control, "");
    let (kind, body) = match (&sms.body, sms.format) {
        (None, _) => (None, None),
        (Some(body), SmsFormat::Json) => {
            (Some("application/json; charset=utf-8"), Some(filled(body, &in_json)))
        }
        (Some(body), SmsFormat::Form) => {
            (Some("application/x-www-form-urlencoded"), Some(filled(body, &percent)))
        }
    };
    let mut headers: Vec<(String, String)> =
        kind.map(|kind| ("Content-Type".to_owned(), kind.to_owned())).into_iter().collect();
    for header in &sms.headers {
        if let Some((name, value)) = header.split_once(':') {
            headers.push((name.trim().to_owned(), filled(value.trim(), &in_header)));
        }
    }
    Request {
        url: filled(&sms.url, &percent),
        headers,
        body: body.map(String::into_bytes),
        ca_file: sms.ca_file.clone(),
    }
}

/// Puts values in, from left to right; what a value holds is no placeholder.
fn fill(template: &str, values: &[(&str, &str)], written: &dyn Fn(&str) -> String) -> String {
    let (mut out, mut rest) = (String::new(), template);
    while let Some((at, (name, value))) =
        values.iter().filter_map(|pair| Some((rest.find(pair.0)?, *pair))).min_by_key(|(at, _)| *at)
    {
        out += &rest[..at];
        out += &written(value);
        rest = &rest[at + name.len()..];
    }
    out + rest
}

/// The headline, what to do, and the page; what is too long loses what to do.
fn text(sms: &SmsConfig, message: &Message) -> String {
    let letter = &message.letter;
    let page = message.links.page.as_deref().map(|page| format!(" {page}")).unwrap_or_default();
    let number = match letter.language {
        Language::Zh => format!(" 编号{}", letter.id),
        Language::En => format!(" No. {}", letter.id),
    };
    let end = format!("{page}{number}");
    let room = sms.letters.saturating_sub(end.chars().count());
    let start: String = letter.spoken().chars().take(room).collect();
    format!("{}{end}", start.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_no_placeholder_itself_and_is_escaped() {
        let values = [("{phone}", "+86 1"), ("{text}", "a\"b {secret}"), ("{secret}", "s3")];
        let filled = fill("p={phone}&t={text}&k={secret}{no}", &values, &percent);
        assert_eq!(filled, "p=%2B86%201&t=a%22b%20%7Bsecret%7D&k=s3{no}");
    }
}
