//! `[alerts]` and `[[channel]]` of `gateway.toml`: how people are told.
//!
//! Secrets stand in files; so does the address of a robot, because its key is in it. Paths are relative
//! to the folder of `gateway.toml`.

use std::path::PathBuf;
use std::time::Duration;

use gatehouse_core::community::calendar::dates::Hours;
use gatehouse_core::community::frequency::Frequency;
use gatehouse_core::community::quantity::{Language, Period};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[alerts]`: what all messages have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AlertsConfig {
    /// Where people reach the console from their telephones: `https://10.0.0.5:8443`. Left out: messages
    /// have no links and no buttons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// How long the buttons of a message work.
    pub links_last: Period,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self { base_url: None, links_last: Period(Duration::from_hours(24)) }
    }
}

impl AlertsConfig {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[[channel]]`: one way to tell people. Exactly one of `wecom`, `dingtalk`, `feishu`, `email`,
/// `webhook`, `sms`, `relay` and `speech`.
///
/// People name it in `[[person.alert]]`. A group robot, a webhook, a relay and a loudspeaker are told by
/// themselves as well, and so are the addresses in `to`: of the events of their teams and areas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ChannelConfig {
    /// The name that people refer to.
    pub id: String,
    /// Only events of these teams' tiers and areas (ids of `community.toml`); all when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// Only events of these areas (ids of `community.toml`); all when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<String>,
    /// Addresses that belong to no person: a duty telephone, a team's mailbox. For `email` and `sms`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Only these levels; all of them when left out. Not for people, who have their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<u8>,
    /// Only then, by the community's `[calendar]`, but for level I: `"07:00-23:00"`. Not for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// At most so many messages, as in `"100 per day"`; what is over it comes as one digest. Not for
    /// people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Frequency>,
    /// The gateway's own when left out. Not for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// A group robot of `WeCom` (企业微信群机器人).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wecom: Option<RobotConfig>,
    /// A group robot of `DingTalk` (钉钉自定义机器人); `secret-file` when it is set to sign (加签).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dingtalk: Option<RobotConfig>,
    /// A group robot of Feishu (飞书自定义机器人); `secret-file` when it is set to sign (签名校验).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feishu: Option<RobotConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<SmsConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<RelayConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech: Option<SpeechConfig>,
}

/// `wecom`, `dingtalk`, `feishu`: a robot in a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RobotConfig {
    /// File that holds the robot's whole webhook address, which contains its key.
    pub url_file: PathBuf,
    /// File that holds the secret with which messages are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// PEM: believe this authority instead of those that the system believes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// `email`: a mail server that takes our messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EmailConfig {
    /// Host name of the server.
    pub server: String,
    /// 465 with `tls`, 587 with `starttls`, 25 with `none` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default)]
    pub security: Security,
    /// `Gatehouse <alerts@example.com>`.
    pub from: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File that holds the password alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// PEM: believe this authority instead of those that the system believes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// How the way to the mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// From the first byte on (RFC 8314).
    #[default]
    Tls,
    /// After a greeting; refused when the server cannot.
    Starttls,
    /// Not at all, and no password is sent: for a server on this box.
    None,
}

/// `webhook`: JSON to a program of your own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WebhookConfig {
    /// `https://host/path`.
    pub url: String,
    /// File that holds the key of the signature.
    pub secret_file: PathBuf,
    /// PEM: believe this authority instead of those that the system believes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// `sms`: a provider's HTTP API. In `url`, `body` and `headers` stand `{phone}`, `{text}`, `{id}` (the
/// message's number) and `{secret}` (what `secret-file` holds).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SmsConfig {
    pub url: String,
    /// What is posted; with none, the address is fetched with GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What `body` is, and so how the placeholders are written in it.
    #[serde(default)]
    pub format: SmsFormat,
    /// `["Authorization: Bearer {secret}"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Words that the answer has when the message was taken, as in `"code":0`; with none, any answer
    /// of 200 to 299 will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<String>,
    /// Letters of a message; what is longer is cut.
    #[serde(default = "sms_letters")]
    pub letters: usize,
    /// PEM: believe this authority instead of those that the system believes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

fn sms_letters() -> usize {
    200
}

/// The form of a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SmsFormat {
    #[default]
    Json,
    Form,
}

/// `relay`: a siren or a lamp on a writable point of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RelayConfig {
    /// A device of `community.toml`, by id.
    pub device: String,
    /// A point of it that can be written.
    pub point: String,
    /// How long it stays on.
    #[serde(rename = "for", default = "relay_for")]
    pub lasts: Period,
}

fn relay_for() -> Period {
    Period(Duration::from_secs(30))
}

/// `speech`: spoken on the box, by espeak-ng.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SpeechConfig {
    /// Name or path of the program.
    pub program: PathBuf,
    /// How often it says it.
    pub times: u8,
}

impl Default for SpeechConfig {
    fn default() -> Self {
        Self { program: "espeak-ng".into(), times: 2 }
    }
}

/// The kinds of channels, as their keys.
pub const KINDS: [&str; 8] =
    ["wecom", "dingtalk", "feishu", "email", "webhook", "sms", "relay", "speech"];

impl ChannelConfig {
    /// Which of [`KINDS`] are given; one, when all is well.
    pub fn kinds(&self) -> Vec<&'static str> {
        let given = [
            self.wecom.is_some(),
            self.dingtalk.is_some(),
            self.feishu.is_some(),
            self.email.is_some(),
            self.webhook.is_some(),
            self.sms.is_some(),
            self.relay.is_some(),
            self.speech.is_some(),
        ];
        KINDS.into_iter().zip(given).filter(|(_, given)| *given).map(|(kind, _)| kind).collect()
    }

    /// Whether each message needs an address.
    pub fn wants_address(&self) -> bool {
        self.email.is_some() || self.sms.is_some()
    }

    /// The files that it names, by key.
    pub fn files(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        let mut files: Vec<(&'static str, &mut PathBuf)> = Vec::new();
        let robots = [
            ("wecom.url-file", "wecom.secret-file", "wecom.ca-file", &mut self.wecom),
            ("dingtalk.url-file", "dingtalk.secret-file", "dingtalk.ca-file", &mut self.dingtalk),
            ("feishu.url-file", "feishu.secret-file", "feishu.ca-file", &mut self.feishu),
        ];
        for (url, secret, ca, robot) in robots {
            let Some(robot) = robot else { continue };
            files.push((url, &mut robot.url_file));
            files.extend(robot.secret_file.iter_mut().map(|file| (secret, file)));
            files.extend(robot.ca_file.iter_mut().map(|file| (ca, file)));
        }
        if let Some(email) = &mut self.email {
            files.extend(email.password_file.iter_mut().map(|f| ("email.password-file", f)));
            files.extend(email.ca_file.iter_mut().map(|f| ("email.ca-file", f)));
        }
        if let Some(webhook) = &mut self.webhook {
            files.push(("webhook.secret-file", &mut webhook.secret_file));
            files.extend(webhook.ca_file.iter_mut().map(|f| ("webhook.ca-file", f)));
        }
        if let Some(sms) = &mut self.sms {
            files.extend(sms.secret_file.iter_mut().map(|f| ("sms.secret-file", f)));
            files.extend(sms.ca_file.iter_mut().map(|f| ("sms.ca-file", f)));
        }
        files
    }
}
