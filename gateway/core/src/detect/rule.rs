//! Rules in CEL: compiled once, asked whenever a reading comes.
//!
//! A rule sees a device's points by name and what they did lately: `rate.<point>` (change a minute),
//! `mean.<point>`, `held.<point>` (seconds at this very value), and what the calendar says of the
//! reading's time. A rule whose answer hangs on one that is unknown cannot tell, which is neither true nor
//! false; `smoke > 0.5 || temperature > 57.0` can, once one of them is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::common::ast::Expr;
use cel::{Context, Env, Program, Value};

use crate::community::calendar::{Moment, Told, Word};
use crate::community::rule::walk;

/// A compiled condition and the values that it needs.
pub struct Rule {
    program: Program,
    env: Arc<Env>,
    needs: Vec<Need>,
    words: Vec<Word>,
}

/// A value that a rule refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub feature: Feature,
    /// The point's name.
    pub point: String,
}

/// What of a point a rule wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    Value,
    Rate,
    Mean,
    Held,
}

impl Feature {
    /// The word before the dot, as in `rate.temperature`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "rate" => Some(Self::Rate),
            "mean" => Some(Self::Mean),
            "held" => Some(Self::Held),
            _ => None,
        }
    }

    fn word(self) -> Option<&'static str> {
        match self {
            Self::Value => None,
            Self::Rate => Some("rate"),
            Self::Mean => Some("mean"),
            Self::Held => Some("held"),
        }
    }
}

/// The text is no CEL expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotARule(pub String);

impl Rule {
    /// # Errors
    /// The text does not parse; the message is the parser's.
    pub fn compile(text: &str, env: &Arc<Env>) -> Result<Self, NotARule> {
        let program = env.compile(text).map_err(|e| NotARule(e.to_string()))?;
        let mut needs = needs_of(&program);
        needs.sort_unstable();
        needs.dedup();
        let variables = program.references();
        let words = variables.variables().into_iter().filter_map(Word::from_name).collect();
        Ok(Self { program, env: Arc::clone(env), needs, words })
    }

    /// Whether it asks the calendar.
    pub fn asks_calendar(&self) -> bool {
        !self.words.is_empty()
    }

    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// Asks the rule; `None` when the answer hangs on a value or a time that is missing, or is no boolean.
    pub fn test(
        &self,
        moment: Option<&Moment>,
        mut lookup: impl FnMut(&Need) -> Option<f64>,
    ) -> Option<bool> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        // What is unknown is left out: to look at it is an error, which `&&` and `||` take for nothing
        // when their other side decides.
        for (word, moment) in self.words.iter().filter_map(|word| Some((word, moment?))) {
            let value = match word.of(moment) {
                Told::Is(is) => Value::Bool(is),
                Told::Number(number) => Value::Float(number),
            };
            context.add_variable_from_value(word.name(), value);
        }
        let mut maps: BTreeMap<&'static str, HashMap<String, Value>> = BTreeMap::new();
        for need in &self.needs {
            let Some(value) = lookup(need).map(Value::Float) else { continue };
            match need.feature.word() {
                None => context.add_variable_from_value(need.point.as_str(), value),
                Some(word) => {
                    maps.entry(word).or_default().insert(need.point.clone(), value);
                }
            }
        }
        for (word, map) in maps {
            context.add_variable_from_value(word, map);
        }
        match self.program.execute(&context) {
            Ok(Value::Bool(answer)) => Some(answer),
            Ok(_) | Err(_) => None,
        }
    }
}

/// The points that an expression names, on their own or behind `rate.`, `mean.` and `held.`.
///
/// The library lists variables but not the members that are taken of them.
fn needs_of(program: &Program) -> Vec<Need> {
    let references = program.references();
    let mut needs: Vec<Need> = references
        .variables()
        .into_iter()
        .filter(|name| Feature::from_word(name).is_none() && Word::from_name(name).is_none())
        .map(|name| Need { feature: Feature::Value, point: name.to_owned() })
        .collect();
    walk(program.expression(), &mut |node| {
        if let Expr::Select(select) = &node.expr
            && let Expr::Ident(word) = &select.operand.expr
            && let Some(feature) = Feature::from_word(word)
        {
            needs.push(Need { feature, point: select.field.clone() });
        }
    });
    needs
}

/// What the grading table is asked about; see [`crate::community::scene::Grade`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GradeQuestion {
    pub over: f64,
    pub lasted: f64,
    pub people: f64,
    pub certainty: f64,
    pub devices: f64,
    /// Ids of the detectors that speak.
    pub detectors: Vec<String>,
}

/// The variables of [`GradeQuestion`] by the names that a grade uses.
pub const GRADE_WORDS: [&str; 6] = ["over", "lasted", "people", "certainty", "devices", "detector"];

/// A compiled grading table.
pub struct Grades {
    lines: Vec<(u8, Program)>,
    env: Arc<Env>,
}

impl Grades {
    /// # Errors
    /// The position of the line that does not parse, and why.
    pub fn compile<'a>(
        lines: impl IntoIterator<Item = (u8, &'a str)>,
        env: &Arc<Env>,
    ) -> Result<Self, (usize, NotARule)> {
        let lines = lines
            .into_iter()
            .enumerate()
            .map(|(index, (level, text))| {
                let program = env.compile(text).map_err(|e| (index, NotARule(e.to_string())))?;
                Ok((level, program))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { lines, env: Arc::clone(env) })
    }

    /// The level of the first line that holds; 4 when none does.
    pub fn level(&self, question: &GradeQuestion) -> u8 {
        if self.lines.is_empty() {
            return 4;
        }
        let mut context = Context::with_env(Arc::clone(&self.env));
        for (word, value) in [
            ("over", question.over),
            ("lasted", question.lasted),
            ("people", question.people),
            ("certainty", question.certainty),
            ("devices", question.devices),
        ] {
            context.add_variable_from_value(word, value);
        }
        context.add_variable_from_value("detector", question.detectors.clone());
        self.lines
            .iter()
            .find(|(_, program)| program.execute(&context) == Ok(Value::Bool(true)))
            .map_or(4, |(level, _)| *level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Rule {
        Rule::compile(text, &Arc::new(Env::stdlib())).unwrap()
    }

    #[test]
    fn a_rule_knows_what_it_needs_and_says_so() {
        let fire = rule("temperature > 60.0 || (rate.temperature > 5 && temperature > 40.0)");
        let need = |feature| Need { feature, point: "temperature".into() };

        assert_eq!(fire.needs(), [need(Feature::Value), need(Feature::Rate)]);
        for (value, rate, expected) in
            [(70.0, 0.0, true), (45.0, 6.0, true), (45.0, 1.0, false), (30.0, 9.0, false)]
        {
            let answer = fire.test(None, |n| match n.feature {
                Feature::Value => Some(value),
                Feature::Rate => Some(rate),
                Feature::Mean | Feature::Held => None,
            });
            assert_eq!(answer, Some(expected), "{value} at {rate} a minute");
        }
    }

    #[test]
    fn a_rule_without_its_value_cannot_tell() {
        assert_eq!(rule("occupied == 1.0").test(None, |_| None), None);
        assert_eq!(rule("occupied + 1.0").test(None, |_| Some(1.0)), None, "no boolean");
    }

    #[test]
    fn a_rule_tells_what_does_not_hang_on_the_missing_value() {
        let temperature = |value| move |n: &Need| (n.point == "temperature").then_some(value);
        for either in
            ["smoke > 0.5 || temperature > 57.0", "temperature > 57.0 || rate.smoke > 0.5"]
        {
            assert_eq!(rule(either).test(None, temperature(70.0)), Some(true), "{either}");
            assert_eq!(rule(either).test(None, temperature(20.0)), None, "{either}");
        }
        for both in ["held.smoke > 0.5 && temperature > 57.0", "temperature > 57.0 && smoke > 0.5"]
        {
            assert_eq!(rule(both).test(None, temperature(70.0)), None, "{both}");
            assert_eq!(rule(both).test(None, temperature(20.0)), Some(false), "{both}");
        }
        for one in ["!(smoke > 0.5)", "smoke == smoke", "smoke + temperature > 1.0"] {
            assert_eq!(rule(one).test(None, temperature(70.0)), None, "{one}");
        }
        let night = rule("temperature > 57.0 || quiet_hours");
        assert_eq!(night.test(None, temperature(70.0)), Some(true), "whatever the time");
    }

    #[test]
    fn spaces_around_the_dot_change_nothing() {
        let need = |feature| Need { feature, point: "temperature".into() };
        for text in ["rate . temperature > 5.0", "rate.\ntemperature > 5.0"] {
            assert_eq!(rule(text).needs(), [need(Feature::Rate)], "{text}");
            assert_eq!(rule(text).test(None, |_| Some(6.0)), Some(true), "{text}");
        }
        assert_eq!(
            rule("'held.x' == 'mean.y' || temperature > 1.0").needs(),
            [need(Feature::Value)]
        );
    }

    #[test]
    fn a_rule_asks_the_calendar_and_cannot_tell_without_it() {
        let moment = Moment {
            hour: 2.5,
            weekday: 6.0,
            holiday: false,
            business_day: true,
            school_holiday: false,
            quiet_hours: true,
        };
        let night = rule("flow > 0.0 && hour >= 2.0 && hour < 4.0 && quiet_hours");

        assert!(night.asks_calendar() && !rule("flow > 0.0").asks_calendar());
        assert_eq!(night.needs(), [Need { feature: Feature::Value, point: "flow".into() }]);
        assert_eq!(night.test(Some(&moment), |_| Some(0.2)), Some(true));
        assert_eq!(night.test(Some(&Moment { hour: 4.0, ..moment }), |_| Some(0.2)), Some(false));
        assert_eq!(night.test(None, |_| Some(0.2)), None, "the time is not known");
        let weekend = rule("occupied > 0.5 && weekday >= 6 && !holiday && !school_holiday");
        assert_eq!(weekend.test(Some(&moment), |_| Some(1.0)), Some(true));
        assert_eq!(rule("business_day").test(Some(&moment), |_| None), Some(true));
    }

    #[test]
    fn a_mistake_is_told() {
        let error = Rule::compile("temperature > ", &Arc::new(Env::stdlib())).err().unwrap();

        assert!(!error.0.is_empty());
    }

    #[test]
    fn the_first_grade_that_holds_is_the_level() {
        let env = Arc::new(Env::stdlib());
        let lines =
            [(1, "over >= 2.0 && people > 500"), (2, "lasted > 3600.0"), (3, "'leak' in detector")];
        let grades = Grades::compile(lines, &env).unwrap();
        let cases = [
            (GradeQuestion { over: 2.5, people: 600.0, lasted: 9999.0, ..Default::default() }, 1),
            (GradeQuestion { lasted: 9999.0, ..Default::default() }, 2),
            (GradeQuestion { detectors: vec!["leak".into()], ..Default::default() }, 3),
            (GradeQuestion::default(), 4),
        ];
        for (question, level) in cases {
            assert_eq!(grades.level(&question), level, "{question:?}");
        }
    }
}
