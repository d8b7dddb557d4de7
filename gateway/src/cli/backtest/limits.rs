//! What a backtest cannot show, in words.

use std::collections::{BTreeMap, BTreeSet};

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
) -> Vec<String> {
    let mut told = Vec::new();
    let windows = past.windows.len();
    let all = span.quarters().count();
    let mut missing: BTreeMap<DeviceIndex, usize> = BTreeMap::new();
    for (device, _) in gaps {
        *missing.entry(*device).or_default() += 1;
    }
    let name = |index: &DeviceIndex| trial.community.device(*index).id.clone();
    let (none, some): (Vec<_>, Vec<_>) = missing.iter().partition(|(_, count)| **count == all);
    if trial.devices.is_empty() {
        told.push("no configured device has what the scene looks at".to_owned());
    }
    if !none.is_empty() {
        told.push(format!(
            "nothing was kept of {}",
            listed(none.into_iter().map(|(d, _)| name(d)))
        ));
    }
    if !some.is_empty() {
        let list = listed(some.into_iter().map(|(d, _)| name(d)));
        told.push(format!(
            "at times there are no readings of {list}; the newest are written within an hour"
        ));
    }
    if !past.strangers.is_empty() {
        let list = listed(past.strangers.iter().cloned());
        told.push(format!("{list}: kept, but not configured any more, and left out"));
    }
    if past.damaged > 0 {
        told.push(format!("{} pages of what was kept could not be read", past.damaged));
    }
    if !past.out_of_order.is_empty() {
        told.push(format!(
            "in {} quarters a clock went back, so that nothing is sure in them",
            past.out_of_order.len()
        ));
    }
    for (detector, needs) in trial.blind() {
        told.push(match needs {
            NeedsMore::Minutes => format!(
                "`{detector}` looks at the minutes before a reading (`rate`, `mean`, `held`): tried on the \
                 readings around events alone, of which {windows} are kept"
            ),
            NeedsMore::Samples => format!(
                "`{detector}` is a model: it was shown the means of quarters of an hour, and what is \
                 shorter is not in them; it learns from the two weeks before at most, and what it \
                 finds is \"perhaps\""
            ),
        });
    }
    for (detector, compiled) in &trial.detectors {
        let on = compiled.delays.on;
        if !on.is_zero() && on < LENGTH && compiled.needs_more().is_none() {
            told.push(format!(
                "`{}` waits for {}, less than a quarter of an hour: what lasted for less than three \
                 quarters is \"perhaps\"",
                detector.id,
                humantime::format_duration(on)
            ));
        }
        if detector.warn_within.is_some() {
            told.push(format!("the early warning of `{}` is not tried", detector.id));
        }
        if detector.when.is_some() && compiled.needs_more().is_none() {
            told.push(format!(
                "`{}` is tried on the smallest, mean and largest values of each quarter: what needs \
                 one in between, or values that came together, is not seen for sure",
                detector.id
            ));
        }
    }
    told.push(
        "a quarter of an hour is its smallest, largest and mean reading: neither their order nor how \
         fast they changed; several events in one stretch count as one"
            .to_owned(),
    );
    told.push(format!(
        "every reading is known around {windows} events of that time only: from up to two hours before a \
         live detector counted to a quarter of an hour after it"
    ));
    told.push("levels, and sensors that fell silent, are not judged".to_owned());
    told
}

fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMES);
    let list = names.take(NAMES).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}
