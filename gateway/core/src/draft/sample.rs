//! What a sensor sent, as an integrator hands it in: a pasted text, or the words of a Modbus answer.

use crate::community::device_type::Function;
use crate::community::quantity::Text;
use crate::reading::{Block, Body};

/// A longer paste is refused; a sensor's message has some hundred bytes.
pub const LONGEST: usize = 16 * 1024;
/// Bytes or words that candidates are listed for.
pub const MOST_PLACES: usize = 125;

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sample {
    /// An MQTT payload in JSON, as it was sent.
    Json(String),
    /// Any other MQTT payload.
    Bytes(Vec<u8>),
    /// A Modbus answer; coils and discrete inputs are words of 0 or 1.
    Words { function: Function, start: u16, words: Vec<u16> },
}

/// How a pasted text is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// What it looks like.
    #[default]
    Guess,
    Json,
    Hex,
    Base64,
}

/// Why a text is no sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSample {
    #[error("there is nothing; paste one message as the sensor sent it")]
    Empty,
    #[error("it has {0} bytes, and at most {LONGEST} are taken; paste one message alone")]
    TooLong(usize),
    #[error("it is not JSON at line {line}, column {column}: {what}")]
    NotJson { line: usize, column: usize, what: String },
    #[error("it is no hexadecimal text; expected pairs of 0-9 and A-F, as in `01 A4 00`")]
    NotHex,
    #[error("it is no Base64; expected letters, digits, `+` and `/`, as in `AaQA`")]
    NotBase64,
    #[error("it is neither JSON nor bytes in hexadecimal or Base64; say which one it is")]
    Unclear,
    #[error("`{0}` is no word; expected numbers from 0 to 65535, as in `253, 561` or `0x00FD`")]
    NotAWord(String),
    #[error("a Modbus answer has 1 to 125 words")]
    TooManyWords,
}

impl NoSample {
    /// For the integrator's page.
    pub fn text(&self) -> Text {
        let zh = match self {
            Self::Empty => "没有内容；请粘贴传感器发送的一条完整消息".to_owned(),
            Self::TooLong(bytes) => {
                format!("共 {bytes} 字节，最多 {LONGEST} 字节；请只粘贴一条消息")
            }
            Self::NotJson { line, column, what } => {
                format!("第 {line} 行第 {column} 列不是 JSON：{what}")
            }
            Self::NotHex => "不是十六进制；应为成对的 0-9、A-F，例如 `01 A4 00`".to_owned(),
            Self::NotBase64 => "不是 Base64；应为字母、数字、`+` 和 `/`，例如 `AaQA`".to_owned(),
            Self::Unclear => "既不是 JSON，也不是十六进制或 Base64；请指明格式".to_owned(),
            Self::NotAWord(word) => {
                format!("`{word}` 不是寄存器值；应为 0 到 65535，例如 `253, 561` 或 `0x00FD`")
            }
            Self::TooManyWords => "一次 Modbus 应答有 1 到 125 个字".to_owned(),
        };
        Text::new(zh, self.to_string())
    }
}

impl Sample {
    /// A payload from a pasted text.
    ///
    /// # Errors
    /// It is too long, or not what it is said to be.
    pub fn read(text: &str, form: Form) -> Result<Self, NoSample> {
        let trimmed = text.trim();
        match (trimmed.len(), form) {
            (0, _) => Err(NoSample::Empty),
            (long, _) if long > LONGEST => Err(NoSample::TooLong(long)),
            (_, Form::Json) => json(trimmed),
            (_, Form::Hex) => hex(trimmed).map(Self::Bytes).ok_or(NoSample::NotHex),
            (_, Form::Base64) => base64(trimmed).map(Self::Bytes).ok_or(NoSample::NotBase64),
            (_, Form::Guess) if trimmed.starts_with(['{', '[']) => json(trimmed),
            (_, Form::Guess) => json(trimmed)
                .or_else(|_| hex(trimmed).map(Self::Bytes).ok_or(NoSample::Unclear))
                .or_else(|_| base64(trimmed).map(Self::Bytes).ok_or(NoSample::Unclear)),
        }
    }

    /// A payload as it arrived.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, NoSample> {
        match bytes.len() {
            0 => Err(NoSample::Empty),
            long if long > LONGEST => Err(NoSample::TooLong(long)),
            _ => Ok(std::str::from_utf8(bytes)
                .ok()
                .and_then(|text| json(text.trim()).ok())
                .unwrap_or_else(|| Self::Bytes(bytes.to_owned()))),
        }
    }

    /// A Modbus answer from its words: `253, 561` or `0x00FD 0x0231`.
    ///
    /// # Errors
    /// Something in it is no word, or there are none or too many.
    pub fn read_words(text: &str, function: Function, start: u16) -> Result<Self, NoSample> {
        let parts = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '[' | ']'));
        let word = |part: &str| {
            let digits = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"));
            let word = digits.map_or_else(|| part.parse(), |d| u16::from_str_radix(d, 16));
            word.map_err(|_| NoSample::NotAWord(part.to_owned()))
        };
        let words: Vec<u16> =
            parts.filter(|part| !part.is_empty()).map(word).collect::<Result<_, _>>()?;
        if !(1..=MOST_PLACES).contains(&words.len()) {
            return Err(NoSample::TooManyWords);
        }
        Ok(Self::Words { function, start, words })
    }

    /// As a frame holds it.
    pub fn body(&self) -> Body {
        match self {
            Self::Json(text) => Body::Payload(text.clone().into_bytes()),
            Self::Bytes(bytes) => Body::Payload(bytes.clone()),
            Self::Words { function, start, words } => Body::Blocks(vec![Block {
                function: *function,
                start: *start,
                count: u16::try_from(words.len()).unwrap_or(u16::MAX),
                words: Ok(words.clone()),
            }]),
        }
    }

    /// As a text that can be handed in again.
    pub fn text(&self) -> String {
        match self {
            Self::Json(text) => text.clone(),
            Self::Bytes(bytes) => spaced(bytes),
            Self::Words { words, .. } => {
                let words: Vec<String> = words.iter().map(u16::to_string).collect();
                words.join(", ")
            }
        }
    }
}

/// Bytes in hexadecimal, as in `01 A4 00`.
pub fn spaced(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(" ")
}

fn json(text: &str) -> Result<Sample, NoSample> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(Sample::Json(text.to_owned())),
        Err(error) => {
            let place = format!(" at line {} column {}", error.line(), error.column());
            let what = error.to_string();
            let what = what.strip_suffix(&place).unwrap_or(&what).to_owned();
            Err(NoSample::NotJson { line: error.line(), column: error.column(), what })
        }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let apart = |c: char| c.is_whitespace() || matches!(c, ':' | '-' | ',');
    let digits: String =
        text.split(apart).map(|part| part.strip_prefix("0x").unwrap_or(part)).collect();
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !is_hex {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// RFC 4648, section 4 and 5, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.split_whitespace().collect();
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for digit in digits.trim_end_matches('=').bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        held = (held << 6 | u32::from(value)) & 0xFFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xFF).ok()?);
        }
    }
    (!bytes.is_empty() && bits < 6).then_some(bytes)
}
