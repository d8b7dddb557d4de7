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
        "other-device" => ("型号或版本不符", "another device or version"),
        "wrong-wire" => ("接口不符", "wrong wire"),
        "from-the-future" => ("时间超前", "dated in the future"),
        "too-old" => ("时间过旧", "dated too long ago"),
        "repeated" => ("重复报文", "repeated"),
        "retained" => ("服务器留存的旧消息", "kept by the broker"),
        "not-newer" => ("早于上一报文", "older than the last"),
        other => return of_a_camera(language, other),
    };
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

/// The same of cameras and their pictures.
fn of_a_camera(language: Language, word: &'static str) -> &'static str {
    let (zh, en) = match word {
        "bad-address" => ("地址有误", "bad address"),
        "no-credentials" => ("缺少用户名和密码", "no name and password given"),
        "wrong-credentials" => ("用户名或密码被拒绝", "name or password refused"),
        "forbidden" => ("无权访问", "not allowed"),
        "not-found" => ("地址上没有内容", "nothing at the address"),
        "bad-status" => ("应答状态异常", "unexpected status"),
        "redirect-loop" => ("循环重定向", "sent round in circles"),
        "bad-redirect" => ("重定向无效", "sent on to no picture"),
        "unreachable" => ("无法连接", "not reached"),
        "bad-certificate" => ("证书不可信", "certificate not believed"),
        "silent" => ("没有数据", "silent"),
        "hung-up" => ("连接被断开", "hung up"),
        "endless-header" => ("应答头没有结尾", "headers without end"),
        "endless-answer" => ("应答过长", "answer too long"),
        "endless-picture" => ("画面没有结尾", "picture without end"),
        "too-large" | "too-many-pixels" => ("画面过大", "picture too large"),
        "no-boundary" => ("缺分隔符", "no boundary"),
        "not-a-picture" => ("不是画面", "not a picture"),
        "unknown-encoding" => ("编码不支持", "unknown encoding"),
        "corrupt-picture" => ("画面无法解码", "cannot be decoded"),
        "no-picture" => ("没有画面", "no picture"),
        "overload" => ("来得过快", "too fast"),
        "packet-loss" => ("数据包丢失", "packets lost"),
        "bad-rtsp" => ("RTSP 无法理解", "RTSP not understood"),
        "bad-onvif" => ("ONVIF 无法理解", "ONVIF not understood"),
        "no-picture-in-json" => ("JSON 中没有画面", "no picture in the JSON"),
        "unreadable" => ("无法读取", "cannot be read"),
        "ended" => ("播放完毕", "at its end"),
        "broke-down" => ("读取程序出错", "broke down"),
        "not-jpeg" => ("不是 JPEG", "not a JPEG"),
        "bad-header" => ("JPEG 头损坏", "bad JPEG header"),
        "truncated" => ("画面不完整", "cut off"),
        "no-pixels" => ("画面没有像素", "no pixels"),
        "unsupported" => ("JPEG 类型不支持", "unsupported kind of JPEG"),
        "broken" => ("画面损坏", "damaged picture"),
        other => return other,
    };
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

/// What to look at when that reason comes again and again; `None` where there is nothing to say.
pub fn advice(language: Language, word: &str) -> Option<&'static str> {
    let (zh, en) = match word {
        "out-of-range" => (
            "数值超出传感器能测的范围：检查接线与探头，再核对设备类型里的量程和单位。",
            "The value is more than the sensor can measure: check wiring and probe, then range and unit in the device type.",
        ),
        "jumped" => (
            "变化快得不可信：检查松动的接头和干扰；若确实会这么快，放宽设备类型的 `max-rate`。",
            "It changed faster than is believable: look for a loose contact or interference; if it can be so fast, raise `max-rate`.",
        ),
        "stuck" => (
            "数值长时间不变：重启传感器；若本来就这么平稳，放宽 `stuck-after`。",
            "The same value for too long: restart the sensor; if it is that steady, raise `stuck-after`.",
        ),
        "stale" => (
            "太久没有新数据：检查供电、电池和信号。",
            "Nothing new for too long: check power, battery and reception.",
        ),
        "no-data" => (
            "传感器自己说没有测到：检查探头是否脱落或损坏。",
            "The sensor itself says that it has no value: check whether its probe is off or broken.",
        ),
        "missing" => (
            "报文里没有这个字段：核对设备类型中的路径，或设备固件是否改过格式。",
            "The message lacks the field: compare its place in the device type with what the firmware sends now.",
        ),
        "wrong-type" => (
            "字段不是数值：核对设备类型中的路径与 `words`。",
            "The field is no number: check its place and `words` in the device type.",
        ),
        "timeout" => (
            "设备没有应答：检查供电、接线、站号和波特率；总线上可能有两台同号设备。",
            "No answer: check power, wiring, unit id and speed; two devices may share one id.",
        ),
        "exception" => (
            "设备拒绝了请求：核对寄存器地址和功能码。",
            "The device refuses the request: check register addresses and the table in the device type.",
        ),
        "garbled" => (
            "报文损坏：检查总线终端电阻、屏蔽和线长。",
            "The answer was damaged: check termination, shielding and length of the bus.",
        ),
        "empty" | "not-utf8" | "not-json" | "too-deep" | "not-an-object" | "too-short"
        | "too-long" => (
            "报文与设备类型不符：把一条原始报文贴到集成页比对，或检查设备固件。",
            "The message is not what the device type expects: compare one with the type's example, or check the firmware.",
        ),
        "bad-time" | "from-the-future" | "too-old" => (
            "设备时钟不对：给设备校时，或在设备类型里不用它的时间。",
            "The device's clock is wrong: set it, or do not use its time in the device type.",
        ),
        "other-device" => (
            "设备的型号或寄存器表版本与设备类型不符：给它相应版本的设备类型，或更换设备固件。",
            "It is another device, or has another version of its registers, than the device type reads: give it the type of that version, or change its firmware.",
        ),
        "wrong-wire" => (
            "设备从另一种接口上报：核对它在 community.toml 中的类型。",
            "It came on another wire: check the device's type in community.toml.",
        ),
        "repeated" | "not-newer" => (
            "同一报文重复到达，通常无害；若很多，检查是否有两路转发。",
            "The same message again; usually harmless. When there are many, look for a second forwarder.",
        ),
        _ => return None,
    };
    Some(match language {
        Language::Zh => zh,
        Language::En => en,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_translated_and_an_unknown_one_stays_as_it_is() {
        assert_eq!(told(Language::Zh, "stuck"), "数值不变");
        assert_eq!(told(Language::En, "not-json"), "not JSON");
        assert_eq!(told(Language::En, "brand-new"), "brand-new");
        assert_eq!(told(Language::Zh, "packet-loss"), "数据包丢失");
    }

    #[test]
    fn every_quality_but_good_has_advice() {
        for quality in crate::reading::Quality::ALL {
            let word = quality.word();
            assert_eq!(advice(Language::En, word).is_some(), word != "good", "{word}");
        }
        assert_eq!(advice(Language::Zh, "brand-new"), None);
    }
}
