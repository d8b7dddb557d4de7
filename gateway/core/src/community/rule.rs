//! CEL expressions in scenes: what they may speak of, and whether they hold together.
//!
//! A detector's rule sees the device's points by name and the maps `rate`, `mean` and `held`, all of
//! them decimal numbers, and the calendar's words (`timing`). A grade sees the numbers of [`Grading`](crate::event::message::Grading).
//! Whole and decimal numbers do not mix in CEL's arithmetic, so every rule is tried once on made-up
//! values; what does not fit together is found at the desk and not at night.

mod timing;

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::{Context, ExecutionError, Program, Value};

use super::calendar::{WORDS, Word};
use super::fault::{closest, nearest};
use crate::detect::rule::GRADE_WORDS;
pub use timing::calendar_words;
pub(crate) use timing::walk;

/// The maps that a detector's rule may use, by point.
pub const MAPS: [&str; 3] = ["rate", "mean", "held"];

/// The one word of [`GRADE_WORDS`] that is a list of detector ids; the others are decimal numbers.
const GRADE_LIST: &str = "detector";

/// Words that CEL keeps for itself, so that no point can have them.
pub const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// What is wrong in a rule, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFault {
    pub inside: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

/// Checks a detector's rule over these points; answers with those that it looks at, or with
/// everything that is wrong in it.
pub fn check_detector(
    text: &str,
    points: &BTreeSet<&str>,
) -> Result<BTreeSet<String>, Vec<RuleFault>> {
    let program = compile(text).map_err(|fault| vec![fault])?;
    let mut uses = Uses::default();
    uses.collect(program.expression());
    if let Some(macro_word) = uses.loops {
        let message = "a detector's rule cannot go through lists";
        let help = "name the points one by one, as in `fill > 90.0 || weight > 80.0`";
        return Err(vec![at_word(text, macro_word, message.to_owned(), Some(help.to_owned()))]);
    }
    if let Some(map) = uses.bare {
        let message = format!("`{map}` is followed by a dot and a point");
        let example = points.first().map(|point| format!("as in `{map}.{point}`"));
        return Err(vec![at_word(text, map, message, example)]);
    }
    if let Some(fault) = timing::dashed(text) {
        return Err(vec![fault]);
    }
    let names = uses.names.iter().filter(|name| Word::from_name(name).is_none());
    let unknown: BTreeSet<&String> = names.clone().chain(&uses.keys).collect();
    let unknown = unknown.into_iter().filter(|name| !points.contains(name.as_str()));
    let no_point = |name: &String| {
        let message = format!("no device type of this scene has a point `{name}`");
        at_word(text, name, message, nearest_word(name, points))
    };
    let faults: Vec<RuleFault> = unknown.map(no_point).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    if let Some(fault) = timing::misuse(text, program.expression()) {
        return Err(vec![fault]);
    }
    let looks_at: BTreeSet<String> = names.chain(&uses.keys).cloned().collect();
    let asks_time = uses.names.iter().any(|name| Word::from_name(name).is_some());
    if looks_at.is_empty() && asks_time {
        let message = "the rule looks at no point, so no reading makes it hold".to_owned();
        let help = points.first().map(|point| format!("add one, as in `{point} > 0.0 && …`"));
        return Err(vec![RuleFault { inside: 0..text.len(), message, help }]);
    }

    let mut context = Context::default();
    let mut map = HashMap::new();
    for point in points {
        add(&mut context, point, Value::Float(1.0));
        map.insert((*point).to_owned(), 1.0);
    }
    for name in MAPS {
        add(&mut context, name, Value::from(map.clone()));
    }
    for (name, word) in WORDS {
        let value = word.range().map_or(Value::Bool(true), |(lowest, _)| Value::Float(lowest));
        add(&mut context, name, value);
    }
    try_on(text, &program, &context).map_err(|fault| vec![fault])?;

    Ok(looks_at)
}

/// The point that was meant, or the word of the calendar.
fn nearest_word(name: &str, points: &BTreeSet<&str>) -> Option<String> {
    let words = || WORDS.iter().map(|(word, _)| *word);
    let contained = words().find(|word| name.contains(word) || word.replace('_', "") == name);
    if let Some(word) = timing::otherwise(name) {
        return Some(format!("did you mean `{word}`?"));
    }
    let nearest_word = closest(name, words()).or(contained);
    match (closest(name, points.iter().copied()), nearest_word) {
        (None, Some(word)) => Some(format!("did you mean `{word}`?")),
        (Some(_), _) | (None, None) => nearest(name, points.iter().copied()),
    }
}

/// Checks the condition of a grade.
pub fn check_grade(text: &str, detectors: &[&str]) -> Result<(), RuleFault> {
    let program = compile(text)?;
    let mut uses = Uses::default();
    uses.collect(program.expression());
    if let Some(name) = uses.names.iter().find(|name| !GRADE_WORDS.contains(&name.as_str())) {
        let message = format!("a grade does not know `{name}`");
        let help = match Word::from_name(name) {
            Some(_) => Some(
                "give a detector `during`, and look for its id, as in `'at-night' in detector`"
                    .to_owned(),
            ),
            None => nearest(name, GRADE_WORDS),
        };
        return Err(at_word(text, name, message, help));
    }
    if let Some(id) = uses.sought.iter().find(|id| !detectors.contains(&id.as_str())) {
        let message = format!("the scene has no detector `{id}`, so this never holds");
        return Err(at_word(text, id, message, nearest(id, detectors.iter().copied())));
    }

    let mut context = Context::default();
    for name in GRADE_WORDS.into_iter().filter(|name| *name != GRADE_LIST) {
        add(&mut context, name, Value::Float(1.0));
    }
    let ids: Vec<Value> = detectors.iter().map(|id| Value::from(*id)).collect();
    add(&mut context, GRADE_LIST, Value::from(ids));
    try_on(text, &program, &context)
}

fn add(context: &mut Context<'_, '_>, name: &str, value: Value) {
    context.add_variable_from_value(name, value);
}

fn compile(text: &str) -> Result<Program, RuleFault> {
    Program::compile(text).map_err(|errors| {
        let first = errors.errors.first();
        let (line, column) = first.map_or((1, 1), |error| error.pos);
        let (message, help) = match first {
            Some(error) if !text.trim().is_empty() => unreadable(&error.msg),
            Some(_) | None => ("it is empty".to_owned(), None),
        };
        let usual = "a rule is a CEL expression, as in `fill > 90.0 && tilt < 30.0`";
        RuleFault {
            inside: character(text, line, column),
            message: format!("the rule cannot be read: {message}"),
            help: Some(help.unwrap_or(usual).to_owned()),
        }
    })
}

/// What CEL's parser says, without its grammar; and what people write who know other languages.
fn unreadable(message: &str) -> (String, Option<&'static str>) {
    let quoted = message.split('\'').nth(1).map(str::trim);
    let help = match quoted {
        Some("and" | "AND" | "&") => Some("both: `&&`"),
        Some("or" | "OR" | "|") => Some("either: `||`"),
        Some("not" | "NOT") => Some("not: `!`"),
        Some("=") => Some("equal: `==`"),
        Some("<>" | "~") => Some("unequal: `!=`"),
        Some(":") => Some("a time of the day is a number: `hour >= 22.5` is from 22:30 on"),
        Some(_) | None => None,
    };
    let told = match quoted {
        Some("<EOF>") => "it ends too early".to_owned(),
        Some(word) => format!("`{word}` does not belong here"),
        None => message.trim_start_matches("Syntax error: ").to_owned(),
    };
    (told, help)
}

/// The bytes of one character; line and column are counted from 1.
fn character(text: &str, line: isize, column: isize) -> Range<usize> {
    let from_one = |number: isize| usize::try_from(number - 1).unwrap_or(0);
    let start: usize = text
        .split_inclusive('\n')
        .take(from_one(line))
        .map(str::len)
        .sum::<usize>()
        .min(text.len());
    let mut rest = text[start..].char_indices().skip(from_one(column));
    match rest.next() {
        Some((at, found)) => start + at..start + at + found.len_utf8(),
        None => text.len()..text.len(),
    }
}

fn try_on(text: &str, program: &Program, context: &Context<'_, '_>) -> Result<(), RuleFault> {
    let (message, help) = match program.execute(context) {
        Ok(Value::Bool(_)) => return Ok(()),
        Ok(other) => {
            let message = format!("the rule gives {other:?}, which is neither true nor false");
            (message, Some("compare it, as in `rate.temperature > 2.0`".to_owned()))
        }
        Err(ExecutionError::UndeclaredReference(name)) => {
            return Err(at_word(text, &name, format!("there is no function `{name}`"), None));
        }
        Err(
            error @ (ExecutionError::NoSuchOverload(_)
            | ExecutionError::UnsupportedBinaryOperator(..)
            | ExecutionError::ValuesNotComparable(..)
            | ExecutionError::UnexpectedType { .. }),
        ) => {
            let help = "whole and decimal numbers do not mix: write `2.0` for 2";
            (format!("the rule does not hold together: {error}"), Some(help.to_owned()))
        }
        // What depends on the values (a division by zero) is no fault of the rule.
        Err(_) => return Ok(()),
    };
    Err(RuleFault { inside: 0..text.len(), message, help })
}

/// A fault at the first place where the word stands by itself.
fn at_word(text: &str, word: &str, message: String, help: Option<String>) -> RuleFault {
    RuleFault { inside: place_of(text, word), message, help }
}

/// The first place where the word stands by itself; the whole text when it does not.
fn place_of(text: &str, word: &str) -> Range<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let stands_alone = |at: &usize| {
        !text[..*at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    };
    let at = text.match_indices(word).map(|(at, _)| at).find(stands_alone);
    at.map_or(0..text.len(), |at| at..at + word.len())
}

/// The names that an expression looks at.
#[derive(Default)]
struct Uses {
    names: BTreeSet<String>,
    /// What follows one of [`MAPS`] and a dot.
    keys: BTreeSet<String>,
    /// One of [`MAPS`] that no dot follows.
    bare: Option<&'static str>,
    /// A macro that goes through a list.
    loops: Option<&'static str>,
    /// Texts that are looked for in [`GRADE_LIST`].
    sought: BTreeSet<String>,
}

impl Uses {
    fn collect(&mut self, node: &IdedExpr) {
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => match map_of(name) {
                Some(map) => self.bare = Some(map),
                None => {
                    self.names.insert(name.clone());
                }
            },
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) if map_of(name).is_some() => {
                    self.keys.insert(select.field.clone());
                }
                _ => self.collect(&select.operand),
            },
            Expr::Call(call) => {
                if let [one, list] = call.args.as_slice()
                    && let (Expr::Literal(LiteralValue::String(id)), Expr::Ident(name)) =
                        (&one.expr, &list.expr)
                    && name == GRADE_LIST
                {
                    self.sought.insert(id.inner().to_owned());
                }
                call.target.iter().for_each(|target| self.collect(target));
                call.args.iter().for_each(|argument| self.collect(argument));
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.collect(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.collect_entry(&entry.expr)),
            Expr::Struct(of) => of.entries.iter().for_each(|entry| self.collect_entry(&entry.expr)),
            Expr::Comprehension(loops) => {
                self.loops = Some("exists");
                self.collect(&loops.iter_range);
            }
        }
    }

    fn collect_entry(&mut self, entry: &EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.collect(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.collect(&entry.key);
                self.collect(&entry.value);
            }
        }
    }
}

fn map_of(name: &str) -> Option<&'static str> {
    MAPS.into_iter().find(|map| *map == name)
}

#[cfg(test)]
mod tests;
