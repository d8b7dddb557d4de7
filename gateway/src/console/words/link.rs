//! The texts of the pages behind the buttons of alerts.

use gatehouse_core::community::quantity::Language;

/// The texts of one language.
#[derive(Debug)]
pub(in crate::console) struct LinkWords {
    pub acknowledge: &'static str,
    pub false_alarm: &'static str,
    pub yes: &'static str,
    pub nothing_yet: &'static str,
    pub unknown: &'static str,
    pub done: &'static str,
    pub not_done: &'static str,
    pub forged: &'static str,
    pub expired: &'static str,
    pub used: &'static str,
    pub then: &'static str,
    pub revoked: &'static str,
    pub past: &'static str,
}

impl LinkWords {
    pub(in crate::console) fn of(language: Language) -> &'static Self {
        match language {
            Language::Zh => &ZH,
            Language::En => &EN,
        }
    }
}

static EN: LinkWords = LinkWords {
    acknowledge: "Acknowledge this event?",
    false_alarm: "Dismiss this event as a false alarm?",
    yes: "Yes",
    nothing_yet: "Nothing has been done yet. The button works once.",
    unknown: "The event is too old to be shown.",
    done: "Done",
    not_done: "Nothing was done",
    forged: "This link is not one of ours",
    expired: "This link has expired",
    used: "This link was used before",
    then: "Nothing was changed. Open the console to see the event and what can be done about it.",
    revoked: "This link was withdrawn",
    past: "This is not asked any more",
};

static ZH: LinkWords = LinkWords {
    acknowledge: "确认收到此事件？",
    false_alarm: "将此事件判为误报？",
    yes: "确定",
    nothing_yet: "尚未执行任何操作。此按钮只能使用一次。",
    unknown: "该事件过早，已无法显示。",
    done: "已完成",
    not_done: "未作更改",
    forged: "此链接无效",
    expired: "此链接已过期",
    used: "此链接已使用过",
    then: "未作任何更改。请打开控制台查看事件及可采取的处置。",
    revoked: "此链接已被收回",
    past: "此问题已不再需要回答",
};
