//! Group robots of `DingTalk` (钉钉): an action card to the robot's webhook address.
//!
//! The formats are those of the vendor's pages "自定义机器人接入" and "自定义机器人安全设置"
//! (<https://open.dingtalk.com/document/robots/custom-robot-access> and
//! <https://open.dingtalk.com/document/robots/customize-robot-security-settings>): with signing on, `timestamp` (milliseconds) and `sign` are added to the query,
//! where `sign` is the percent-encoded base64 of HMAC-SHA256 over `timestamp` + newline + secret, with
//! the secret as the key; an hour of difference between the clocks is allowed. A message has 20 000 bytes
//! at most (answered with 460101 beyond). An answer is always HTTP 200 with an `errcode`.
//!
//! 20 messages a minute for each robot; who sends more is shut out for ten minutes ("如果超过20条，会限流10分钟"),
//! so that a robot that said 130101 or 410100 rests for that long.

use std::fmt::Write as _;
use std::time::Duration;

use gatehouse_core::alert::Outcome;
use gatehouse_core::alert::letter::colon;
use gatehouse_core::reading::Timestamp;
use serde_json::{Value, json};

use super::channel::{Message, secret};
use super::code::{base64, cut, hmac_sha256, percent};
use super::config::RobotConfig;
use super::http::Request;
use super::robot::{Codes, judged, plain, url};

/// Bytes of the text; the rest of the message is short.
const LONGEST: usize = 16_000;

/// Of a robot that sent more than 20 messages in a minute.
const REST: Duration = Duration::from_mins(10);

const CODES: Codes = Codes {
    // Busy; too fast, two numbers for it.
    later: &[-1, 130_101, 410_100],
    rest: REST,
    // No such robot or key; the signature, keywords or address list do not fit; the robot is off, the
    // group is gone.
    misconfigured: &[300_001, 300_005, 310_000, 400_013, 400_101, 400_102, 400_106],
    // It lacks something, is of no known type, or its content is not wanted.
    unfit: &[40_035, 43_004, 400_105, 430_101, 430_102, 430_103, 430_104, 460_101],
    either: &[],
};

pub(super) async fn send(robot: &RobotConfig, message: &Message) -> Outcome {
    let address = url(robot).and_then(|url| match &robot.secret_file {
        Some(file) => Ok(signed(&url, &secret(file)?, message.now)),
        None => Ok(url),
    });
    match address {
        Ok(url) => {
            let request = Request::json(url, &body(message), robot.ca_file.clone());
            judged(request.send().await, "errcode", "errmsg", &CODES)
        }
        Err(outcome) => outcome,
    }
}

fn signed(url: &str, secret: &str, now: Timestamp) -> String {
    let signed = hmac_sha256(secret.as_bytes(), format!("{}\n{secret}", now.0).as_bytes());
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}timestamp={}&sign={}", now.0, percent(&base64(&signed)))
}

fn body(message: &Message) -> Value {
    let letter = &message.letter;
    let headline = plain(&letter.headline);
    let colour = match (letter.is_over, letter.level) {
        (true, _) => "#00b365",
        (false, 1) => "#e02020",
        (false, 2) => "#fa6400",
        (false, 3) => "#d6a100",
        (false, _) => "#3296fa",
    };
    let mut text = format!("### <font color=\"{colour}\">{headline}</font>");
    for (name, value) in &letter.fields {
        let _ = write!(text, "\n\n**{name}**{}{}", colon(letter.language), plain(value));
    }
    for line in &letter.list {
        let _ = write!(text, "\n- {}", plain(line));
    }
    let text = cut(&text, LONGEST);
    let links = message.links.named(letter.language);
    if links.is_empty() {
        return json!({ "msgtype": "markdown", "markdown": { "title": headline, "text": text } });
    }
    let buttons: Vec<Value> =
        links.iter().map(|(name, url)| json!({ "title": name, "actionURL": url })).collect();
    json!({
        "msgtype": "actionCard",
        "actionCard": { "title": headline, "text": text, "btnOrientation": "1", "btns": buttons },
    })
}
