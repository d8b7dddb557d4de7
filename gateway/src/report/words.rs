//! Texts of the report in the two languages that a community reads, and numbers as they are read.

use std::time::Duration;

use gatehouse_core::community::quantity::Language;
use gatehouse_core::community::scene::Category;

/// The texts of one language.
#[derive(Debug)]
pub(super) struct Words {
    pub kind: &'static str,
    pub page: [&'static str; 3],
    pub made: &'static str,
    pub comma: &'static str,
    pub late: &'static str,
    pub to: &'static str,
    pub no_calendar: &'static str,

    pub events: &'static str,
    pub before: &'static str,
    pub in_time: &'static str,
    pub median_ack: &'static str,
    pub median_handle: &'static str,
    pub ninth: &'static str,
    pub precision: &'static str,
    pub false_alarms: &'static str,
    pub open: &'static str,
    pub escalated: &'static str,
    pub reopened: &'static str,
    pub dismissed: &'static str,
    pub shelved: [&'static str; 3],
    pub unjudged: &'static str,
    pub no_limit: &'static str,

    pub change: &'static str,
    pub nothing_to_change: &'static str,
    pub happened: &'static str,
    pub by_day: &'static str,
    pub day: &'static str,
    pub by_hour: &'static str,
    pub by_category: &'static str,
    pub category: &'static str,
    pub share: &'static str,
    pub speed: &'static str,
    pub speed_told: &'static str,
    pub level: &'static str,
    pub all: &'static str,
    pub acknowledged: &'static str,
    pub handled: &'static str,
    pub closed: &'static str,
    pub reached: &'static str,
    pub in_time_short: &'static str,
    pub half: &'static str,
    pub nine: &'static str,
    pub by_area: &'static str,
    pub area: &'static str,
    pub by_scene: &'static str,
    pub scene: &'static str,
    pub real: &'static str,
    pub planned: &'static str,
    pub by_live: &'static str,
    pub trials: &'static str,
    pub would_be: &'static str,
    pub causes: &'static str,
    pub causes_told: &'static str,
    pub by_cause: &'static str,
    pub cause: &'static str,
    pub detector: &'static str,
    pub device: &'static str,
    pub devices: &'static str,
    pub silent: &'static str,
    pub none_silent: &'static str,
    pub times: &'static str,
    pub unheard: &'static str,
    pub outcome: &'static str,
    pub outcome_of: &'static str,
    pub change_of: &'static str,
    pub no_events: &'static str,
    pub how: &'static str,
    pub how_told: &'static [&'static str],
    pub levels: [&'static str; 4],
    pub weekdays: [&'static str; 7],
}

impl Words {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::Zh => &ZH,
            Language::En => &EN,
        }
    }
}

pub(super) fn category(of: Category, language: Language) -> &'static str {
    let (zh, en) = match of {
        Category::Environment => ("环境", "Environment"),
        Category::Parking => ("停车与通道", "Parking and lanes"),
        Category::Waste => ("垃圾", "Waste"),
        Category::Camera => ("视频", "Cameras"),
        Category::Facility => ("设施", "Facilities"),
        Category::Safety => ("安全", "Safety"),
    };
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

/// How long, in at most two units: `42 s`, `3 min`, `1 h 35 min`, `2 d 3 h`.
pub(super) fn span(span: Duration, language: Language) -> String {
    let [s, min, h, d] = match language {
        Language::Zh => ["秒", "分钟", "小时", "天"],
        Language::En => ["s", "min", "h", "d"],
    };
    let seconds = span.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    let two = |big: u64, unit: &str, small: u64, rest: &str| match small {
        0 => format!("{big}\u{a0}{unit}"),
        _ => format!("{big}\u{a0}{unit} {small}\u{a0}{rest}"),
    };
    match seconds {
        0..60 => two(seconds, s, 0, s),
        60..3_600 => two(minutes, min, 0, s),
        3_600..86_400 => two(hours, h, minutes % 60, min),
        _ => two(hours / 24, d, hours % 24, h),
    }
}

/// The same, or a dash where there is none.
pub(super) fn span_or(span_of: Option<Duration>, language: Language) -> String {
    span_of.map_or_else(|| "–".to_owned(), |s| span(s, language))
}

/// A share of one, in whole percent; never 100 % while one is missing, never 0 % while there is one.
pub(super) fn percent(part: u32, of: u32) -> String {
    if of == 0 {
        return "–".to_owned();
    }
    let share = f64::from(part) / f64::from(of) * 100.0;
    let whole = match (part, part == of) {
        (0, _) | (_, true) => share,
        _ => share.round().clamp(1.0, 99.0),
    };
    format!("{whole:.0}\u{a0}%")
}

/// How it differs from before: `+12 (+18 %)`; the percentage only where it says something.
pub(super) fn change(now: u32, before: u32) -> String {
    let difference = i64::from(now) - i64::from(before);
    let sign = match difference {
        0 => return "±0".to_owned(),
        1.. => "+",
        _ => "−",
    };
    let amount = difference.unsigned_abs();
    if before < 10 {
        return format!("{sign}{amount}");
    }
    let percent = (difference.unsigned_abs() as f64 / f64::from(before) * 100.0).round();
    format!("{sign}{amount} ({sign}{percent:.0}\u{a0}%)")
}

static EN: Words = Words {
    kind: "Monthly report",
    page: ["Page ", " of ", ""],
    made: "Made",
    comma: ", ",
    late: "Late",
    to: "to",
    no_calendar: "The community has no [calendar], so the month is that of UTC.",
    events: "Events",
    before: "Before",
    in_time: "Acknowledged in time",
    median_ack: "Half acknowledged within",
    median_handle: "Half handled within",
    ninth: "nine of ten",
    precision: "Right, of those judged",
    false_alarms: "False alarms",
    open: "Still open",
    escalated: "Escalated",
    reopened: "Reopened",
    dismissed: "Dismissed",
    shelved: ["Put aside for a time", " (", " in all)"],
    unjudged: "nobody has judged any",
    no_limit: "no limit is set",
    change: "What to change",
    nothing_to_change: "Nothing. No rule found a reason, and that is an answer.",
    happened: "What happened",
    by_day: "Events by day and level",
    day: "Day",
    by_hour: "When: events by weekday and hour",
    by_category: "By category",
    category: "Category",
    share: "Share",
    speed: "How fast it was handled",
    speed_told: "All spans count from the opening of the event: half is the median, nine of ten the 90th percentile. In time is held against the limits at which an event goes up a tier.",
    level: "Level",
    all: "All levels",
    acknowledged: "Acknowledged",
    handled: "Handled",
    closed: "Closed",
    reached: "Reached",
    in_time_short: "In time",
    half: "Half within",
    nine: "Nine of ten within",
    by_area: "By area",
    area: "Area",
    by_scene: "By scene: how many, and how often right",
    scene: "Scene",
    real: "Real",
    planned: "Planned work",
    by_live: "What they raised",
    trials: "Scenes on trial: what they would have raised",
    would_be: "Would-be alerts",
    causes: "Most frequent causes",
    causes_told: "A cause is one detector on one device. What fell silent is not among them.",
    by_cause: "By detector and device",
    cause: "What",
    detector: "Detector",
    device: "Device",
    devices: "Devices that raise most",
    silent: "Devices that fell silent",
    none_silent: "None did.",
    times: "Times",
    unheard: "Unheard, in all",
    outcome: "What became of them",
    outcome_of: "Outcome",
    change_of: "Change",
    no_events: "No events.",
    how: "How the figures are made",
    how_told: &[
        "An event belongs to the month in which it opened, by the community's clock. Its level is the worst that it had.",
        "In time: an event that was over by itself before its limit asked nothing of anybody, and is left out of the share.",
        "Right: real events, of those that a person judged real or a false alarm; planned work is neither.",
        "Still open: not cleared by its sensor, not closed and not dismissed at the end.",
        "Before: the month before, as much of it as has passed of this one. Drills are in no figure, and scenes on trial in none but their own.",
    ],
    levels: ["I extraordinary", "II major", "III larger", "IV general"],
    weekdays: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
};

static ZH: Words = Words {
    kind: "事件月报",
    page: ["第 ", " 页，共 ", " 页"],
    made: "生成于",
    comma: "，",
    late: "超时",
    to: "至",
    no_calendar: "社区配置中没有 [calendar]，本月按 UTC 计算。",
    events: "事件",
    before: "上月",
    in_time: "按时确认",
    median_ack: "确认用时（中位数）",
    median_handle: "处理用时（中位数）",
    ninth: "九成不超过",
    precision: "准确率",
    false_alarms: "误报",
    open: "尚未结束",
    escalated: "超时上报",
    reopened: "再次出现",
    dismissed: "已排除",
    shelved: ["暂时搁置", "（累计 ", "）"],
    unjudged: "尚无判定",
    no_limit: "未设时限",
    change: "需要改进",
    nothing_to_change: "无。各项规则均未发现需要改进之处。",
    happened: "本月情况",
    by_day: "每日事件（按等级）",
    day: "日期",
    by_hour: "时间分布（星期与小时）",
    by_category: "按类别",
    category: "类别",
    share: "占比",
    speed: "处理速度",
    speed_told: "用时均自事件产生起计：半数为中位数，九成为第 90 百分位。按时以超时上报的时限为准。",
    level: "等级",
    all: "全部等级",
    acknowledged: "确认",
    handled: "处理",
    closed: "关闭",
    reached: "已完成",
    in_time_short: "按时",
    half: "半数用时",
    nine: "九成用时",
    by_area: "按网格",
    area: "网格",
    by_scene: "按场景：数量与准确率",
    scene: "场景",
    real: "真实",
    planned: "计划作业",
    by_live: "已产生的事件",
    trials: "试运行场景：本应产生的告警",
    would_be: "本应产生的告警",
    causes: "最常见的原因",
    causes_told: "一个原因指一台设备上的一个检测器；设备失联另列。",
    by_cause: "按检测器与设备",
    cause: "事件",
    detector: "检测器",
    device: "设备",
    devices: "产生事件最多的设备",
    silent: "失联的设备",
    none_silent: "没有设备失联。",
    times: "次数",
    unheard: "累计失联",
    outcome: "处理结果",
    outcome_of: "结果",
    change_of: "变化",
    no_events: "没有事件。",
    how: "统计口径",
    how_told: &[
        "事件按社区时钟归入其产生的月份；等级取其最高等级。",
        "按时：在时限之前自行消除的事件不需要人员响应，不计入比例。",
        "准确率：在人工判定为真实或误报的事件中，真实事件所占的比例；计划作业不计入。",
        "尚未结束：期末仍未由传感器确认消除，也未关闭或排除。",
        "上月：上个月中与本月已过时间等长的一段。演练不计入任何数字；试运行场景单独列出。",
    ],
    levels: ["I 级 特别重大", "II 级 重大", "III 级 较大", "IV 级 一般"],
    weekdays: ["周一", "周二", "周三", "周四", "周五", "周六", "周日"],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_changes_and_shares_are_read_at_a_glance() {
        let en = |seconds| span(Duration::from_secs(seconds), Language::En).replace('\u{a0}', " ");
        assert_eq!(
            [en(0), en(59), en(125), en(5_700), en(7_200), en(183_600)],
            ["0 s", "59 s", "2 min", "1 h 35 min", "2 h", "2 d 3 h"]
        );
        assert_eq!(
            [change(5, 5), change(7, 5), change(80, 100), change(0, 1)],
            ["±0", "+2", "−20 (−20\u{a0}%)", "−1"]
        );
        assert_eq!(
            [percent(999, 1_000), percent(1, 1_000), percent(0, 3), percent(3, 3), percent(0, 0)]
                .map(|text| text.replace('\u{a0}', " ")),
            ["99 %", "1 %", "0 %", "100 %", "–"]
        );
    }
}
