//! The texts around every page.

use gatehouse_core::community::quantity::Language;

use crate::console::page::Here;

/// The texts of one language.
#[derive(Debug)]
pub(in crate::console) struct FrameWords {
    /// In the order of [`Here`].
    pages: [&'static str; 11],
    pub signed_in: &'static str,
    pub large: &'static str,
    pub normal: &'static str,
    pub voice: &'static str,
    pub voice_on: &'static str,
    pub voice_off: &'static str,
    pub keys: &'static str,
    pub keys_on: &'static str,
    pub each_key: [(&'static str, &'static str); 6],
    pub shut: &'static str,
}

impl FrameWords {
    pub(in crate::console) fn of(language: Language) -> &'static Self {
        match language {
            Language::Zh => &ZH,
            Language::En => &EN,
        }
    }

    pub(in crate::console) fn page(&self, here: Here) -> &'static str {
        let at = match here {
            Here::Events => 0,
            Here::Map => 1,
            Here::Devices => 2,
            Here::Scenes => 3,
            Here::Models => 4,
            Here::People => 5,
            Here::Reports => 6,
            Here::Audit => 7,
            Here::Settings => 8,
            Here::Integrate => 9,
            Here::Account => 10,
        };
        self.pages[at]
    }
}

static EN: FrameWords = FrameWords {
    pages: [
        "Events",
        "Map",
        "Devices",
        "Scenes",
        "Models",
        "People",
        "Reports",
        "Audit",
        "Settings",
        "Integrate",
        "Account",
    ],
    signed_in: "Signed in as ",
    large: "Large letters",
    normal: "Normal letters",
    voice: "Read aloud",
    voice_on: "New events are read aloud.",
    voice_off: "Events are no longer read aloud.",
    keys: "Keyboard shortcuts",
    keys_on: "Shortcuts are on",
    each_key: [
        ("j", "Next event"),
        ("k", "Event before"),
        ("x", "Choose the event, or not"),
        ("a", "Acknowledge the event"),
        ("/", "Search"),
        ("?", "This help"),
    ],
    shut: "Close",
};

static ZH: FrameWords = FrameWords {
    pages: ["事件", "地图", "设备", "场景", "模型", "人员", "报告", "审计", "设置", "接入", "账号"],
    signed_in: "当前账号：",
    large: "大字",
    normal: "标准字",
    voice: "语音播报",
    voice_on: "新事件将语音播报。",
    voice_off: "已停止语音播报。",
    keys: "键盘快捷键",
    keys_on: "启用快捷键",
    each_key: [
        ("j", "下一个事件"),
        ("k", "上一个事件"),
        ("x", "选中或取消选中"),
        ("a", "确认该事件"),
        ("/", "搜索"),
        ("?", "本帮助"),
    ],
    shut: "关闭",
};
