//! What `--judge` wants of the figures: those that the project promises, so that a change which makes
//! detection worse fails a test and is not found out by a reader of tables.
//!
//! The reports' JSON goes in. Other recordings than the ones that the bounds were set for may miss
//! them; how fast the program was is no matter here.

use serde_json::{Map, Value};

/// Promised on the visible part of NAB, at the one fixed threshold, by profile.
const NAB: [(&str, f64); 2] = [("standard", 70.0), ("low FP", 62.0)];
/// The best published F1 for the whole of SKAB, and its share of false alarms.
const SKAB_F1: f64 = 0.78;
const SKAB_FALSE_ALARMS: f64 = 0.14;

/// Each promise that is not kept, in a sentence. What was skipped promises nothing.
pub(super) fn missed(reports: &Map<String, Value>) -> Vec<String> {
    let mut missed = Vec::new();
    let number = |path: &str| reports_number(reports, path);
    for (profile, least) in NAB {
        let path = format!("/nab/profiles/{profile}/fixed");
        if let Some(score) = number(&path).filter(|score| *score < least) {
            missed.push(format!("NAB, {profile}: {score:.2}, expected at least {least}"));
        }
    }
    let ours = |what| {
        number(&format!("/skab/valve1/methods/Gatehouse, after the anomaly-free rows/{what}"))
    };
    let pca = |what| number(&format!("/skab/valve1/methods/PCA, T²/{what}"));
    if let (Some(f1), Some(false_alarms)) = (ours("f1"), ours("far")) {
        let least = pca("f1").unwrap_or(0.0).max(SKAB_F1);
        let most = pca("far").unwrap_or(1.0).min(SKAB_FALSE_ALARMS);
        if f1 < least || false_alarms > most {
            missed.push(format!(
                "SKAB, valve1: F1 {f1:.3} with {false_alarms:.3} false alarms, expected at least \
                 {least:.3} and at most {most:.3}"
            ));
        }
    }
    let verdict = reports.get("budget").and_then(|budget| budget.pointer("/verdict/verdict"));
    if let Some(word) = verdict.and_then(Value::as_str).filter(|word| !word.starts_with("within")) {
        missed.push(format!("budget: {word}"));
    }
    missed
}

fn reports_number(reports: &Map<String, Value>, path: &str) -> Option<f64> {
    let (part, rest) = path.strip_prefix('/')?.split_once('/')?;
    reports.get(part)?.pointer(&format!("/{rest}"))?.as_f64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn missed_by(reports: Value) -> Vec<String> {
        let Value::Object(reports) = reports else { unreachable!() };
        missed(&reports)
    }

    #[test]
    fn each_promise_that_is_not_kept_is_named() {
        let method = |f1, far| json!({ "f1": f1, "far": far });
        let reports = |standard: f64, f1: f64, word: &str| {
            json!({
                "nab": { "profiles": { "standard": { "fixed": standard }, "low FP": { "fixed": 62.5 } } },
                "skab": { "valve1": { "methods": {
                    "Gatehouse, after the anomaly-free rows": method(f1, 0.06),
                    "PCA, T²": method(0.52, 1.0),
                } } },
                "budget": { "verdict": { "verdict": word } },
            })
        };

        assert_eq!(missed_by(reports(72.0, 0.84, "within, and not zero")), Vec::<String>::new());
        let all = missed_by(reports(69.9, 0.77, "outside: nothing was raised"));
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(all[0].starts_with("NAB, standard: 69.90"), "{all:?}");
    }

    #[test]
    fn what_was_skipped_promises_nothing() {
        assert!(missed_by(json!({ "nab": "skipped", "skab": "skipped" })).is_empty());
    }
}
