//! Every text of the console in the two languages that a community reads.
//!
//! One table per language, so that a translator reads a whole and the compiler misses no line.
//! What the core's own words mean to a person stands in [`super::terms`]; titles, reasons and advice
//! come from the configuration and the events themselves.

pub(super) mod access;
pub(super) mod camera;
pub(super) mod event;
pub(super) mod frame;
pub(super) mod inbox;
pub(super) mod integrate;
pub(super) mod link;
pub(super) mod models;
pub(super) mod phone;
pub(super) mod report;
pub(super) mod scenes;
pub(super) mod site;

use gatehouse_core::community::quantity::Language;

/// The texts of one language.
#[derive(Debug)]
pub(super) struct Words {
    /// BCP 47, for `<html lang>`.
    pub tag: &'static str,
    pub skip: &'static str,
    pub pages: &'static str,
    pub events: &'static str,
    pub devices: &'static str,
    pub models: &'static str,
    /// The other language, in its own words.
    pub other: (&'static str, &'static str),
    pub leave: &'static str,
    pub lost: &'static str,

    pub glance: &'static str,
    pub heard: &'static str,
    pub silent: &'static str,
    pub never: &'static str,
    pub sources: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub last_reading: &'static str,
    pub readings: &'static str,
    pub refused: &'static str,
    pub waiting: &'static str,
    pub store_fault: &'static str,
    pub clock: &'static str,

    pub calm: &'static str,
    pub starting: &'static str,
    pub starting_hint: &'static str,
    pub no_reading: &'static str,
    pub since: &'static str,
    pub drill: &'static str,
    pub review: &'static str,
    pub what_to_do: &'static str,
    pub numbers: &'static str,
    pub point: &'static str,
    pub observed: &'static str,
    pub expected: &'static str,
    pub share: &'static str,
    pub detector: &'static str,
    pub score: &'static str,
    pub grading: &'static str,
    pub data_quality: &'static str,
    pub affected: &'static str,
    pub event_id: &'static str,
    pub nothing: &'static str,

    pub judge: &'static str,
    pub your_name: &'static str,
    pub note: &'static str,
    pub false_alarm: &'static str,
    pub real: &'static str,
    pub planned_work: &'static str,
    pub withdraw: &'static str,
    pub taken_down: &'static str,
    pub record: &'static str,
    pub record_hint: &'static str,
    pub scene: &'static str,
    pub unjudged: &'static str,
    pub precision: &'static str,

    pub all: &'static str,
    pub troubled: &'static str,
    pub learning: &'static str,
    pub no_devices: &'static str,
    pub dropped: &'static str,
    pub unknown_area: &'static str,

    pub login: &'static str,
    pub login_hint: &'static str,
    pub password: &'static str,
    pub enter: &'static str,
    pub wrong: &'static str,
    pub back: &'static str,

    /// Seconds, minutes, hours, days: what follows the number.
    pub ages: [&'static str; 4],
    pub ago: (&'static str, &'static str),
    levels: [&'static str; 4],
}

impl Words {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::Zh => &ZH,
            Language::En => &EN,
        }
    }

    /// `I`..`IV` and its name; whatever is out of the scale counts as the nearest level.
    pub(super) fn level(&self, level: u8) -> (&'static str, &'static str) {
        let at = usize::from(level.clamp(1, 4)) - 1;
        (["I", "II", "III", "IV"][at], self.levels[at])
    }

    /// How long, in the largest unit that still tells something: `42 s`, `3 min`, `1 h 35 min`,
    /// `12 h`, `2 d`. `live.js` does the same with the same words.
    pub(super) fn age(&self, span: std::time::Duration) -> String {
        let seconds = span.as_secs();
        let (number, unit) = match seconds {
            0..60 => (seconds, 0),
            60..3_600 => (seconds / 60, 1),
            3_600..36_000 => {
                let [_, minutes, hours, _] = self.ages;
                let (whole, rest) = (seconds / 3_600, seconds % 3_600 / 60);
                if rest > 0 {
                    return format!("{whole}{hours} {rest}{minutes}");
                }
                (whole, 2)
            }
            36_000..172_800 => (seconds / 3_600, 2),
            _ => (seconds / 86_400, 3),
        };
        format!("{number}{}", self.ages[unit])
    }
}

static EN: Words = Words {
    tag: "en",
    skip: "Skip to content",
    pages: "Pages",
    events: "Events",
    devices: "Devices",
    models: "Models",
    other: ("zh", "中文"),
    leave: "Sign out",
    lost: "No connection to the gateway. What you see may be out of date; trying again.",

    glance: "The gateway at a glance",
    heard: "Devices heard",
    silent: "silent",
    never: "Never heard",
    sources: "Sources",
    up: "Up",
    down: "Down",
    last_reading: "Last reading",
    readings: "Readings in",
    refused: "Refused",
    waiting: "Waiting for the platform",
    store_fault: "The store cannot write: ",
    clock: "Clock",

    calm: "Nothing needs you",
    starting: "Starting up",
    starting_hint: "The gateway has not looked at its devices yet.",
    no_reading: "no reading yet",
    since: "for",
    drill: "Exercise",
    review: "A person must look first",
    what_to_do: "What to do",
    numbers: "The numbers behind it",
    point: "Point",
    observed: "Observed",
    expected: "Expected",
    share: "Share",
    detector: "Detector",
    score: "Score / threshold",
    grading: "What set the level",
    data_quality: "Good readings in the window",
    affected: "Devices concerned",
    event_id: "Event",
    nothing: "none",

    judge: "Was it right?",
    your_name: "Your name",
    note: "Note, if you like",
    false_alarm: "False alarm",
    real: "Real",
    planned_work: "Planned work",
    withdraw: "Take it back",
    taken_down: "Taken down",
    record: "How often it was right",
    record_hint: "Events of the last 90 days. Right: the share of real ones among real and false.",
    scene: "Scene",
    unjudged: "Not judged",
    precision: "Right",

    all: "All",
    troubled: "With trouble",
    learning: "learning",
    no_devices: "No device matches.",
    dropped: "Let go",
    unknown_area: "No area",

    login: "Sign in",
    login_hint: "Enter the password that the gateway printed when it started.",
    password: "Password",
    enter: "Sign in",
    wrong: "That password is wrong.",
    back: "Back to the events",

    ages: [" s", " min", " h", " d"],
    ago: ("", " ago"),
    levels: ["Extraordinary", "Major", "Larger", "General"],
};

static ZH: Words = Words {
    tag: "zh-CN",
    skip: "跳到正文",
    pages: "页面",
    events: "事件",
    devices: "设备",
    models: "模型",
    other: ("en", "English"),
    leave: "退出",
    lost: "与网关的连接已断开，页面内容可能已过时，正在重试。",

    glance: "网关概况",
    heard: "在线设备",
    silent: "失联",
    never: "从未上报",
    sources: "数据源",
    up: "正常",
    down: "中断",
    last_reading: "最近读数",
    readings: "读数总计",
    refused: "已拒收",
    waiting: "待上报平台",
    store_fault: "存储无法写入：",
    clock: "时钟",

    calm: "一切正常，无需处理",
    starting: "正在启动",
    starting_hint: "网关还没有读到设备。",
    no_reading: "尚无读数",
    since: "已持续",
    drill: "演练",
    review: "须先由人核实",
    what_to_do: "怎么办",
    numbers: "判断依据",
    point: "测点",
    observed: "实测",
    expected: "正常范围",
    share: "占比",
    detector: "检测器",
    score: "得分 / 阈值",
    grading: "定级依据",
    data_quality: "窗口内有效读数",
    affected: "涉及设备",
    event_id: "事件",
    nothing: "无",

    judge: "报得对吗？",
    your_name: "您的姓名",
    note: "备注（可不填）",
    false_alarm: "误报",
    real: "属实",
    planned_work: "计划内作业",
    withdraw: "撤回判断",
    taken_down: "已记录",
    record: "报得准不准",
    record_hint: "最近 90 天的事件。准确率：属实占属实与误报之和的比例。",
    scene: "场景",
    unjudged: "未判断",
    precision: "准确率",

    all: "全部",
    troubled: "有问题的",
    learning: "学习中",
    no_devices: "没有符合条件的设备。",
    dropped: "已丢弃",
    unknown_area: "未分区",

    login: "登录",
    login_hint: "请输入网关启动时打印的密码。",
    password: "密码",
    enter: "登录",
    wrong: "密码不正确。",
    back: "返回事件列表",

    ages: [" 秒", " 分钟", " 小时", " 天"],
    ago: ("", "前"),
    levels: ["特别重大", "重大", "较大", "一般"],
};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_age_is_told_in_the_largest_unit_that_still_tells_something() {
        for (seconds, en, zh) in [
            (0, "0 s", "0 秒"),
            (59, "59 s", "59 秒"),
            (60, "1 min", "1 分钟"),
            (3_599, "59 min", "59 分钟"),
            (5_759, "1 h 35 min", "1 小时 35 分钟"),
            (36_000, "10 h", "10 小时"),
            (172_799, "47 h", "47 小时"),
            (172_800, "2 d", "2 天"),
        ] {
            let span = Duration::from_secs(seconds);
            assert_eq!((EN.age(span), ZH.age(span)), (en.into(), zh.into()));
        }
    }

    #[test]
    fn a_level_out_of_the_scale_is_shown_as_the_nearest_one() {
        assert_eq!(EN.level(0), ("I", "Extraordinary"));
        assert_eq!(ZH.level(2), ("II", "重大"));
        assert_eq!(EN.level(9), ("IV", "General"));
    }
}
