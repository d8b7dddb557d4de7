//! The texts of the models' page.

use gatehouse_core::community::quantity::Language;

use crate::console::page::translated;
use crate::shadow::account::Broke;

/// The texts of one language.
#[derive(Debug)]
pub(in crate::console) struct ModelWords {
    pub running: &'static str,
    pub bundle: &'static str,
    pub no_bundle: &'static str,
    pub on_trial: &'static str,
    pub installed: &'static str,
    pub engine: &'static str,
    pub nobody_asked: &'static str,
    pub probation: &'static str,
    pub taken_back: &'static str,
    pub stood: &'static str,
    pub candidate: &'static str,
    pub no_candidate: &'static str,
    pub does_not_run: &'static str,
    pub within: &'static str,
    pub breaks: &'static str,
    pub stopped: &'static str,
    pub runs_for: &'static str,
    pub since: &'static str,
    pub inputs: &'static str,
    pub holes: &'static str,
    pub nothing_raised: &'static str,
    /// Scene, raised by each, by one only, budget a week, and by each: events against
    /// it / at most so many are likely.
    pub head: [&'static str; 8],
    pub apart: &'static str,
    pub only_live: &'static str,
    pub only_candidate: &'static str,
}

impl ModelWords {
    pub(in crate::console) fn of(language: Language) -> &'static Self {
        match language {
            Language::Zh => &ZH,
            Language::En => &EN,
        }
    }
}

/// What broke, in one sentence.
pub(in crate::console) fn broken(broke: &Broke, language: Language) -> String {
    let Broke { raised, likely, .. } = broke;
    let scene = translated(&broke.title, language);
    match language {
        Language::Zh => format!("“{scene}”：模型报了 {raised} 起，按预算至多 {likely} 起"),
        Language::En => {
            format!("{scene}: its models raised {raised} events where at most {likely} are likely")
        }
    }
}

static EN: ModelWords = ModelWords {
    running: "What judges here",
    bundle: "Bundle",
    no_bundle: "none: the configuration's own files",
    on_trial: "on trial: it must stay healthy for a while",
    installed: "Installed",
    engine: "Engine",
    nobody_asked: "no model is asked",
    probation: "Promoted",
    taken_back: "Taken back by itself",
    stood: "It has stood its first week.",
    candidate: "Candidate",
    no_candidate: "None runs beside.",
    does_not_run: "It cannot run",
    within: "Within its budget",
    breaks: "Breaks its budget",
    stopped: "Stopped: it broke its budget",
    runs_for: "Has run for",
    since: "Since",
    inputs: "Has seen",
    holes: "Did not see",
    nothing_raised: "Neither has raised anything.",
    head: [
        "Scene",
        "Live",
        "Candidate",
        "Only live",
        "Only candidate",
        "Budget a week",
        "Used / at most, live",
        "Used / at most, candidate",
    ],
    apart: "Where they disagree",
    only_live: "only live",
    only_candidate: "only candidate",
};

static ZH: ModelWords = ModelWords {
    running: "当前运行",
    bundle: "模型包",
    no_bundle: "无，使用配置目录中的文件",
    on_trial: "试运行中：须保持正常一段时间",
    installed: "已安装",
    engine: "推理引擎",
    nobody_asked: "未调用模型",
    probation: "已转正",
    taken_back: "已自动回退",
    stood: "已通过首周观察。",
    candidate: "候选",
    no_candidate: "没有并行运行的候选。",
    does_not_run: "无法运行",
    within: "误报在预算之内",
    breaks: "超出误报预算",
    stopped: "已停用：超出误报预算",
    runs_for: "已运行",
    since: "开始于",
    inputs: "已处理输入",
    holes: "未能处理",
    nothing_raised: "双方均未报警。",
    head: [
        "场景",
        "现用",
        "候选",
        "仅现用",
        "仅候选",
        "每周预算",
        "已用 / 上限（现用）",
        "已用 / 上限（候选）",
    ],
    apart: "不一致之处",
    only_live: "仅现用",
    only_candidate: "仅候选",
};
