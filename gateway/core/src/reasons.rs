//! Why a frame or a reading was turned away, in words for people: those of events, the console and the
//! summary.
//!
//! The words under which they are counted ([`crate::admission::Refusal::word`],
//! [`crate::reading::Quality::word`]) are for machines.

use crate::community::quantity::Language;

/// Why a frame or a reading was turned away. A word that is not listed here is shown as it is: new
/// reasons reach the page before their translation does.
pub fn told(language: Language, word: &'static str) -> &'static str {
    let (zh, en) = match word {
        "good" => ("正常", "good"),
        "out-of-range" => ("超出量程", "out of range"),
        "jumped" => ("跳变", "jumped"),
        "stuck" => ("数值不变", "stuck"),
        "stale" => ("数据过时", "stale"),
        "no-data" => ("无数据", "no data"),
        "missing" => ("缺字段", "missing"),
        "wrong-type" => ("类型不符", "wrong type"),
        "timeout" => ("无应答", "no answer"),
        "exception" => ("设备报错", "exception"),
        "garbled" => ("报文损坏", "garbled"),
        "empty" => ("空报文", "empty"),
        "not-utf8" => ("不是 UTF-8", "not UTF-8"),
        "not-json" => ("不是 JSON", "not JSON"),
        "too-deep" => ("嵌套过深", "nested too deeply"),
        "not-an-object" => ("不是 JSON 对象", "not a JSON object"),
        "too-short" => ("报文过短", "too short"),
        "too-long" => ("报文过长", "too long"),
        "bad-time" => ("时间无法识别", "unreadable time"),
        "wrong-wire" => ("接口不符", "wrong wire"),
        "from-the-future" => ("时间超前", "dated in the future"),
        "too-old" => ("时间过旧", "dated too long ago"),
        "repeated" => ("重复报文", "repeated"),
        "retained" => ("服务器留存的旧消息", "kept by the broker"),
        "not-newer" => ("早于上一报文", "older than the last"),
        other => return other,
    };
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_translated_and_an_unknown_one_stays_as_it_is() {
        assert_eq!(told(Language::Zh, "stuck"), "数值不变");
        assert_eq!(told(Language::En, "not-json"), "not JSON");
        assert_eq!(told(Language::En, "brand-new"), "brand-new");
    }
}
