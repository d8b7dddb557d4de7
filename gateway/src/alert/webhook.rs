//! JSON to a program of the user's own, signed.
//!
//! `X-Gatehouse-Signature: sha256=<hex>` is HMAC-SHA256 over the header `X-Gatehouse-Timestamp` (seconds),
//! a dot and the body as it came, with what `secret-file` holds as the key. A receiver recomputes it,
//! refuses a timestamp that is old, and drops an `X-Gatehouse-Id` that it has. 200 to 299 is "taken".

use gatehouse_core::alert::Outcome;
use gatehouse_core::event::message::EventData;
use gatehouse_core::reading::Timestamp;
use serde_json::{Value, json};

use super::channel::{Message, secret};
use super::code::hmac_sha256;
use super::config::WebhookConfig;
use super::http::{Request, by_status};
use crate::bundle::keys::hexadecimal;

pub(super) async fn send(webhook: &WebhookConfig, message: &Message) -> Outcome {
    post(webhook, &message.letter.id, body(message).to_string(), message.now).await
}

/// Posts a body under a number, signed as the module says.
pub(crate) async fn post(
    webhook: &WebhookConfig,
    id: &str,
    body: String,
    now: Timestamp,
) -> Outcome {
    let secret = match secret(&webhook.secret_file) {
        Ok(secret) => secret,
        Err(outcome) => return outcome,
    };
    let timestamp = now.0.div_euclid(1_000).to_string();
    let signature = hmac_sha256(secret.as_bytes(), format!("{timestamp}.{body}").as_bytes());
    let request = Request {
        url: webhook.url.clone(),
        headers: vec![
            ("Content-Type".into(), "application/json; charset=utf-8".into()),
            ("X-Gatehouse-Id".into(), id.to_owned()),
            ("X-Gatehouse-Timestamp".into(), timestamp),
            ("X-Gatehouse-Signature".into(), format!("sha256={}", hexadecimal(&signature))),
        ],
        body: Some(body.into_bytes()),
        ca_file: webhook.ca_file.clone(),
    };
    request.send().await.map_or_else(|outcome| outcome, |answer| by_status(&answer))
}

fn body(message: &Message) -> Value {
    let letter = &message.letter;
    let fields: Vec<Value> =
        letter.fields.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect();
    let events: Vec<Value> = message
        .items
        .iter()
        .map(|item| {
            json!({
                "event": item.event, "level": item.level, "kind": item.kind, "over": item.is_over,
                "title": item.title, "location": item.place, "drill": item.drill,
            })
        })
        .collect();
    json!({
        "id": letter.id,
        "gateway": message.gateway,
        "level": letter.level,
        "over": letter.is_over,
        "drill": letter.drill,
        "language": letter.language,
        "headline": letter.headline,
        "fields": fields,
        "list": letter.list,
        "events": events,
        "event": message.event.as_ref().map(event),
        "links": {
            "page": message.links.page,
            "acknowledge": message.links.acknowledge,
            "false-alarm": message.links.false_alarm,
        },
    })
}

/// What sensors and the configuration say of it, and nothing that a person wrote.
fn event(data: &EventData) -> Value {
    json!({
        "event": data.event,
        "scene": data.scene,
        "category": data.category,
        "title": data.title,
        "level": data.level,
        "state": data.state,
        "tier": data.tier,
        "area": data.area,
        "device": data.device,
        "location": data.location,
        "started": data.started,
        "why": data.cause.why,
        "advice": data.advice,
        "drill": data.drill,
    })
}
