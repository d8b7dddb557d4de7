//! The texts around a report; its own are in [`crate::report`].

use gatehouse_core::community::quantity::Language;

/// The texts of one language.
#[derive(Debug)]
pub(in crate::console) struct ReportWords {
    pub reports: &'static str,
    pub told: &'static str,
    pub running: &'static str,
    pub print: &'static str,
    /// The same in the other language.
    pub print_other: &'static str,
    pub all: &'static str,
    pub before: &'static str,
    pub after: &'static str,
    pub table: &'static str,
    pub failed: &'static str,
    pub failed_hint: &'static str,
}

impl ReportWords {
    pub(in crate::console) fn of(language: Language) -> &'static Self {
        match language {
            Language::Zh => &ZH,
            Language::En => &EN,
        }
    }
}

static EN: ReportWords = ReportWords {
    reports: "Reports",
    told: "A page for each month: what happened, how fast it was handled, what to change. As a PDF it can be printed or handed on.",
    running: "not over yet",
    print: "PDF",
    print_other: "PDF 中文",
    all: "All months",
    before: "Month before",
    after: "Month after",
    table: "As a table",
    failed: "The report could not be made",
    failed_hint: "Try again in a moment; if that does not help, see the gateway's log.",
};

static ZH: ReportWords = ReportWords {
    reports: "报告",
    told: "每月一份：发生了什么、处理得多快、需要改进什么。可下载 PDF 打印或转交。",
    running: "尚未结束",
    print: "PDF",
    print_other: "PDF English",
    all: "全部月份",
    before: "上一月",
    after: "下一月",
    table: "数据表",
    failed: "报告未能生成",
    failed_hint: "请稍后重试；若仍不行，请查看网关日志。",
};
