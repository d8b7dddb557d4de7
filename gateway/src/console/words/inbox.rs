//! The texts of the inbox, and of what people do about events.

use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::Stage;

/// In the order in which people come through them.
pub(in crate::console) const STAGES: [Stage; 7] = [
    Stage::Raised,
    Stage::Acknowledged,
    Stage::Dispatched,
    Stage::Handled,
    Stage::Verified,
    Stage::Closed,
    Stage::Dismissed,
];

/// The texts of one language.
#[derive(Debug)]
pub(in crate::console) struct InboxWords {
    pub filter: &'static str,
    pub text: &'static str,
    pub level: &'static str,
    pub area: &'static str,
    pub scene: &'static str,
    pub stage_name: &'static str,
    pub any_level: &'static str,
    pub any_area: &'static str,
    pub any_scene: &'static str,
    pub any_stage: &'static str,
    pub show: &'static str,
    pub show_all: &'static str,
    pub no_match: &'static str,

    pub past: &'static str,
    pub no_past: &'static str,
    pub none_yet: &'static str,
    pub older: &'static str,
    pub newest: &'static str,
    pub searched_back: &'static str,
    pub unreadable: &'static str,

    pub choose: &'static str,
    pub chosen: &'static str,
    pub acknowledge: &'static str,
    pub pilot: &'static str,
    pub aside: &'static str,
    pub ended: &'static str,
    pub lasts: &'static str,

    /// How many were done, how many were not.
    pub done: [(&'static str, &'static str); 2],
    stages: [&'static str; 7],
}

impl InboxWords {
    pub(in crate::console) fn of(language: Language) -> &'static Self {
        match language {
            Language::Zh => &ZH,
            Language::En => &EN,
        }
    }

    pub(in crate::console) fn stage(&self, stage: Stage) -> &'static str {
        let at = STAGES.into_iter().position(|other| other == stage);
        self.stages[at.unwrap_or_default()]
    }
}

static EN: InboxWords = InboxWords {
    filter: "Filter the events",
    text: "Search",
    level: "Level",
    area: "Area",
    scene: "Scene",
    stage_name: "Stage",
    any_level: "All levels",
    any_area: "All areas",
    any_scene: "All scenes",
    any_stage: "All stages",
    show: "Show",
    show_all: "Show all",
    no_match: "No open event matches.",

    past: "Earlier",
    no_past: "No earlier event matches.",
    none_yet: "No event is over yet.",
    older: "Older events",
    newest: "Back to the newest",
    searched_back: "Searched back to",
    unreadable: "The events of the past cannot be read now; see the gateway's log, and try again.",

    choose: "Choose",
    chosen: "Acknowledge the chosen ones",
    acknowledge: "Acknowledge",
    pilot: "On trial: seen by integrators only",
    aside: "Put aside until",
    ended: "Over",
    lasts: "Goes on",

    done: [("", " done."), (" Not done: ", ".")],
    stages: ["New", "Acknowledged", "Dispatched", "Handled", "Verified", "Closed", "Dismissed"],
};

static ZH: InboxWords = InboxWords {
    filter: "筛选事件",
    text: "搜索",
    level: "级别",
    area: "区域",
    scene: "场景",
    stage_name: "阶段",
    any_level: "全部级别",
    any_area: "全部区域",
    any_scene: "全部场景",
    any_stage: "全部阶段",
    show: "查看",
    show_all: "查看全部",
    no_match: "没有符合条件的未结事件。",

    past: "以往事件",
    no_past: "没有符合条件的以往事件。",
    none_yet: "尚无已结束的事件。",
    older: "更早的事件",
    newest: "回到最新",
    searched_back: "已查到",
    unreadable: "暂时无法读取以往事件，请查看网关日志后重试。",

    choose: "选择",
    chosen: "确认所选事件",
    acknowledge: "确认",
    pilot: "试运行，仅集成人员可见",
    aside: "搁置至",
    ended: "已结束",
    lasts: "仍在持续",

    done: [("", " 项已完成。"), ("未完成 ", " 项。")],
    stages: ["新事件", "已确认", "已派单", "已处置", "已核实", "已关闭", "已排除"],
};
