//! `[[camera]]`: where pictures come from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use gatehouse_core::community::quantity::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[[camera]]`: where pictures come from. Either `url`, or `broker` and `topic`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CameraConfig {
    /// The name that devices refer to.
    pub id: String,
    /// `rtsp://host:554/stream` (H.264), `http://…` or `https://…` (MJPEG or a JPEG, by what is
    /// answered), `onvif://host` (asks the camera for its stream), or `file:///folder` (a recording).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A camera that publishes JPEGs: a broker of this file, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// With `broker`: the topic filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// With `broker`: where the JPEG stands as base64 in JSON, a JSON pointer (RFC 6901); the payload is
    /// the JPEG itself when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<String>,
    /// How RTSP sends its packets: `tcp` goes through every firewall, `udp` is lighter.
    #[serde(default)]
    pub transport: Transport,
    /// How often a picture is wanted at most. A box that is busy looks less often, and says so.
    #[serde(default = "every")]
    pub every: Period,
    /// How much of one core it may take at most, as in `"20 %"`; what there is is shared fairly among
    /// the cameras when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// Who we are to it, and whom we believe.
    #[serde(default, skip_serializing_if = "CameraAccess::is_default")]
    pub access: CameraAccess,
}

fn every() -> Period {
    Period(Duration::from_secs(1))
}

/// How RTSP sends its packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    #[default]
    Tcp,
    Udp,
}

/// `[camera.access]`: who we are to a camera, and whom we believe. Paths are relative to the folder of
/// `gateway.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CameraAccess {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File that holds the password alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// PEM: the authority that the camera's certificate must come from, for `https`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl CameraAccess {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A share of one core in percent, as in `"20 %"`: more than 0, and 100 at most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Share(f64);

impl Share {
    /// 0..1 of one core.
    pub fn of_a_core(self) -> f64 {
        self.0 / 100.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
        percent
            .filter(|percent| *percent > 0.0 && *percent <= 100.0)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a share of one core; expected as in \"20 %\""))
    }
}

impl TryFrom<String> for Share {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_part_of_one_core() {
        assert_eq!("20 %".parse(), Ok(Share(20.0)));
        assert_eq!(Share(12.5).to_string(), "12.5 %");
        for wrong in ["20", "0 %", "101 %", "nan %", "-1 %", "%", "a fifth"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_camera_is_asked_once_a_second_over_tcp_when_nothing_is_said() {
        let camera: CameraConfig = toml::from_str("id = \"a\"\nurl = \"rtsp://b/c\"").unwrap();

        assert_eq!((camera.transport, camera.every), (Transport::Tcp, every()));
        assert_eq!((camera.share, camera.access), (None, CameraAccess::default()));
    }

    #[test]
    fn a_misspelt_key_is_refused_by_name() {
        let error = toml::from_str::<CameraConfig>("id = \"a\"\ntrnsport = \"udp\"").unwrap_err();

        assert!(error.to_string().contains("unknown field `trnsport`"), "{error}");
    }
}
