//! What can be wrong with a camera, for the person who has to mend it.

use std::sync::Arc;

use gatehouse_core::community::quantity::{Language, Text};
use gatehouse_core::reasons;

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
    #[error("its answer is of more than {0} bytes")]
    EndlessAnswer(usize),
    #[error("it has sent {0} bytes, and no picture came to its end")]
    EndlessPicture(usize),
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
    /// By the word that it is counted by, which has a text of its own.
    #[error("its pictures cannot be decoded: {}", reasons::told(Language::En, .0))]
    NotDecoded(&'static str),
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
    #[error(
        "its broker has kept a picture, and nobody knows how old it is; have it publish without `retain`"
    )]
    Kept,
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
            Self::EndlessAnswer(_) => "endless-answer",
            Self::EndlessPicture(_) => "endless-picture",
            Self::TooLarge(_) => "too-long",
            Self::TooManyPixels { .. } => "too-many-pixels",
            Self::NoBoundary => "no-boundary",
            Self::NotAPicture(_) => "not-a-picture",
            Self::Encoding(_) => "unknown-encoding",
            Self::Corrupt(_) => "corrupt-picture",
            Self::NotDecoded(word) => word,
            Self::NoPicture(_) => "no-picture",
            Self::TooFast => "overload",
            Self::Loss => "packet-loss",
            Self::Rtsp(_) => "bad-rtsp",
            Self::Onvif(_) => "bad-onvif",
            Self::NoPictureInJson(_) => "no-picture-in-json",
            Self::Kept => "retained",
            Self::Unreadable { .. } => "unreadable",
            Self::Ended(_) => "ended",
            Self::BrokeDown => "broke-down",
        }
    }
}

impl Why {
    /// What a connection failed by.
    pub(super) fn unreachable(error: &dyn std::error::Error) -> Self {
        let text = error.to_string();
        let why = if text.contains("os error 111") {
            format!("{text}: nothing listens there; is the camera on, and the port in `url` right?")
        } else {
            crate::tls::explain(&text)
        };
        Self::Unreachable(shortened(&why))
    }

    /// In both languages; English is what is logged.
    pub fn told(&self) -> Text {
        let zh = match self {
            Self::Address { url, why } => format!("`{url}` 不是摄像头地址：{why}"),
            Self::NoCredentials => {
                "需要用户名和密码；请在 `access` 中填写（`user`、`password-file`）".into()
            }
            Self::WrongCredentials => "用户名或密码被拒绝；请检查 `user` 和 `password-file`".into(),
            Self::Forbidden(status) => {
                format!("已登录，但无权访问此地址（状态 {status}）；请检查该用户在摄像头上的权限")
            }
            Self::NotFound(status) => {
                format!("此地址没有内容（状态 {status}）；请检查 `url` 中的路径")
            }
            Self::Status(status) => format!("应答状态为 {status}"),
            Self::RedirectLoop => "不断重定向；请在 `url` 中填写画面本身的地址".into(),
            Self::BadRedirect(to) => format!("重定向到 `{to}`，那不是 HTTP 画面地址"),
            Self::Unreachable(why) => format!("无法连接：{why}"),
            Self::Certificate(why) => format!("证书不可信：{why}"),
            Self::Silent(seconds) => format!("已 {seconds} 秒没有发送任何数据"),
            Self::HungUp => "连接被对方断开".into(),
            Self::EndlessHeader => "应答头没有结尾".into(),
            Self::EndlessAnswer(bytes) => format!("应答超过 {bytes} 字节"),
            Self::EndlessPicture(bytes) => format!("已发送 {bytes} 字节，却没有一张画面结束"),
            Self::TooLarge(bytes) => format!("一张画面超过 {bytes} 字节"),
            Self::TooManyPixels { width, height, most } => {
                format!("画面为 {width} x {height}；最多处理 {most} 像素")
            }
            Self::NoBoundary => "各部分之间没有它声明的分隔符".into(),
            Self::NotAPicture(what) => format!("发来的是 {what}；应为 JPEG 或 JPEG 流"),
            Self::Encoding(what) => {
                format!("RTSP 只提供 {what}；请将摄像头设为 H.264（第二码流通常就是）")
            }
            Self::Corrupt(why) => format!("发来的数据无法解码：{why}"),
            Self::NotDecoded(word) => {
                format!("发来的画面无法解码：{}", reasons::told(Language::Zh, word))
            }
            Self::NoPicture(seconds) => {
                format!("有数据，但 {seconds} 秒没有画面；请设为每一两秒发送一个关键帧")
            }
            Self::TooFast => "画面来得比解码快；请改用较小的码流".into(),
            Self::Loss => "有数据包丢失；使用 `transport = \"tcp\"` 可避免".into(),
            Self::Rtsp(why) => format!("无法理解它的 RTSP：{why}"),
            Self::Onvif(why) => format!("无法理解它的 ONVIF 服务：{why}"),
            Self::NoPictureInJson(place) => {
                format!("所发布的 JSON 在 `{place}` 处没有 base64 画面")
            }
            Self::Kept => "服务器留存了旧画面，无法得知其时间；发布时请不要用 `retain`".into(),
            Self::Unreadable { path, why } => format!("无法读取 {path}：{why}"),
            Self::Ended(what) => format!("{what} 已播放完毕"),
            Self::BrokeDown => "读取程序出错，已重新启动".into(),
        };
        Text::new(zh, self.to_string())
    }
}

/// A camera's own words, made fit for a line of log: short, and without what could end the line.
pub(super) fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_is_counted_under_a_word_that_a_page_can_tell_in_both_languages() {
        let some = || "x".to_owned();
        let all = [
            Why::Address { url: some(), why: "x" },
            Why::NoCredentials,
            Why::WrongCredentials,
            Why::Forbidden(403),
            Why::NotFound(404),
            Why::Status(500),
            Why::RedirectLoop,
            Why::BadRedirect(some()),
            Why::Unreachable(some()),
            Why::Certificate(some()),
            Why::Silent(1),
            Why::HungUp,
            Why::EndlessHeader,
            Why::EndlessAnswer(1),
            Why::EndlessPicture(1),
            Why::TooLarge(1),
            Why::TooManyPixels { width: 1, height: 1, most: 1 },
            Why::NoBoundary,
            Why::NotAPicture(some()),
            Why::Encoding(some()),
            Why::Corrupt(some()),
            Why::NotDecoded("truncated"),
            Why::NoPicture(1),
            Why::TooFast,
            Why::Loss,
            Why::Rtsp(some()),
            Why::Onvif(some()),
            Why::NoPictureInJson(some()),
            Why::Kept,
            Why::Unreadable { path: some(), why: some() },
            Why::Ended(some()),
            Why::BrokeDown,
        ];
        for why in all {
            let (word, told) = (why.kind(), |language| reasons::told(language, why.kind()));
            assert!(!told(Language::Zh).is_ascii(), "{word}");
            assert!(told(Language::En).is_ascii(), "{word}");
        }
    }

    #[test]
    fn who_is_refused_is_told_to_look_at_the_camera() {
        let refused = std::io::Error::from_raw_os_error(111);
        let Why::Unreachable(why) = Why::unreachable(&refused) else { panic!("something else") };
        assert!(why.contains("is the camera on") && !why.contains("broker"), "{why}");
    }
}
