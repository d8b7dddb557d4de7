//! Can a limit warn before it is passed: its horizon, its samples, its model.

use super::super::ModelSpec;
use super::super::document::Document;
use super::super::quantity::Period;
use super::super::scene::Detector;
use crate::detect::soon::SUFFIX;
use crate::detect::warning::{INPUTS, MODEL, OUTPUTS};

/// The farthest that the model looks, in samples.
const FARTHEST: u32 = 6;

pub(super) fn check(
    document: &mut Document,
    path: &str,
    detector: &Detector,
    models: Option<&[ModelSpec]>,
) {
    if detector.id.ends_with(SUFFIX) {
        let message = format!("ids that end in `{SUFFIX}` are those of warnings (`warn-within`)");
        document.fault(&format!("{path}.id"), message, None);
    }
    let Some(within) = detector.warn_within else {
        if detector.warn_sure.is_some() {
            let message = "`warn-sure` belongs to `warn-within`, which is missing";
            document.key_fault(&format!("{path}.warn-sure"), message, None);
        }
        return;
    };
    if detector.limit_high.is_none() && detector.limit_low.is_none() {
        return;
    }
    check_horizon(document, path, within, detector.every);
    let spells =
        [("during", detector.during.is_some()), ("not-during", detector.not_during.is_some())];
    for (key, is_set) in spells {
        if is_set {
            let message = format!("a limit with `{key}` cannot have `warn-within`");
            let help = Some("make a `[[detector]]` without it for the warning".to_owned());
            document.key_fault(&format!("{path}.{key}"), message, help);
        }
    }
    let Some(models) = models else { return };
    let path = format!("{path}.warn-within");
    match models.iter().find(|model| model.name == MODEL) {
        None => {
            let message =
                format!("`warn-within` needs the model `{MODEL}`, which is not installed");
            let help = "put it into the folder that `models.path` of gateway.toml names".to_owned();
            document.key_fault(&path, message, Some(help));
        }
        Some(model) if (model.window, model.outputs) != (INPUTS, OUTPUTS) => {
            let message = format!(
                "`{MODEL}` takes {} numbers and answers {}, expected {INPUTS} and {OUTPUTS}",
                model.window, model.outputs
            );
            document.key_fault(&path, message, None);
        }
        Some(_) => {}
    }
}

fn check_horizon(document: &mut Document, path: &str, within: Period, every: Option<Period>) {
    let Some(every) = every else {
        let message = "`warn-within` needs `every`, the distance of the samples";
        let help = format!("`every = \"{}\"`, for instance", Period(within.0 / FARTHEST));
        document.key_fault(&format!("{path}.warn-within"), message, Some(help));
        return;
    };
    if every.0.is_zero() {
        let message = "`every` must be longer than nothing";
        document.fault(&format!("{path}.every"), message, None);
    } else if within < every || within.0 > every.0 * FARTHEST {
        let message = format!(
            "`warn-within` is one to six times `every`: \"{every}\" to \"{}\"",
            Period(every.0 * FARTHEST)
        );
        document.fault(&format!("{path}.warn-within"), message, None);
    }
}
