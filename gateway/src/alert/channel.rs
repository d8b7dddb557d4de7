//! One message by one channel: the form is the channel's, the outcome is ours.
//!
//! Secrets are read for each message: they are few, and what was mended works at once. Nothing that is
//! told or logged holds a secret or the address of a robot, which is one.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::alert::letter::Letter;
use gatehouse_core::alert::pace::Limit;
use gatehouse_core::alert::{Item, Outcome};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::EventData;
use gatehouse_core::reading::Timestamp;

use super::config::ChannelConfig;
use super::{dingtalk, email, feishu, relay, sms, speech, webhook, wecom};

/// What is sent, in no form yet.
#[derive(Debug, Clone)]
pub struct Message {
    pub letter: Letter,
    /// Telephone number or mailbox; empty where the channel is the address.
    pub address: String,
    pub links: Links,
    /// The event as its record holds it, for programs.
    pub event: Option<EventData>,
    /// All events that it is about, for programs.
    pub items: Vec<Item>,
    /// The gateway's id.
    pub gateway: String,
    pub now: Timestamp,
}

/// Where the message leads; none without `alerts.base-url`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// The event's page, or the list of events.
    pub page: Option<String>,
    pub acknowledge: Option<String>,
    pub false_alarm: Option<String>,
}

impl Links {
    /// Name and address, in the order of reading.
    pub fn named(&self, language: Language) -> Vec<(&'static str, &str)> {
        let names = match language {
            Language::Zh => ["确认收到", "误报", "查看详情"],
            Language::En => ["Acknowledge", "False alarm", "See more"],
        };
        let links = [&self.acknowledge, &self.false_alarm, &self.page];
        let pairs = names.into_iter().zip(links);
        pairs.filter_map(|(name, link)| Some((name, link.as_deref()?))).collect()
    }
}

/// What a relay's future comes to: nothing, or why it did not switch.
pub type Switched<'r> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'r>>;

/// A point of a device that can be switched; the way to the engine and its interlocks.
pub trait Relay: Send + Sync {
    fn set<'r>(&'r self, device: &'r str, point: &'r str, on: bool) -> Switched<'r>;
}

/// Sends a message by a channel.
pub async fn send(
    config: &ChannelConfig,
    relay: Option<&Arc<dyn Relay>>,
    message: &Message,
) -> Outcome {
    if let Some(robot) = &config.wecom {
        wecom::send(robot, message).await
    } else if let Some(robot) = &config.dingtalk {
        dingtalk::send(robot, message).await
    } else if let Some(robot) = &config.feishu {
        feishu::send(robot, message).await
    } else if let Some(email) = &config.email {
        email::send(email, message).await
    } else if let Some(webhook) = &config.webhook {
        webhook::send(webhook, message).await
    } else if let Some(sms) = &config.sms {
        sms::send(sms, message).await
    } else if let Some(siren) = &config.relay {
        relay::send(siren, relay, message).await
    } else if let Some(speech) = &config.speech {
        speech::send(speech, message).await
    } else {
        Outcome::Misconfigured { why: "the channel says nothing of how it tells people".to_owned() }
    }
}

/// How often a channel may be used, by what its vendor says.
pub fn limits(config: &ChannelConfig) -> Vec<Limit> {
    let limit = |many, seconds| Limit { many, within: Duration::from_secs(seconds) };
    if config.wecom.is_some() || config.dingtalk.is_some() {
        // A little more than the minute: it is their clock that counts.
        vec![limit(20, 62)]
    } else if config.feishu.is_some() {
        vec![limit(100, 62), limit(5, 2)]
    } else if config.speech.is_some() || config.relay.is_some() {
        vec![limit(1, 5)]
    } else {
        vec![limit(60, 60)]
    }
}

/// A secret in a file of its own, without the line's end.
pub(super) fn secret(path: &Path) -> Result<String, Outcome> {
    let misconfigured = |why: String| Outcome::Misconfigured { why };
    let text = std::fs::read_to_string(path)
        .map_err(|error| misconfigured(format!("`{}` cannot be read: {error}", path.display())))?;
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    if text.is_empty() {
        return Err(misconfigured(format!("`{}` is empty", path.display())));
    }
    Ok(text)
}
