//! Group robots of `WeCom` (企业微信): markdown to the robot's webhook address.
//!
//! The format is that of the vendor's page "群机器人配置说明"
//! (<https://developer.work.weixin.qq.com/document/path/91770>): `{"msgtype": "markdown", "markdown":
//! {"content": …}}`, 4096 bytes of UTF-8 at most, three colours, 20 messages a minute for each robot. The
//! numbers are those of "全局错误码" (<https://developer.work.weixin.qq.com/document/path/90455>, which
//! says to judge by `errcode` and never by its words). An answer is always HTTP 200 with an `errcode`.
//! Robots cannot have buttons that act, so acknowledging is a link.

use std::fmt::Write as _;

use gatehouse_core::alert::Outcome;
use gatehouse_core::alert::letter::{Letter, colon};
use serde_json::json;

use super::channel::Message;
use super::code::cut;
use super::config::RobotConfig;
use super::http::Request;
use super::robot::{Codes, judged, plain, url};

/// Bytes of `content`.
const LONGEST: usize = 4096;

const CODES: Codes = Codes {
    // Busy; over 20 a minute; too many at once.
    later: &[-1, 45009, 45033],
    rest: super::MINUTE,
    // The address is wrong; the robot was switched off, or is not in the group any more.
    misconfigured: &[93000, 93004, 93008, 40001, 40014, 41001],
    // The content is too long or of no type that is known.
    unfit: &[40008, 40058, 44004, 45002, 46001, 47001],
    either: &[],
};

pub(super) async fn send(robot: &RobotConfig, message: &Message) -> Outcome {
    let url = match url(robot) {
        Ok(url) => url,
        Err(outcome) => return outcome,
    };
    let content = content(message);
    let body = json!({ "msgtype": "markdown", "markdown": { "content": content } });
    judged(
        Request::json(url, &body, robot.ca_file.clone()).send().await,
        "errcode",
        "errmsg",
        &CODES,
    )
}

fn content(message: &Message) -> String {
    let letter = &message.letter;
    let links = message.links.named(letter.language);
    let links: Vec<String> = links.iter().map(|(name, url)| format!("[{name}]({url})")).collect();
    let end = if links.is_empty() { String::new() } else { format!("\n{}", links.join("　")) };
    let text = text(letter);
    // What is too long loses its end, and never its links.
    format!("{}{end}", cut(&text, LONGEST.saturating_sub(end.len())))
}

fn text(letter: &Letter) -> String {
    let colour = match (letter.is_over, letter.level) {
        (true, _) => "info",
        (false, 1 | 2) => "warning",
        (false, _) => "comment",
    };
    let mut text = format!("**<font color=\"{colour}\">{}</font>**", plain(&letter.headline));
    for (name, value) in &letter.fields {
        let _ = write!(text, "\n> {name}{}{}", colon(letter.language), plain(value));
    }
    for line in &letter.list {
        let _ = write!(text, "\n> {}", plain(line));
    }
    text
}
