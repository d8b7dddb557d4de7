//! One test message by a channel, for who sets it up.

use gatehouse_core::alert::Outcome;
use gatehouse_core::alert::letter::Letter;
use gatehouse_core::community::quantity::Language;

use super::channel::{self, Links, Message};
use super::config::ChannelConfig;
use crate::clock::wall;

/// Sends it, and tells what came back. `address` where the channel wants one.
pub async fn send(
    config: &ChannelConfig,
    address: &str,
    gateway: &str,
    base: Option<&str>,
) -> Outcome {
    let language = config.language.unwrap_or_default();
    let (headline, field) = match language {
        Language::Zh => {
            ("【测试】Gatehouse 告警通道测试", ("说明", "收到即表示通道可用，无需处理。"))
        }
        Language::En => (
            "[Test] an alert channel of Gatehouse",
            ("Note", "This channel works; nothing is to be done."),
        ),
    };
    let now = wall();
    let letter = Letter {
        id: format!("{gateway}-test-{}", now.0 / 1_000),
        language,
        level: 4,
        is_over: false,
        drill: false,
        event: None,
        headline: headline.to_owned(),
        fields: vec![(field.0, field.1.to_owned())],
        list: Vec::new(),
    };
    let links = Links {
        page: base.map(|base| format!("{}/", base.trim_end_matches('/'))),
        ..Links::default()
    };
    let message = Message {
        letter,
        address: address.to_owned(),
        links,
        event: None,
        items: Vec::new(),
        gateway: gateway.to_owned(),
        now,
    };
    channel::send(config, None, &message).await
}
