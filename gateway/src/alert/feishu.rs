//! Group robots of Feishu (飞书): an interactive card to the robot's webhook address.
//!
//! The formats are those of the vendor's page "自定义机器人使用指南"
//! (<https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>): with signing on,
//! `timestamp` (seconds) and `sign` stand in the body, where `sign` is the base64 of HMAC-SHA256 over
//! nothing, with `timestamp` + newline + secret as the key; an hour of difference between the clocks is
//! allowed. 100 messages a minute and 5 a second, 20 KB for the body; we stay below 20 000 bytes. The
//! answer's `code` is what counts.
//!
//! 11232 is "too much" for the whole platform, as at full and half hours. By that page 9499 is a body that
//! is none, or too long (`Bad Request`); robots are seen to answer it to who is too fast as well
//! (`too many request`), so that there, and only there, the words decide.

use gatehouse_core::alert::Outcome;
use gatehouse_core::alert::letter::colon;
use gatehouse_core::reading::Timestamp;
use serde_json::{Value, json};

use super::channel::{Message, secret};
use super::code::{base64, cut, hmac_sha256};
use super::config::RobotConfig;
use super::http::Request;
use super::robot::{Codes, judged, plain, url};

/// Bytes of the text; the rest of the card is short.
const LONGEST: usize = 16_000;

const CODES: Codes = Codes {
    // Too many; the interface or the robot is limited.
    later: &[11_232, 11_247, 99_991_400],
    rest: super::MINUTE,
    // No such robot, or it is switched off; its signature, address list or keywords do not fit.
    misconfigured: &[19_001, 19_007, 19_021, 19_022, 19_024],
    // It lacks something, or the card is none.
    unfit: &[19_002, 11_246, 10_003],
    either: &[9_499],
};

pub(super) async fn send(robot: &RobotConfig, message: &Message) -> Outcome {
    let secret = robot.secret_file.as_deref().map(secret).transpose();
    match (url(robot), secret) {
        (Ok(url), Ok(secret)) => {
            let body = body(message, secret.as_deref());
            let request = Request::json(url, &body, robot.ca_file.clone());
            judged(request.send().await, "code", "msg", &CODES)
        }
        (Err(outcome), _) | (_, Err(outcome)) => outcome,
    }
}

fn sign(secret: &str, now: Timestamp) -> (String, String) {
    let seconds = now.0.div_euclid(1_000).to_string();
    let key = format!("{seconds}\n{secret}");
    (seconds, base64(&hmac_sha256(key.as_bytes(), b"")))
}

fn body(message: &Message, secret: Option<&str>) -> Value {
    let letter = &message.letter;
    let colour = match (letter.is_over, letter.level) {
        (true, _) => "green",
        (false, 1) => "red",
        (false, 2) => "orange",
        (false, 3) => "yellow",
        (false, _) => "blue",
    };
    let mut rows = Vec::new();
    for (name, value) in &letter.fields {
        rows.push(format!("**{name}**{}{}", colon(letter.language), plain(value)));
    }
    rows.extend(letter.list.iter().map(|line| plain(line)));
    let text = rows.join("\n");
    let mut elements =
        vec![json!({ "tag": "div", "text": { "tag": "lark_md", "content": cut(&text, LONGEST) } })];
    let links = message.links.named(letter.language);
    if !links.is_empty() {
        let buttons: Vec<Value> = links
            .iter()
            .enumerate()
            .map(|(at, (name, url))| {
                let kind = if at == 0 { "primary" } else { "default" };
                let text = json!({ "tag": "plain_text", "content": name });
                json!({ "tag": "button", "text": text, "url": url, "type": kind })
            })
            .collect();
        elements.push(json!({ "tag": "action", "actions": buttons }));
    }
    let title = json!({ "tag": "plain_text", "content": plain(&letter.headline) });
    let mut body = json!({
        "msg_type": "interactive",
        "card": {
            "config": { "wide_screen_mode": true },
            "header": { "title": title, "template": colour },
            "elements": elements,
        },
    });
    if let Some(secret) = secret {
        let (timestamp, sign) = sign(secret, message.now);
        body["timestamp"] = timestamp.into();
        body["sign"] = sign.into();
    }
    body
}
