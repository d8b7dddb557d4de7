//! `config/gateway.toml` as types: this box, its wires, its store, its platform.
//!
//! The doc comments are the reference (`gatehouse schema config`). Secrets are file paths or
//! environment variables, never values. [`crate::cli::check`] tells what is wrong with a file.

pub mod bus;
pub mod camera;
pub mod evidence;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use gatehouse_core::community::quantity::{Language, Period};
use schemars::JsonSchema;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

use crate::alert::config::{AlertsConfig, ChannelConfig, WebhookConfig};
use crate::wear::Endurance;
pub use bus::BusConfig;
use camera::CameraConfig;
use evidence::EvidenceConfig;

/// `config/gateway.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GatewayConfig {
    pub gateway: Identity,
    /// Sensor brokers.
    #[serde(rename = "broker", default)]
    pub brokers: Vec<BrokerConfig>,
    /// Modbus lines: a pair of wires, or a TCP endpoint.
    #[serde(rename = "line", default)]
    pub lines: Vec<LineConfig>,
    /// Cameras, whose pictures never leave the memory of this box.
    #[serde(rename = "camera", default, skip_serializing_if = "Vec::is_empty")]
    pub cameras: Vec<CameraConfig>,
    /// What sensors are wired to on the box itself.
    #[serde(rename = "bus", default, skip_serializing_if = "Vec::is_empty")]
    pub buses: Vec<BusConfig>,
    /// Masked stills of what cameras see. Left out: none is kept, shown or sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceConfig>,
    #[serde(default)]
    pub store: StoreConfig,
    /// Left out: events stay in the journal and on the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<UplinkConfig>,
    #[serde(default)]
    pub console: ConsoleConfig,
    #[serde(default)]
    pub models: ModelsConfig,
    #[serde(default, skip_serializing_if = "BundlesConfig::is_default")]
    pub bundles: BundlesConfig,
    #[serde(default, skip_serializing_if = "AlertsConfig::is_default")]
    pub alerts: AlertsConfig,
    /// How people are told; with none, nobody is.
    #[serde(rename = "channel", default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelConfig>,
    /// Parking clouds that are told of free bays, lot by lot, whenever one changes.
    #[serde(rename = "bays-webhook", default, skip_serializing_if = "Vec::is_empty")]
    pub bays_webhooks: Vec<WebhookConfig>,
}

impl GatewayConfig {
    /// A camera, by id.
    pub fn camera(&self, id: &str) -> Option<&CameraConfig> {
        self.cameras.iter().find(|camera| camera.id == id)
    }
}

/// `[gateway]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identity {
    /// Unique within the township; also the MQTT client id at the platform.
    pub id: String,
    pub township: String,
    /// The console's language until a person chooses.
    #[serde(default)]
    pub language: Language,
}

/// `[[broker]]`: where sensors publish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BrokerConfig {
    /// The name that devices refer to.
    pub id: String,
    /// `mqtt://host:1883` or `mqtts://host:8883`.
    pub url: String,
    /// Who we are to it, and whom we believe.
    #[serde(default)]
    pub access: Access,
    /// MQTT client id; the session that outlives a restart hangs on it. `gatehouse-<gateway>` when
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// A longer payload is refused and counted.
    #[serde(default = "max_payload_bytes")]
    pub max_payload_bytes: usize,
}

fn max_payload_bytes() -> usize {
    64 * 1024
}

/// `[broker.access]`, `[uplink.access]`: who we are to a broker, and whom we believe. Paths are
/// relative to the folder of `gateway.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Access {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File that holds the password alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// PEM: the authority that the broker's certificate must come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// PEM: our own certificate, for brokers that ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// PEM: the key of `cert-file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

/// `[[line]]`: one speaker at a time. Exactly one of `tcp`, `rtu-over-tcp` and `serial`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LineConfig {
    /// The name that devices refer to.
    pub id: String,
    /// Modbus TCP: `host:502`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<String>,
    /// Modbus RTU frames over TCP, as serial servers speak it: `host:4001`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtu_over_tcp: Option<String>,
    /// Modbus RTU: `/dev/ttyUSB0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<PathBuf>,
    #[serde(default = "baud")]
    pub baud: u32,
    #[serde(default)]
    pub parity: Parity,
    #[serde(default = "stop_bits")]
    pub stop_bits: u8,
    /// How long a slave may take to answer; at least twice the slowest one's time.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// Silence between two requests on a serial line; 3.5 characters at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Period>,
}

fn baud() -> u32 {
    9_600
}

fn stop_bits() -> u8 {
    1
}

fn timeout() -> Period {
    Period(Duration::from_millis(500))
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    None,
    /// What the Modbus serial line specification asks for.
    #[default]
    Even,
    Odd,
}

/// Days of statistics at most.
pub const MOST_STATISTICS_DAYS: usize = 1_000;

/// `[store]`: what must survive a power cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct StoreConfig {
    /// Folder that the program owns. Put it on storage that survives a power cut.
    pub path: PathBuf,
    /// Records that may wait for the platform; beyond, the oldest of the lowest level is given up,
    /// and that is told.
    pub max_waiting: usize,
    /// Records that the journal keeps for people to look up; at least `max-waiting`.
    pub max_journal: usize,
    /// Days of which a few numbers for each point and quarter of an hour are kept, for `gatehouse
    /// backtest`; about 15 bytes for a point and quarter. With 0, the readings around events are not kept
    /// either.
    #[schemars(range(max = 1_000))]
    pub statistics_days: usize,
    /// What the flash below may take before it is worn out, as its data sheet says it (TBW, or write cycles
    /// times size): `"12 TB"`. With it, the event `flash-wears` comes half a year ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endurance: Option<Endurance>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            path: "data".into(),
            max_waiting: 100_000,
            max_journal: 200_000,
            statistics_days: 90,
            endurance: None,
        }
    }
}

/// `[uplink]`: the township's platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UplinkConfig {
    /// `mqtt://host:1883` or `mqtts://host:8883`.
    pub url: String,
    /// Who we are to it, and whom we believe.
    #[serde(default)]
    pub access: Access,
    /// Another topic for event messages than `gatehouse/v1/<township>/<gateway>/events`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_topic: Option<String>,
    /// First pause after a lost connection; each further one doubles.
    #[serde(default = "retry_min")]
    pub retry_min: Period,
    #[serde(default = "retry_max")]
    pub retry_max: Period,
    /// What takes an event out of the outbox.
    #[serde(default)]
    pub confirm: Confirm,
    /// With `confirm = "platform"`: an event that is not confirmed by then is sent again. Also after
    /// each new connection.
    #[serde(default = "resend_after")]
    pub resend_after: Period,
    /// Files of the public keys (Ed25519, PEM) whose commands are carried out; relative to the folder
    /// of `gateway.toml`. With none, only what needs no signature is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command_keys: Vec<PathBuf>,
    /// Commands go by the time of this box, so they are refused while nothing says that it is right.
    /// Set this where something that Gatehouse does not see keeps the clock, such as chrony.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trust_clock: bool,
}

impl UplinkConfig {
    /// As it is when only the broker is named.
    pub fn to(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            access: Access::default(),
            events_topic: None,
            retry_min: retry_min(),
            retry_max: retry_max(),
            confirm: Confirm::default(),
            resend_after: resend_after(),
            command_keys: Vec::new(),
            trust_clock: false,
        }
    }
}

/// What takes an event out of the outbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confirm {
    /// The platform's broker has acknowledged it.
    #[default]
    Broker,
    /// The platform has said so, with the command `events.confirm`.
    Platform,
}

fn resend_after() -> Period {
    Period(Duration::from_mins(1))
}

fn retry_min() -> Period {
    Period(Duration::from_secs(1))
}

fn retry_max() -> Period {
    Period(Duration::from_mins(1))
}

/// `[console]`: web pages and API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConsoleConfig {
    pub enabled: bool,
    /// Loopback unless said otherwise.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// File that holds the bearer token of scripts (`/metrics`, `/api`) alone, mode 0600; relative to
    /// the folder of `gateway.toml`. Read at start. `gatehouse user token` makes tokens that can do less and end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// PEM: the console's own certificate with those between it and the authority that browsers know;
    /// relative to the folder of `gateway.toml`. Read again at SIGHUP. Left out: off loopback the box
    /// makes one itself, whose fingerprint it logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// PEM: the key of `cert-file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Speak HTTP without TLS off loopback too, behind a proxy that speaks it; then whoever listens on
    /// that network reads passwords.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub plain_http: bool,
    /// Anybody may see how many parking bays are free (`/bays`, `/api/v1/bays`), without a login.
    pub public_bays: bool,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    deserializer.deserialize_str(Address)
}

/// Reads an address with its port, and shows one where there is something else.
struct Address;

impl Visitor<'_> for Address {
    type Value = SocketAddr;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address and a port in quotes, as in \"127.0.0.1:8080\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SocketAddr, E> {
        text.parse().map_err(|_| {
            let message = "is not an address and a port; expected one such as \"127.0.0.1:8080\"";
            E::custom(format!("`{text}` {message} (numbers, and no host name)"))
        })
    }
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            token_file: None,
            cert_file: None,
            key_file: None,
            plain_http: false,
            public_bays: false,
        }
    }
}

/// `[models]`: what detectors of the kind `model` run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ModelsConfig {
    /// Folder with one folder per model; relative to the folder of `gateway.toml`.
    pub path: PathBuf,
    /// ONNX Runtime's library; looked for in the system's folders when left out, and replaced by the
    /// built-in engine when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onnxruntime: Option<PathBuf>,
}

impl Default for ModelsConfig {
    fn default() -> Self {
        Self { path: "../models".into(), onnxruntime: None }
    }
}

/// `[bundles]`: signed models and configuration. What `gatehouse bundle install` has installed stands
/// over the files of this folder, and lies in `bundles` of the store's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct BundlesConfig {
    /// Files of the public keys (Ed25519, PEM) whose bundles are believed; relative to the folder of
    /// `gateway.toml`. With none, no bundle can be installed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusted_keys: Vec<PathBuf>,
    /// Certificates (PEM) of the authorities that are believed when the platform has a bundle fetched
    /// over HTTPS; those that the system believes when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long a bundle must have run here in good health before it stays; until then the one before it
    /// comes back by itself.
    pub trial: Period,
}

impl Default for BundlesConfig {
    fn default() -> Self {
        Self { trusted_keys: Vec::new(), ca_file: None, trial: Period(Duration::from_mins(10)) }
    }
}

impl BundlesConfig {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
