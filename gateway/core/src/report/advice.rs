//! What to change, by rules; each with the numbers that led to it, and nothing when none holds.
//!
//! The numbers from which a rule speaks are the constants below; docs/reports.md gives the reasons.

use std::collections::BTreeMap;

use super::causes::{Cause, Silent};
use super::handling::{Limits, Timely, looked_in_time};
use super::{Grounds, Report, device_title, most};
use crate::community::Community;
use crate::community::quantity::Text;
use crate::event::summary::Summary;
use crate::event::verdict::Verdict;

/// So many verdicts before a scene's precision says anything, and how low is too low.
const JUDGED: u32 = 5;
const PRECISE: f64 = 0.5;
/// False alarms of one device.
const FALSE_ALARMS: u32 = 5;
/// Hours of one band of the day; so many events with a limit in it, and so much worse than the rest.
const BAND: u8 = 4;
const IN_BAND: u32 = 5;
const WORSE: f64 = 0.2;
/// Times that one cause came back.
const RETURNS: u32 = 3;
/// So many events without enough verdicts, and what is enough.
const UNJUDGED: u32 = 20;
const ENOUGH: f64 = 0.1;
/// Silences of one device.
const SILENCES: u32 = 3;
/// Events that went up a tier, and their share of all.
const ESCALATED: u32 = 5;
const ESCALATED_SHARE: f64 = 0.2;
/// Events of one cause, and their share of all.
const COMMON: u32 = 10;
const COMMON_SHARE: f64 = 0.25;
/// Lines of one rule.
const MANY: usize = 3;

/// One thing to change.
#[derive(Debug, Clone, PartialEq)]
pub enum Advice {
    /// A scene is wrong more often than right.
    Imprecise { scene: Text, real: u32, false_alarms: u32 },
    /// A device raises false alarms.
    FalseAlarms { device: Text, false_alarms: u32, events: u32 },
    /// At certain hours nobody looks in time. From an hour to another one.
    SlowHours { from: u8, to: u8, then: Timely, otherwise: Timely },
    /// What was mended comes back.
    Returns { title: Text, device: Text, times: u32 },
    /// One cause makes up much of everything.
    Common { title: Text, device: Text, events: u32, of: u32 },
    /// Events go up a tier.
    Escalated { events: u32, of: u32 },
    /// Events stay open.
    LeftOpen { events: u32, carried: u32 },
    /// A device falls silent often.
    Silent { device: Text, times: u32 },
    /// Nobody says what events were.
    Unjudged { judged: u32, events: u32 },
}

pub(super) fn of(report: &Report, events: &[&Summary], grounds: &Grounds<'_>) -> Vec<Advice> {
    let total = &report.total;
    let share = |of: u32| f64::from(of) / f64::from(total.events.max(1));
    let mut advice = Vec::new();

    if total.open + report.carried > 0 {
        advice.push(Advice::LeftOpen { events: total.open, carried: report.carried });
    }
    advice.extend(slow_hours(report, events, &grounds.limits));
    if total.escalated >= ESCALATED && share(total.escalated) >= ESCALATED_SHARE {
        advice.push(Advice::Escalated { events: total.escalated, of: total.events });
    }
    let scenes = report.scenes.iter().filter(|row| {
        let counts = &row.counts;
        counts.real + counts.false_alarms >= JUDGED
            && counts.precision().is_some_and(|precision| precision < PRECISE)
    });
    advice.extend(scenes.map(|row| Advice::Imprecise {
        scene: row.title.clone(),
        real: row.counts.real,
        false_alarms: row.counts.false_alarms,
    }));
    advice.extend(false_alarms(events, grounds.community));
    let returns = |cause: &&Cause| cause.returns >= RETURNS;
    advice.extend(report.causes.iter().filter(returns).take(MANY).map(|cause| Advice::Returns {
        title: cause.title.clone(),
        device: cause.device.clone(),
        times: cause.returns,
    }));
    let common = |cause: &&Cause| cause.events >= COMMON && share(cause.events) >= COMMON_SHARE;
    advice.extend(report.causes.iter().filter(common).take(MANY).map(|cause| Advice::Common {
        title: cause.title.clone(),
        device: cause.device.clone(),
        events: cause.events,
        of: total.events,
    }));
    let often = |silent: &&Silent| silent.times >= SILENCES;
    advice.extend(
        report
            .silent
            .iter()
            .filter(often)
            .take(MANY)
            .map(|silent| Advice::Silent { device: silent.device.clone(), times: silent.times }),
    );
    if total.events >= UNJUDGED && share(total.judged()) < ENOUGH {
        advice.push(Advice::Unjudged { judged: total.judged(), events: total.events });
    }
    advice
}

fn false_alarms(events: &[&Summary], community: &Community) -> Vec<Advice> {
    let mut devices: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for event in events {
        let (false_alarms, all) = devices.entry(&event.device).or_default();
        *false_alarms += u32::from(event.verdict == Some(Verdict::FalseAlarm));
        *all += 1;
    }
    let worst = most(devices, |(false_alarms, _)| *false_alarms, MANY);
    let told = |(id, (false_alarms, events)): (&str, (u32, u32))| {
        (false_alarms >= FALSE_ALARMS).then(|| Advice::FalseAlarms {
            device: device_title(community, id),
            false_alarms,
            events,
        })
    };
    worst.into_iter().filter_map(told).collect()
}

/// The bands of the day in which events wait clearly longer than at other times.
fn slow_hours(report: &Report, events: &[&Summary], limits: &Limits) -> Vec<Advice> {
    let mut bands = [Timely::default(); 24 / BAND as usize];
    let mut all = Timely::default();
    for event in events {
        let hour = report.stretch.offset.local(event.opened).map(jiff::civil::DateTime::hour);
        let is_in_time = looked_in_time(event, limits, report.stretch.to);
        if let (Some(hour), Some(is_in_time)) = (hour, is_in_time) {
            bands[usize::from(hour.unsigned_abs() / BAND)].note(is_in_time);
            all.note(is_in_time);
        }
    }
    let slow = |(band, then): (u8, &Timely)| {
        let otherwise = Timely { in_time: all.in_time - then.in_time, of: all.of - then.of };
        let worse = otherwise.share()? - then.share()?;
        (then.of >= IN_BAND && otherwise.of >= IN_BAND && worse >= WORSE).then_some(
            Advice::SlowHours { from: band * BAND, to: (band + 1) * BAND, then: *then, otherwise },
        )
    };
    (0..).zip(&bands).filter_map(slow).collect()
}

impl Advice {
    /// What to do.
    pub fn what(&self) -> Text {
        match self {
            Self::Imprecise { scene, .. } => Text::new(
                format!(
                    "“{}”误报多于真实事件：用历史数据回放另一个阈值，再决定是否调整。",
                    scene.zh
                ),
                format!(
                    "\"{}\" is wrong more often than right: back-test another threshold on what is on record before changing it.",
                    scene.en
                ),
            ),
            Self::FalseAlarms { device, .. } => Text::new(
                format!("到现场检查{}：安装位置、朝向、遮挡与周围干扰。", device.zh),
                format!("Check {} on site: its place, its aim, what is near it.", device.en),
            ),
            Self::SlowHours { from, to, .. } => Text::new(
                format!("{from:02}:00–{to:02}:00 响应偏慢：调整这一时段的值班安排。"),
                format!("{from:02}:00–{to:02}:00 is slow: look at the shift of these hours."),
            ),
            Self::Returns { title, device, .. } => Text::new(
                format!(
                    "{}“{}”反复出现：上次的处理没有解决问题，请查找根本原因。",
                    device.zh, title.zh
                ),
                format!(
                    "\"{}\" keeps coming back at {}: the fix did not hold, so look for what is behind it.",
                    title.en, device.en
                ),
            ),
            Self::Common { title, device, .. } => Text::new(
                format!("优先解决{}“{}”：仅此一项就占了很大比例。", device.zh, title.zh),
                format!(
                    "Deal with \"{}\" at {} first: it alone makes up much of the month.",
                    title.en, device.en
                ),
            ),
            Self::Escalated { .. } => Text::new(
                "上报过多：为每一班指定第二联系人，或放宽过紧的响应时限。",
                "Too much goes up a tier: name a second person for each shift, or give a limit that can be kept.",
            ),
            Self::LeftOpen { .. } => Text::new(
                "逐一过问仍未结束的事件：指定处理人，或说明原因后关闭。",
                "Go through what is still open: give each a person, or close it with a reason.",
            ),
            Self::Silent { device, .. } => Text::new(
                format!("检查{}的供电、电池与信号：它多次失联，期间无人看守。", device.zh),
                format!(
                    "Check power, battery and signal of {}: it fell silent often, and meanwhile nobody watched.",
                    device.en
                ),
            ),
            Self::Unjudged { .. } => Text::new(
                "处理后请点一下“真实”或“误报”：没有判定，就无法知道哪些场景可靠。",
                "Say of each event whether it was real: without verdicts nobody knows which scenes can be trusted.",
            ),
        }
    }

    /// The numbers behind it.
    pub fn because(&self) -> Text {
        match self {
            Self::Imprecise { real, false_alarms, .. } => Text::new(
                format!(
                    "{} 起有判定：真实 {real} 起，误报 {false_alarms} 起。",
                    real + false_alarms
                ),
                format!(
                    "{} were judged: {real} real, {false_alarms} false alarms.",
                    real + false_alarms
                ),
            ),
            Self::FalseAlarms { false_alarms, events, .. } => Text::new(
                format!("本月 {events} 起事件中误报 {false_alarms} 起。"),
                format!("{false_alarms} of its {events} events were false alarms."),
            ),
            Self::SlowHours { then, otherwise, .. } => Text::new(
                format!(
                    "这一时段 {} 起中 {} 起超时未确认；其他时段 {} 起中 {} 起。",
                    then.of,
                    then.late(),
                    otherwise.of,
                    otherwise.late()
                ),
                format!(
                    "{} of {} events then were not acknowledged in time; at other hours {} of {}.",
                    then.late(),
                    then.of,
                    otherwise.late(),
                    otherwise.of
                ),
            ),
            Self::Returns { times, .. } => Text::new(
                format!("本月消除后又出现 {times} 次。"),
                format!("It came back {times} times after it was over."),
            ),
            Self::Common { events, of, .. } => Text::new(
                format!("全部 {of} 起事件中占 {events} 起。"),
                format!("{events} of all {of} events."),
            ),
            Self::Escalated { events, of } => Text::new(
                format!("{of} 起事件中有 {events} 起因超时上报。"),
                format!("{events} of {of} events went up because nobody came in time."),
            ),
            Self::LeftOpen { events, carried } => Text::new(
                format!("本月 {events} 起、上月 {carried} 起尚未结束。"),
                format!("{events} of this month and {carried} of the month before are not over."),
            ),
            Self::Silent { times, .. } => Text::new(
                format!("本月失联 {times} 次。"),
                format!("It fell silent {times} times this month."),
            ),
            Self::Unjudged { judged, events } => Text::new(
                format!("{events} 起事件中只有 {judged} 起有判定。"),
                format!("Only {judged} of {events} events have a verdict."),
            ),
        }
    }
}
