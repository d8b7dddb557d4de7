//! What can be wrong with a camera, for the person who has to mend it.

use std::sync::Arc;

/// A camera and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("camera `{camera}`: {why}")]
pub struct Trouble {
    pub camera: Arc<str>,
    pub why: Why,
}

/// Nothing in these texts is a password, and no address has one in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("`{url}` is no address of a camera: {why}")]
    Address { url: String, why: &'static str },
    #[error("it asks for a name and a password; give them in `access` (`user`, `password-file`)")]
    NoCredentials,
    #[error("it refuses our name or password; check `user` and `password-file`")]
    WrongCredentials,
    #[error("it lets us in but not at this address (status {0}); check the user's rights there")]
    Forbidden(u16),
    #[error("there is nothing at this address (status {0}); check the path in `url`")]
    NotFound(u16),
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("it sends us round in circles; give the address of the picture itself in `url`")]
    RedirectLoop,
    #[error("it sends us on to `{0}`, which is no address of a picture over HTTP")]
    BadRedirect(String),
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("its certificate cannot be believed: {0}")]
    Certificate(String),
    #[error("it has sent nothing for {0} s")]
    Silent(u64),
    #[error("it has hung up")]
    HungUp,
    #[error("the headers of its answer do not end")]
    EndlessHeader,
    #[error("it sends a picture of more than {0} bytes")]
    TooLarge(usize),
    #[error("it sends a picture of {width} x {height}; at most {most} pixels are looked at")]
    TooManyPixels { width: u32, height: u32, most: u64 },
    #[error("it sends parts without the boundary that it announced")]
    NoBoundary,
    #[error("it sends {0}; expected a JPEG or a stream of them")]
    NotAPicture(String),
    #[error("it offers {0} over RTSP; set it to H.264 (its second stream often is)")]
    Encoding(String),
    #[error("what it sends cannot be decoded: {0}")]
    Corrupt(String),
    #[error("it sends, and no picture in {0} s; have it send a key frame every second or two")]
    NoPicture(u64),
    #[error("its pictures come faster than they can be decoded; a smaller stream would do")]
    TooFast,
    #[error("packets from it were lost; with `transport = \"tcp\"` none are")]
    Loss,
    #[error("its RTSP cannot be understood: {0}")]
    Rtsp(String),
    #[error("its ONVIF service cannot be understood: {0}")]
    Onvif(String),
    #[error("the JSON that it publishes has no picture in base64 at `{0}`")]
    NoPictureInJson(String),
    #[error("{path} cannot be read: {why}")]
    Unreadable { path: String, why: String },
    #[error("the replay of {0} has come to its end")]
    Ended(String),
    #[error("what reads it broke down; it is started anew")]
    BrokeDown,
}

impl Why {
    /// The word by which it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Address { .. } => "bad-address",
            Self::NoCredentials => "no-credentials",
            Self::WrongCredentials => "wrong-credentials",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not-found",
            Self::Status(_) => "bad-status",
            Self::RedirectLoop => "redirect-loop",
            Self::BadRedirect(_) => "bad-redirect",
            Self::Unreachable(_) => "unreachable",
            Self::Certificate(_) => "bad-certificate",
            Self::Silent(_) => "silent",
            Self::HungUp => "hung-up",
            Self::EndlessHeader => "endless-header",
            Self::TooLarge(_) => "too-long",
            Self::TooManyPixels { .. } => "too-many-pixels",
            Self::NoBoundary => "no-boundary",
            Self::NotAPicture(_) => "not-a-picture",
            Self::Encoding(_) => "unknown-encoding",
            Self::Corrupt(_) => "corrupt-picture",
            Self::NoPicture(_) => "no-picture",
            Self::TooFast => "overload",
            Self::Loss => "packet-loss",
            Self::Rtsp(_) => "bad-rtsp",
            Self::Onvif(_) => "bad-onvif",
            Self::NoPictureInJson(_) => "no-picture-in-json",
            Self::Unreadable { .. } => "unreadable",
            Self::Ended(_) => "ended",
            Self::BrokeDown => "broke-down",
        }
    }
}

/// A camera's own words, made fit for a line of log: short, and without what could end the line.
pub(super) fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}
