//! What the three vendors' group robots have in common: an address that is a secret, and answers whose
//! meaning is a number in the body.

use std::time::Duration;

use gatehouse_core::alert::Outcome;
use serde_json::Value;

use super::channel::secret;
use super::config::RobotConfig;
use super::http::{Answer, by_status, later, shortened};

/// What a vendor's numbers mean. One that stands nowhere is tried again, as the network is.
pub(super) struct Codes {
    pub later: &'static [i64],
    /// How long a robot that was used too much must rest.
    pub rest: Duration,
    pub misconfigured: &'static [i64],
    pub unfit: &'static [i64],
    /// Too much when the words say so, and unfit otherwise.
    pub either: &'static [i64],
}

/// What vendors say then, in small letters.
const TOO_MUCH: &str = "too many";

/// The robot's address.
pub(super) fn url(robot: &RobotConfig) -> Result<String, Outcome> {
    let url = secret(&robot.url_file)?;
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(url.trim().to_owned());
    }
    let why = format!("`{}` holds no address; expected `https://…`", robot.url_file.display());
    Err(Outcome::Misconfigured { why })
}

/// The meaning of an answer whose number stands under `code` and whose words under `words`.
pub(super) fn judged(
    answer: Result<Answer, Outcome>,
    code: &str,
    words: &str,
    codes: &Codes,
) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(outcome) => return outcome,
    };
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    let Some((body, number)) =
        body.as_ref().and_then(|body| Some((body, body.get(code)?.as_i64()?)))
    else {
        return match by_status(&answer) {
            Outcome::Sent => {
                later(format!("an answer without `{code}`: {}", shortened(&answer.body)))
            }
            other => other,
        };
    };
    let said = shortened(body.get(words).and_then(Value::as_str).unwrap_or_default());
    let why = format!("{code} {number}: {said}");
    let is_either = codes.either.contains(&number);
    let is_too_much = is_either && said.to_lowercase().contains(TOO_MUCH);
    if number == 0 {
        Outcome::Sent
    } else if is_too_much || codes.later.contains(&number) {
        Outcome::Later { why, after: answer.retry_after.or(Some(codes.rest)) }
    } else if codes.misconfigured.contains(&number) {
        Outcome::Misconfigured { why }
    } else if is_either || codes.unfit.contains(&number) {
        Outcome::Unfit { why }
    } else {
        later(why)
    }
}

/// Without what markdown or a tag could be made of.
pub(super) fn plain(text: &str) -> String {
    let safe = |c: char| match c {
        '<' => '＜',
        '>' => '＞',
        '[' => '［',
        ']' => '］',
        '`' => '’',
        '*' => '＊',
        '_' => '＿',
        '#' => '＃',
        other if other.is_control() => ' ',
        other => other,
    };
    text.chars().map(safe).collect()
}
