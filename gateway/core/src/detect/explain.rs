//! What a detector has to show for itself: numbers for the platform, and a sentence for people.

use super::Evidence;
use super::anomaly::{Witness, score_of};
use super::bound::{Bound, Compiled, Judge, Sight};
use super::joint::Culprit;
use super::score::Verdict;
use crate::community::device_type::Point;
use crate::community::quantity::{Text, printed_unit};
use crate::event::message::Contribution;

impl Bound {
    /// What it has to show for itself.
    pub fn evidence(&self, compiled: &Compiled, sight: Sight<'_>) -> Evidence {
        let over = self.over(compiled, sight);
        let (model, score, threshold, certainty) = match &compiled.judge {
            Judge::High { limit, .. } | Judge::Low { limit, .. } => {
                let value = self.points.first().and_then(|p| sight.value(*p));
                ("rule".into(), value.unwrap_or(*limit), *limit, 0.9)
            }
            Judge::Rule { .. } => ("rule".into(), 1.0, 1.0, 0.9),
            Judge::Soon(soon) => {
                let sure = self.expects().map_or(0.0, |(sure, _)| sure);
                let wanted = soon.wanted(self.shift());
                (format!("{}@{}", soon.spec.name, soon.spec.version), sure, wanted, sure)
            }
            Judge::Model { spec, threshold, .. } => {
                let shift = self.shift();
                let limits =
                    self.series.iter().map(|series| compiled.limit(*threshold, series, shift));
                let limit = limits.min_by(f64::total_cmp).map_or(*threshold, score_of);
                (format!("{}@{}", spec.name, spec.version), over, limit, over)
            }
        };
        let quality = self.points.iter().map(|p| sight.gate.point(*p).share_good()).sum::<f64>()
            / self.points.len() as f64;
        let contributions = self.contributions(compiled, sight);
        Evidence {
            detector: compiled.id.clone(),
            why: self.sentence(compiled, sight, &contributions),
            model,
            score,
            threshold,
            over,
            certainty: compiled.certainty.unwrap_or(certainty),
            contributions,
            quality,
        }
    }

    fn sentence(&self, compiled: &Compiled, sight: Sight<'_>, parts: &[Contribution]) -> Text {
        let found = self.found(compiled, sight, parts);
        match self.lesson.as_ref().and_then(|lesson| lesson.told()) {
            Some(taught) => Text::new(
                format!("{}；{}", found.zh, taught.zh),
                format!("{}; {}", found.en, taught.en),
            ),
            None => found,
        }
    }

    fn found(&self, compiled: &Compiled, sight: Sight<'_>, parts: &[Contribution]) -> Text {
        if let Judge::Soon(soon) = &compiled.judge
            && let Some(((sure, _), point)) = self.expects().zip(self.points.first())
        {
            return soon.why(&sight.device_type.points[*point], sight.value(*point), sure);
        }
        why(compiled, sight, parts, self.manner(sight))
    }

    fn contributions(&self, compiled: &Compiled, sight: Sight<'_>) -> Vec<Contribution> {
        let contribution = |point: usize, observed, expected, share| Contribution {
            device: String::new(),
            point: sight.device_type.points[point].name.clone(),
            observed,
            expected,
            unit: sight.device_type.points[point].unit.clone(),
            share,
        };
        match &compiled.judge {
            Judge::High { limit, .. } => {
                let point = self.points[0];
                vec![contribution(point, sight.value(point), (None, Some(*limit)), 1.0)]
            }
            Judge::Low { limit, .. } => {
                let point = self.points[0];
                vec![contribution(point, sight.value(point), (Some(*limit), None), 1.0)]
            }
            Judge::Soon(_) => {
                let point = self.points[0];
                let band = self.expects().map(|(_, band)| band);
                let band = (band.map(|(low, _)| low), band.map(|(_, high)| high));
                vec![contribution(point, sight.value(point), band, 1.0)]
            }
            Judge::Rule { .. } => {
                let known = sight.known(&self.points);
                let count = known.len() as f64;
                let part = |p: &usize| contribution(*p, sight.value(*p), (None, None), 1.0 / count);
                known.iter().map(part).collect()
            }
            Judge::Model { .. } if let Some((culprit, points)) = self.misfit() => points
                .iter()
                .zip(&culprit.shares)
                .enumerate()
                .map(|(i, (point, share))| {
                    if i == culprit.point {
                        let band = (Some(culprit.band.0), Some(culprit.band.1));
                        contribution(*point, Some(culprit.observed), band, *share)
                    } else {
                        contribution(*point, sight.value(*point), (None, None), *share)
                    }
                })
                .collect(),
            Judge::Model { .. } => {
                // A point's share is its abnormality, of that of all.
                let verdicts: Vec<_> = self.current(sight).map(|(s, v)| (s.point, v)).collect();
                let total: f64 = verdicts.iter().map(|(_, v)| v.judgement.abnormality).sum();
                verdicts
                    .iter()
                    .map(|(point, v)| {
                        let share = if total > 0.0 {
                            v.judgement.abnormality / total
                        } else {
                            1.0 / verdicts.len() as f64
                        };
                        let band = v.judgement.expected;
                        let band = (band.map(|[low, _, _]| low), band.map(|[_, _, high]| high));
                        contribution(*point, Some(v.observed), band, share)
                    })
                    .collect()
            }
        }
    }

    /// The point that does not fit the others, when that is what is wrong.
    fn misfit(&self) -> Option<(&Culprit, &[usize])> {
        let together = self.together.as_ref().filter(|together| together.is_open())?;
        let culprit = together.judgement.as_ref()?.culprit.as_ref()?;
        let alone = self.newest().map(|v| v.judgement.reported()).max_by(f64::total_cmp);
        alone.is_none_or(|alone| alone < together.score()).then_some((culprit, together.points()))
    }

    /// In which way the most abnormal point is unlike before.
    fn manner(&self, sight: Sight<'_>) -> Option<Text> {
        if self.misfit().is_some() {
            let en = "does not fit the device's other points";
            return Some(Text::new("与同一设备的其他测点不符", en));
        }
        let by_abnormality =
            |a: &Verdict, b: &Verdict| a.judgement.abnormality.total_cmp(&b.judgement.abnormality);
        let worst = self.current(sight).map(|(_, v)| v).max_by(by_abnormality)?;
        let (zh, en) = match worst.loudest()? {
            Witness::Spike => ("突然偏离常值", "suddenly far from its usual level"),
            Witness::Shift => ("持续偏离常值", "far from its usual level for a while"),
            Witness::Step => ("水平发生改变", "its level has changed"),
            Witness::Shape | Witness::LongShape => ("走势前所未见", "a course not seen before"),
            Witness::Residual => ("偏离预测", "off its forecast"),
            Witness::ResidualSize => ("波动异于预测", "steadier or wilder than forecast"),
        };
        Some(Text::new(zh, en))
    }
}

/// The whole sentence.
fn why(
    compiled: &Compiled,
    sight: Sight<'_>,
    parts: &[Contribution],
    manner: Option<Text>,
) -> Text {
    let told: Vec<Text> = named(parts)
        .filter_map(|part| {
            let point = &sight.device_type.points[sight.device_type.point(&part.point)?];
            Some(sentence(point, part))
        })
        .collect();
    let join = |language: fn(&Text) -> &str, comma: &str| {
        told.iter().map(language).collect::<Vec<_>>().join(comma)
    };
    let (zh, en) = (join(|t| &t.zh, "，"), join(|t| &t.en, ", "));
    let (zh, en) = match manner {
        Some(manner) => (format!("{zh}（{}）", manner.zh), format!("{en} ({})", manner.en)),
        None => (zh, en),
    };
    match (&compiled.title, &compiled.judge) {
        (Some(title), _) => Text::new(format!("{}：{zh}", title.zh), format!("{}: {en}", title.en)),
        (None, Judge::Rule { text, .. }) => {
            Text::new(format!("规则“{text}”成立：{zh}"), format!("rule `{text}` holds: {en}"))
        }
        (None, Judge::Model { .. }) => {
            Text::new(format!("与往常不同：{zh}"), format!("not as usual: {en}"))
        }
        (None, Judge::High { .. } | Judge::Low { .. } | Judge::Soon(_)) => Text::new(zh, en),
    }
}

/// The parts that are worth a word: a fifth, or the largest where there are many.
fn named(parts: &[Contribution]) -> impl Iterator<Item = &Contribution> {
    let largest = parts.iter().map(|part| part.share).fold(0.0, f64::max);
    parts.iter().filter(move |part| part.share >= largest.min(0.2))
}

/// One point's part in it, as in `PM2.5 182 µg/m³, above 150 µg/m³`.
fn sentence(point: &Point, part: &Contribution) -> Text {
    let name = point.title.clone().unwrap_or_else(|| Text::new(&point.name, &point.name));
    let unit = printed_after(&point.unit);
    let observed = part.observed.map_or("?".into(), number);
    let observed = format!("{observed}{unit}");
    match part.expected {
        (None, Some(high)) => Text::new(
            format!("{} {observed}，高于 {}{unit}", name.zh, number(high)),
            format!("{} {observed}, above {}{unit}", name.en, number(high)),
        ),
        (Some(low), None) => Text::new(
            format!("{} {observed}，低于 {}{unit}", name.zh, number(low)),
            format!("{} {observed}, below {}{unit}", name.en, number(low)),
        ),
        (Some(low), Some(high)) => Text::new(
            format!("{} {observed}，预期 {} 至 {}", name.zh, number(low), number(high)),
            format!("{} {observed}, expected {} to {}", name.en, number(low), number(high)),
        ),
        (None, None) => {
            Text::new(format!("{} {observed}", name.zh), format!("{} {observed}", name.en))
        }
    }
}

/// A unit as it follows a number in a sentence.
pub(super) fn printed_after(unit: &str) -> String {
    match printed_unit(unit) {
        "" => String::new(),
        unit => format!(" {unit}"),
    }
}

/// A number as people read it: three decimals, or three digits where it is small; no trailing zeros.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size > 0.0 && size < 1e-9 {
        return format!("{value:e}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "3 to 12")]
    let decimals =
        if size > 0.0 { (2.0 - size.log10().floor()).clamp(3.0, 12.0) as usize } else { 0 };
    // Zero has no sign.
    let text = format!("{:.decimals$}", value + 0.0);
    if decimals == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_points_there_are_somebody_is_named() {
        let part = |point: &str, share| Contribution {
            device: String::new(),
            point: point.into(),
            observed: Some(1.0),
            expected: (None, None),
            unit: "1".into(),
            share,
        };
        let named = |parts: &[Contribution]| {
            super::named(parts).map(|part| part.point.clone()).collect::<Vec<_>>().concat()
        };

        assert_eq!(named(&[part("a", 0.75), part("b", 0.2), part("c", 0.05)]), "ab");
        assert_eq!(
            named(&["a", "b", "c", "d", "e", "f"].map(|point| part(point, 1.0 / 6.0))),
            "abcdef"
        );
        assert_eq!(named(&[part("a", 0.1), part("b", 0.14), part("c", 0.1)]), "b");
        assert_eq!(named(&[]), "");
    }

    #[test]
    fn a_number_is_told_to_its_significant_digits() {
        let cases = [
            (45.0, "45"),
            (0.5, "0.5"),
            (-12.3456, "-12.346"),
            (0.0, "0"),
            (-0.0, "0"),
            (-0.000_01, "-0.00001"),
            (0.000_421_9, "0.000422"),
            (0.0123, "0.0123"),
            (3e-12, "3e-12"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
    }
}
