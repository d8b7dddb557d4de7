//! The sentences of a report that are made from its figures.

use gatehouse_core::community::quantity::Language;
use gatehouse_core::report::Report;

use super::compose::clock;
use super::words::{Words, percent, span};

/// The month in a few sentences.
pub(super) fn lead(report: &Report, language: Language) -> String {
    let month = super::compose::pick(&report.month.title(), language);
    let total = &report.total;
    if total.events == 0 {
        return match language {
            Language::Zh => format!("{month}没有需要处理的事件。"),
            Language::En => format!("In {month} there was no event to handle."),
        };
    }
    let mut lead = match language {
        Language::Zh => format!("{month}共发生事件 {} 起", total.events),
        Language::En => format!("In {month} there were {}", plural(total.events, "event")),
    };
    lead.push_str(&compared(report, language));
    lead.push_str(match language {
        Language::Zh => "。",
        Language::En => ". ",
    });
    for part in [urgent(report, language), speed(report, language), ends(report, language)] {
        lead.push_str(&part);
    }
    lead.trim_end().to_owned()
}

fn compared(report: &Report, language: Language) -> String {
    let Some(before) = &report.before else { return String::new() };
    let (now, then) = (report.total.events, before.events);
    let amount = now.abs_diff(then);
    let is_same_length = report.stretch.is_over;
    match (language, now.cmp(&then)) {
        (Language::Zh, order) => {
            let before = if is_same_length { "上月" } else { "上月同期" };
            match order {
                std::cmp::Ordering::Less => format!("，比{before}少 {amount} 起"),
                std::cmp::Ordering::Equal => format!("，与{before}相同"),
                std::cmp::Ordering::Greater => format!("，比{before}多 {amount} 起"),
            }
        }
        (Language::En, order) => {
            let before = if is_same_length {
                "in the month before"
            } else {
                "in the same days of the month before"
            };
            match order {
                std::cmp::Ordering::Less => format!(", {amount} fewer than {before}"),
                std::cmp::Ordering::Equal => format!(", as many as {before}"),
                std::cmp::Ordering::Greater => format!(", {amount} more than {before}"),
            }
        }
    }
}

fn urgent(report: &Report, language: Language) -> String {
    let [first, second, ..] = report.total.levels;
    match language {
        Language::Zh if first + second == 0 => "没有重大及以上等级的事件。".to_owned(),
        Language::En if first + second == 0 => "None was of level I or II. ".to_owned(),
        Language::Zh => format!("其中 I 级 {first} 起，II 级 {second} 起。"),
        Language::En => format!("{first} of them reached level I, {second} level II. "),
    }
}

fn speed(report: &Report, language: Language) -> String {
    let spans = &report.pace.acknowledge;
    let Some(median) = spans.median else {
        return match language {
            Language::Zh => "没有人确认过任何事件。".to_owned(),
            Language::En => "Nobody acknowledged any. ".to_owned(),
        };
    };
    let (median, timely) = (span(median, language), spans.timely);
    let share = percent(timely.in_time, timely.of);
    match language {
        Language::Zh if timely.of == 0 => format!("确认用时的中位数为 {median}。"),
        Language::En if timely.of == 0 => format!("Half were acknowledged within {median}. "),
        Language::Zh => format!("确认用时的中位数为 {median}，{share} 按时确认。"),
        Language::En => {
            format!("Half were acknowledged within {median}, and {share} in time. ")
        }
    }
}

fn ends(report: &Report, language: Language) -> String {
    let open = report.total.open;
    match language {
        Language::Zh if open == 0 => "期末没有未结束的事件。".to_owned(),
        Language::En if open == 0 => "At the end none was open.".to_owned(),
        Language::Zh => format!("期末尚有 {open} 起未结束。"),
        Language::En => format!("At the end {open} were still open."),
    }
}

/// What is not in the figures, and why.
pub(super) fn remarks(report: &Report, language: Language) -> Vec<String> {
    let (stretch, left_out) = (&report.stretch, &report.left_out);
    let mut remarks = Vec::new();
    let mut say = |zh: String, en: String| {
        remarks.push(match language {
            Language::Zh => zh,
            Language::En => en,
        });
    };
    if !stretch.is_over {
        let until = clock(stretch.to, stretch.offset);
        say(
            format!("本月尚未结束，数字截至 {until}；“上月”为同样长的一段时间。"),
            format!(
                "The month is not over: figures up to {until}. What was before is a stretch of the same length."
            ),
        );
    }
    if let Some(since) = stretch.known_since {
        let since = clock(since, stretch.offset);
        say(
            format!("记录自 {since} 开始，此前的情况未知。"),
            format!("Records begin at {since}; nothing is known of the days before."),
        );
    }
    if report.before.is_none() && stretch.known_since.is_none() {
        say(
            "没有上月的记录，未作比较。".into(),
            "There are no records of the month before, so nothing is compared.".into(),
        );
    }
    if left_out.drills > 0 {
        let n = left_out.drills;
        say(format!("演练 {n} 起，未计入。"), format!("{} left out.", plural(n, "drill")));
    }
    if left_out.pilots > 0 {
        let n = left_out.pilots;
        say(
            format!("试运行场景本应产生的告警 {n} 起，未计入。"),
            format!("{} of scenes on trial left out.", plural(n, "would-be alert")),
        );
    }
    if let Some(since) = report.trials_since.filter(|_| left_out.pilots > 0) {
        let since = clock(since, stretch.offset);
        say(
            format!("试运行场景的数字自 {since} 起计；更早的部分已不再保存。"),
            format!(
                "The figures of scenes on trial are counted since {since}; what was before is not all remembered."
            ),
        );
    }
    if left_out.undated > 0 {
        let n = left_out.undated;
        say(
            format!("{n} 起事件产生时网关尚未校时，产生时间不明，未计入；其处理发生在本月。"),
            format!(
                "{} opened before the gateway's clock was set, so nobody knows when; handled this month, but in no figure.",
                plural(n, "event")
            ),
        );
    }
    if stretch.is_utc {
        let words = Words::of(language).no_calendar.to_owned();
        say(words.clone(), words);
    }
    remarks
}

/// The chart of the days in one sentence.
pub(super) fn busiest_day(report: &Report, language: Language) -> String {
    let sums = report.days.iter().map(|levels| levels.iter().sum::<u32>());
    let (day, most) =
        (1_u8..).zip(sums).fold((1, 0), |best, now| if now.1 > best.1 { now } else { best });
    match language {
        Language::Zh => format!("最多的一天是 {day} 日，共 {most} 起。"),
        Language::En => {
            format!("The busiest day was the {} with {}.", ordinal(day), plural(most, "event"))
        }
    }
}

/// The chart of the hours in one sentence.
pub(super) fn busiest_hour(report: &Report, language: Language) -> String {
    let mut best = (0, 0, 0);
    for (weekday, hours) in report.hours.iter().enumerate() {
        for (hour, events) in hours.iter().enumerate() {
            if *events > best.2 {
                best = (weekday, hour, *events);
            }
        }
    }
    let (weekday, hour, most) = best;
    let name = Words::of(language).weekdays[weekday];
    match language {
        Language::Zh => {
            format!("最集中的时段是{name} {hour:02}:00 至 {:02}:00，共 {most} 起。", hour + 1)
        }
        Language::En => {
            format!(
                "Most opened on {name} from {hour:02}:00 to {:02}:00: {}.",
                hour + 1,
                plural(most, "event")
            )
        }
    }
}

fn plural(n: u32, noun: &str) -> String {
    if n == 1 { format!("{n} {noun}") } else { format!("{n} {noun}s") }
}

fn ordinal(day: u8) -> String {
    let ending = match (day % 10, day / 10) {
        (1, 0 | 2 | 3) => "st",
        (2, 0 | 2) => "nd",
        (3, 0 | 2) => "rd",
        _ => "th",
    };
    format!("{day}{ending}")
}
