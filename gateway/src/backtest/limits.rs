//! What a backtest cannot show, in words.

use std::collections::{BTreeMap, BTreeSet};

use gatehouse_core::community::quantity::Text;
use gatehouse_core::detect::coarse::NeedsMore;
use gatehouse_core::reading::DeviceIndex;
use gatehouse_core::statistics::quarter::{LENGTH, Quarter};

use super::past::Past;
use super::span::Span;
use super::trial::Trial;

/// Names in one line at most.
const NAMES: usize = 8;

/// In words, the general after the particular.
pub(super) fn cannot_show(
    trial: &Trial<'_>,
    past: &Past,
    gaps: &BTreeSet<(DeviceIndex, Quarter)>,
    span: Span,
) -> Vec<Text> {
    let mut told = Vec::new();
    let windows = past.windows.len();
    let all = span.quarters().count();
    let mut missing: BTreeMap<DeviceIndex, usize> = BTreeMap::new();
    for (device, _) in gaps {
        *missing.entry(*device).or_default() += 1;
    }
    let name = |index: &DeviceIndex| trial.community.device(*index).id.clone();
    let (none, some): (Vec<_>, Vec<_>) = missing.iter().partition(|(_, count)| **count == all);
    let mut say = |zh: String, en: String| told.push(Text::new(zh, en));
    if trial.devices.is_empty() {
        say(
            "已配置的设备中没有本场景要看的测点".to_owned(),
            "no configured device has what the scene looks at".to_owned(),
        );
    }
    if !none.is_empty() {
        let list = listed(none.into_iter().map(|(d, _)| name(d)));
        say(format!("没有留存 {list} 的任何数据"), format!("nothing was kept of {list}"));
    }
    if !some.is_empty() {
        let list = listed(some.into_iter().map(|(d, _)| name(d)));
        say(
            format!("{list} 有时没有读数；最新的数据在一小时内写入"),
            format!(
                "at times there are no readings of {list}; the newest are written within an hour"
            ),
        );
    }
    if !past.strangers.is_empty() {
        let list = listed(past.strangers.iter().cloned());
        say(
            format!("{list}：有留存数据，但已不在配置中，未计入"),
            format!("{list}: kept, but not configured any more, and left out"),
        );
    }
    if past.damaged > 0 {
        let pages = past.damaged;
        say(
            format!("留存数据中有 {pages} 页无法读取"),
            format!("{pages} pages of what was kept could not be read"),
        );
    }
    if !past.out_of_order.is_empty() {
        let quarters = past.out_of_order.len();
        say(
            format!("有 {quarters} 个刻钟内时钟被回拨，其中的结论都不确定"),
            format!("in {quarters} quarters a clock went back, so that nothing is sure in them"),
        );
    }
    of_detectors(trial, windows, &mut say);
    say(
        "一个刻钟只留最小、最大和平均读数：不知先后，也不知变化快慢；连续一段内的几起事件算一起".to_owned(),
        "a quarter of an hour is its smallest, largest and mean reading: neither their order nor how \
         fast they changed; several events in one stretch count as one"
            .to_owned(),
    );
    say(
        format!(
            "这段时间里只有 {windows} 起事件前后的每条读数是全的：从当时检测器计数前至多两小时，到其后一刻钟"
        ),
        format!(
            "every reading is known around {windows} events of that time only: from up to two hours before a \
             live detector counted to a quarter of an hour after it"
        ),
    );
    say(
        "不判断级别，也不判断失联的传感器".to_owned(),
        "levels, and sensors that fell silent, are not judged".to_owned(),
    );
    told
}

/// What the scene's detectors cannot be tried for.
fn of_detectors(trial: &Trial<'_>, windows: usize, say: &mut impl FnMut(String, String)) {
    for (detector, needs) in trial.blind() {
        match needs {
            NeedsMore::Minutes => say(
                format!(
                    "“{detector}”要看读数之前几分钟的变化（`rate`、`mean`、`held`）：只在事件前后的读数上试过，\
                     共留存 {windows} 段"
                ),
                format!(
                    "`{detector}` looks at the minutes before a reading (`rate`, `mean`, `held`): tried on \
                     the readings around events alone, of which {windows} are kept"
                ),
            ),
            NeedsMore::Samples => say(
                format!(
                    "“{detector}”是模型：只给它看了每刻钟的均值，更短的变化不在其中；它至多从之前两周学起，\
                     所得结论都算“也许”"
                ),
                format!(
                    "`{detector}` is a model: it was shown the means of quarters of an hour, and what is \
                     shorter is not in them; it learns from the two weeks before at most, and what it \
                     finds is \"perhaps\""
                ),
            ),
        }
    }
    for (detector, compiled) in &trial.detectors {
        let (id, on) = (&detector.id, compiled.delays.on);
        if !on.is_zero() && on < LENGTH && compiled.needs_more().is_none() {
            let on = humantime::format_duration(on);
            say(
                format!("“{id}”的延时为 {on}，不足一刻钟：持续不到三个刻钟的都算“也许”"),
                format!(
                    "`{id}` waits for {on}, less than a quarter of an hour: what lasted for less than three \
                     quarters is \"perhaps\""
                ),
            );
        }
        if detector.warn_within.is_some() {
            say(
                format!("“{id}”的提前预警没有试"),
                format!("the early warning of `{id}` is not tried"),
            );
        }
        if detector.when.is_some() && compiled.needs_more().is_none() {
            say(
                format!(
                    "“{id}”只在每刻钟的最小、平均和最大值上试过：需要中间值、或需要几个值同时出现的，不能确定"
                ),
                format!(
                    "`{id}` is tried on the smallest, mean and largest values of each quarter: what needs \
                     one in between, or values that came together, is not seen for sure"
                ),
            );
        }
    }
}

fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMES);
    let list = names.take(NAMES).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}
