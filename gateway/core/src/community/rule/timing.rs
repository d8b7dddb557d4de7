//! The calendar's words in a rule: which there are, and what cannot be meant by them.

use std::ops::Range;

use cel::Program;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::{RuleFault, at_word, place_of};
use crate::community::calendar::{WORDS, Word};

/// The calendar's words in a rule, each where it first stands; none when it cannot be read.
pub fn calendar_words(text: &str) -> Vec<(Word, Range<usize>)> {
    let Ok(program) = Program::compile(text) else { return Vec::new() };
    let references = program.references();
    let mut words: Vec<Word> =
        references.variables().into_iter().filter_map(Word::from_name).collect();
    words.sort_unstable();
    words.into_iter().map(|word| (word, place_of(text, word.name()))).collect()
}

/// How else people name what the calendar says.
const OTHERWISE: [(&str, &str); 5] = [
    ("business_day", "workday work_day working_day weekday_only businessday"),
    ("!business_day", "weekend is_weekend day_off"),
    ("quiet_hours", "night at_night is_night night_time nighttime"),
    ("weekday", "day_of_week dow week_day"),
    ("hour", "time hours hour_of_day time_of_day"),
];

/// The calendar's word for what somebody wrote.
pub(super) fn otherwise(name: &str) -> Option<&'static str> {
    let is_meant = |others: &str| others.split(' ').any(|other| other == name);
    OTHERWISE.iter().find(|(_, others)| is_meant(others)).map(|(word, _)| *word)
}

/// Reports a word of the calendar with a dash, as the configuration writes it; a rule would subtract.
pub(super) fn dashed(text: &str) -> Option<RuleFault> {
    let words = WORDS.iter().filter(|(word, _)| word.contains('_'));
    let mut dashed = words.map(|(word, _)| (word.replace('_', "-"), *word));
    let (found, word) = dashed.find(|(dashed, _)| text.contains(dashed.as_str()))?;
    let message = format!("`{found}` is a subtraction in a rule");
    Some(at_word(text, &found, message, Some(format!("write `{word}`"))))
}

/// Reports a word of the calendar that is called, compared with what it cannot be, or with what it is
/// for an instant only.
pub(super) fn misuse(text: &str, root: &IdedExpr) -> Option<RuleFault> {
    let mut found = None;
    walk(root, &mut |node| {
        if let Expr::Call(call) = &node.expr
            && found.is_none()
        {
            found =
                called(text, call).or_else(|| compared(text, call)).or_else(|| never(text, node));
        }
    });
    found
}

fn called(text: &str, call: &CallExpr) -> Option<RuleFault> {
    let word = Word::from_name(&call.func_name)?.name();
    let help = Some(format!("write `{word}`, without brackets"));
    Some(at_word(text, word, format!("`{word}` is a word, not a function"), help))
}

fn compared(text: &str, call: &CallExpr) -> Option<RuleFault> {
    let operators = [
        operators::EQUALS,
        operators::NOT_EQUALS,
        operators::GREATER_EQUALS,
        operators::LESS_EQUALS,
        operators::GREATER,
        operators::LESS,
    ];
    let [left, right] = call.args.as_slice() else { return None };
    if !operators.contains(&call.func_name.as_str()) {
        return None;
    }
    let word = |node: &IdedExpr| match &node.expr {
        Expr::Ident(name) => Word::from_name(name),
        _ => None,
    };
    let (word, other) = match (word(left), word(right)) {
        (Some(word), _) => (word, right),
        (None, Some(word)) => (word, left),
        (None, None) => return None,
    };
    let name = word.name();
    let number = number_of(other);
    if let (Expr::Literal(LiteralValue::String(_)), Word::Weekday) = (&other.expr, word) {
        let message = "`weekday` is 1 (Monday) to 7 (Sunday)".to_owned();
        return Some(at_word(text, name, message, None));
    }
    match word.range() {
        None => {
            number?;
            let message = format!("`{name}` is true or false and no number");
            let help = Some(format!("write `{name}`, or `!{name}` for the opposite"));
            Some(at_word(text, name, message, help))
        }
        Some((lowest, end)) => {
            let is_upper = number == Some(end) && word == Word::Hour;
            let number = number.filter(|_| !is_upper)?;
            if !(lowest..end).contains(&number) {
                let (message, help) = match word {
                    Word::Weekday => ("is 1 (Monday) to 7 (Sunday)", None),
                    _ => (
                        "is 0 to below 24",
                        Some("half past ten in the evening is `22.5`".to_owned()),
                    ),
                };
                return Some(at_word(text, name, format!("`{name}` {message}"), help));
            }
            let is_equality =
                [operators::EQUALS, operators::NOT_EQUALS].contains(&call.func_name.as_str());
            if word == Word::Hour && is_equality {
                let message =
                    format!("`hour` goes on within the hour, so it is {number} for an instant");
                let next = number.floor() + 1.0;
                let help = format!("write `hour >= {:.1} && hour < {next:.1}`", number.floor());
                return Some(at_word(text, name, message, Some(help)));
            }
            None
        }
    }
}

/// Reports hours that begin after they end: a night has two parts.
fn never(text: &str, node: &IdedExpr) -> Option<RuleFault> {
    let (mut from, mut to) = (f64::NEG_INFINITY, f64::INFINITY);
    let mut parts = vec![node];
    while let Some(part) = parts.pop() {
        let Expr::Call(call) = &part.expr else { continue };
        let [left, right] = call.args.as_slice() else { continue };
        let is_hour = matches!(&left.expr, Expr::Ident(name) if name == Word::Hour.name());
        match (call.func_name.as_str(), number_of(right).filter(|_| is_hour)) {
            (operators::LOGICAL_AND, _) => parts.extend([left, right]),
            (operators::GREATER | operators::GREATER_EQUALS, Some(number)) => {
                from = from.max(number);
            }
            (operators::LESS | operators::LESS_EQUALS, Some(number)) => to = to.min(number),
            _ => {}
        }
    }
    (from >= to).then(|| {
        let message = format!("no hour is after {from} and before {to}");
        let help = format!("over midnight: `(hour >= {from:.1} || hour < {to:.1})`");
        at_word(text, Word::Hour.name(), message, Some(help))
    })
}

fn number_of(node: &IdedExpr) -> Option<f64> {
    let Expr::Literal(literal) = &node.expr else { return None };
    match literal {
        #[expect(clippy::cast_precision_loss, reason = "numbers in rules are small")]
        LiteralValue::Int(number) => Some(*number.inner() as f64),
        #[expect(clippy::cast_precision_loss, reason = "numbers in rules are small")]
        LiteralValue::UInt(number) => Some(*number.inner() as f64),
        LiteralValue::Double(number) => Some(*number.inner()),
        LiteralValue::Boolean(_)
        | LiteralValue::Bytes(_)
        | LiteralValue::Null
        | LiteralValue::String(_) => None,
    }
}

/// Goes through an expression; lists and maps hold nothing that a detector's rule may use.
/// Visits an expression and all that it is made of.
pub(crate) fn walk(node: &IdedExpr, visit: &mut impl FnMut(&IdedExpr)) {
    visit(node);
    match &node.expr {
        Expr::Call(call) => {
            let parts = call.target.iter().map(|target| &**target).chain(&call.args);
            for part in parts {
                walk(part, visit);
            }
        }
        Expr::Select(select) => walk(&select.operand, visit),
        Expr::List(list) => {
            for element in &list.elements {
                walk(element, visit);
            }
        }
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    walk(&entry.key, visit);
                    walk(&entry.value, visit);
                }
            }
        }
        Expr::Unspecified
        | Expr::Ident(_)
        | Expr::Literal(_)
        | Expr::Struct(_)
        | Expr::Comprehension(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::check_detector;
    use super::*;

    #[test]
    fn the_calendars_words_are_known_and_are_no_points() {
        let points = BTreeSet::from(["flow", "occupied"]);
        let uses = |text| check_detector(text, &points).map(Vec::from_iter);

        for rule in [
            "flow > 0.0 && hour >= 2.0 && hour < 4.0",
            "flow > 0.0 && quiet_hours && !holiday",
            "flow > 0.0 && (business_day || school_holiday) && weekday <= 5",
            "flow > 0.0 && (hour >= 22.5 || hour < 6) && hour < 24",
            "flow > 0.0 && weekday in [6.0, 7.0]",
        ] {
            assert_eq!(uses(rule), Ok(vec!["flow".to_owned()]), "{rule}");
        }
        let told: Vec<_> = calendar_words("flow > 0.0 && hour < 4.0 && quiet_hours");
        assert_eq!(told, [(Word::QuietHours, 28..39), (Word::Hour, 14..18)]);
        assert_eq!(calendar_words("flow >"), []);
    }

    #[test]
    fn what_cannot_be_meant_is_told_at_the_word() {
        let points = BTreeSet::from(["flow"]);
        let cases = [
            (
                "flow > 0.0 && quiet_hours == 1.0",
                "quiet_hours",
                "is true or false",
                "`!quiet_hours`",
            ),
            ("flow > 0.0 && 1 > holiday", "holiday", "is true or false", "write `holiday`"),
            (
                "flow > 0.0 && hour == 22.0",
                "hour",
                "for an instant",
                "`hour >= 22.0 && hour < 23.0`",
            ),
            ("flow > 0.0 && hour > 25.0", "hour", "is 0 to below 24", "`22.5`"),
            ("flow > 0.0 && weekday == 0.0", "weekday", "is 1 (Monday) to 7", ""),
            ("flow > 0.0 && hour() > 2.0", "hour", "is a word, not a function", "without brackets"),
            ("flow > 0.0 && quiet-hours", "quiet-hours", "is a subtraction", "write `quiet_hours`"),
            ("flow > 0.0 && workday", "workday", "a point `workday`", "`business_day`"),
            ("flow > 0.0 && weekend", "weekend", "a point `weekend`", "`!business_day`"),
            ("flow > 0.0 && weekday == 'Sunday'", "weekday", "is 1 (Monday) to 7", ""),
            (
                "hour >= 22.0 && flow > 0.0 && hour < 6.0",
                "hour",
                "no hour is after 22 and before 6",
                "`(hour >= 22.0 || hour < 6.0)`",
            ),
            ("flow > 0.0 && hour >= 22:30", ":", "the rule cannot be read", "is from 22:30 on"),
            ("flow > 0.0 && quiet_hour", "quiet_hour", "a point `quiet_hour`", "`quiet_hours`"),
            ("flow > 0.0 && is_holiday", "is_holiday", "a point `is_holiday`", "`holiday`"),
            ("quiet_hours && hour < 4.0", "quiet_hours && hour < 4.0", "at no point", "add"),
            ("rate.hour > 1.0 && flow > 1.0", "hour", "a point `hour`", ""),
        ];
        for (rule, place, message, help) in cases {
            let fault = check_detector(rule, &points).unwrap_err().remove(0);
            assert_eq!(&rule[fault.inside.clone()], place, "{rule}: {fault:?}");
            assert!(fault.message.contains(message), "{rule}: {fault:?}");
            assert!(fault.help.unwrap_or_default().contains(help), "{rule}");
        }
    }
}
