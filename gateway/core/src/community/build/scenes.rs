//! Does a scene hold together: its detectors, its grades, and the shape of its stories.

use std::sync::Arc;

use super::super::device_type::DeviceType;
use super::super::document::Document;
use super::super::expectation::Expectation;
use super::super::fault::{listed, nearest};
use super::super::frequency::Frequency;
use super::super::quantity::{Quantity, is_unit};
use super::super::rule::{RuleFault, check_detector, check_grade};
use super::super::scene::{Detector, Scene, Status, Story};
use super::super::{Device, ModelSpec};
use super::calendar::Almanac;
use super::range::Range;
use super::simulation::check_key;
use super::warning;
use super::{Known, check_id, unique};
use crate::detect::anomaly::{INPUTS, OUTPUTS};

pub(super) fn check(
    document: &mut Document,
    scene: &Scene,
    types: &Known<'_, DeviceType>,
    almanac: &Almanac,
    models: Option<&[ModelSpec]>,
) {
    for (position, id) in scene.head.device_types.iter().enumerate() {
        types.check(document, &format!("scene.device-types.{position}"), "device type", id);
    }
    let has_model = scene.detectors.iter().any(|detector| detector.model.is_some());
    if scene.head.false_alarms.is_some() && !has_model {
        let message = "`false-alarms` is for detectors with a `model`, and the scene has none";
        document.key_fault("scene.false-alarms", message, None);
    }
    if scene.detectors.is_empty() && !document.is_mended("detector") {
        document.fault("scene", "a scene needs at least one `[[detector]]`", None);
    }
    let range = Range::of(scene, types);
    unique(document, "detector", "id", scene.detectors.iter().map(|detector| &detector.id));
    for (position, detector) in scene.detectors.iter().enumerate() {
        let path = format!("detector.{position}");
        check_id(document, &format!("{path}.id"), &detector.id);
        check_kind(document, &path, detector);
        check_keys(document, &path, detector);
        check_points(document, &path, detector, &range);
        check_limit(document, &path, detector, &range, types);
        check_rules(document, &path, detector, &range);
        almanac.check(document, &path, detector);
        check_model(document, &path, detector, models);
        warning::check(document, &path, detector, models);
    }
    let detectors: Vec<&str> = scene.detectors.iter().map(|d| d.id.as_str()).collect();
    for (position, grade) in scene.grades.iter().enumerate() {
        let path = format!("grade.{position}");
        if !(1..=4).contains(&grade.level) {
            let message = format!("`level` is 1 (most urgent) to 4, found {}", grade.level);
            document.fault(&format!("{path}.level"), message, None);
        }
        if let Err(fault) = check_grade(&grade.when, &detectors)
            && !document.has_doubtful("detector", "id")
        {
            rule_fault(document, &format!("{path}.when"), fault);
        }
    }
    for (position, story) in scene.stories.iter().enumerate() {
        let path = format!("story.{position}");
        check_story(document, &path, story, scene, types);
        almanac.check_story(document, &path, story, scene);
    }
}

/// Gives each scene with a model, installed devices and no budget of its own an equal part of the
/// community's.
pub(super) fn share_budget(scenes: &mut [Scene], whole: Option<Frequency>, devices: &[Device]) {
    let is_installed = |types: &[String]| {
        types.is_empty() || devices.iter().any(|d| types.contains(&d.device_type.head.id))
    };
    let takes = |scene: &&mut Scene| {
        let head = &scene.head;
        if !is_installed(&head.device_types) {
            return false;
        }
        let has_model = scene.detectors.iter().any(|detector| detector.model.is_some());
        has_model && head.status != Status::Off && head.false_alarms.is_none()
    };
    let parts = scenes.iter_mut().filter(takes).count();
    for scene in scenes.iter_mut().filter(takes) {
        scene.head.false_alarms = whole.map(|whole| whole.share(parts));
    }
}

fn kinds(detector: &Detector) -> Vec<&'static str> {
    let kinds = [
        ("limit-high", detector.limit_high.is_some()),
        ("limit-low", detector.limit_low.is_some()),
        ("when", detector.when.is_some()),
        ("model", detector.model.is_some()),
    ];
    kinds.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| *key).collect()
}

fn check_kind(document: &mut Document, path: &str, detector: &Detector) {
    match kinds(detector).as_slice() {
        [_] => {}
        [] => {
            let message =
                "a detector has one of `limit-high`, `limit-low`, `when` and `model`, found none";
            document.fault(path, message, None);
        }
        [_, second, ..] => {
            let found = listed(&kinds(detector));
            let message = format!(
                "a detector has one of `limit-high`, `limit-low`, `when` and `model`, found {found}"
            );
            let help = Some("make each of them a `[[detector]]` of its own".to_owned());
            document.key_fault(&format!("{path}.{second}"), message, help);
        }
    }
}

/// Keys that have no meaning for this kind of detector.
fn check_keys(document: &mut Document, path: &str, detector: &Detector) {
    let [kind] = kinds(detector)[..] else { return };
    let is_limit = kind.starts_with("limit");
    let takes_samples = kind == "model" || is_limit && detector.warn_within.is_some();
    let keys = [
        ("point", detector.point.is_some(), is_limit, "limits"),
        ("deadband", detector.deadband.is_some(), is_limit, "limits"),
        ("clear-when", detector.clear_when.is_some(), kind == "when", "`when`"),
        ("during", detector.during.is_some(), kind != "model", "limits and `when`"),
        ("not-during", detector.not_during.is_some(), kind != "model", "limits and `when`"),
        ("points", !detector.points.is_empty(), kind == "model", "`model`"),
        ("threshold", detector.threshold.is_some(), kind == "model", "`model`"),
        ("warn-within", detector.warn_within.is_some(), is_limit, "limits"),
        ("warn-sure", detector.warn_sure.is_some(), is_limit, "limits"),
        ("every", detector.every.is_some(), takes_samples, "`model` and `warn-within`"),
    ];
    for (key, is_set, has_meaning, whose) in keys {
        if is_set && !has_meaning {
            let message = format!("`{key}` belongs to {whose}, not to `{kind}`");
            document.key_fault(&format!("{path}.{key}"), message, None);
        }
    }
    if detector.threshold.is_some_and(|score| !(0.0..1.0).contains(&score)) {
        let message =
            "`threshold` is a score from 0 to below 1; what is usual has 0, and nothing has 1";
        document.fault(&format!("{path}.threshold"), message, None);
    }
    let shares = [("certainty", detector.certainty), ("warn-sure", detector.warn_sure)];
    for (key, share) in shares {
        if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            let message = format!("`{key}` is a share from 0 to 1");
            document.fault(&format!("{path}.{key}"), message, None);
        }
    }
    if is_limit && detector.point.is_none() {
        document.fault(
            path,
            "missing key `point`",
            Some(format!("which point does `{kind}` judge?")),
        );
    }
}

fn check_points(document: &mut Document, path: &str, detector: &Detector, range: &Range<'_>) {
    if let Some(point) = &detector.point {
        range.check(document, &format!("{path}.point"), point);
    }
    for (position, point) in detector.points.iter().enumerate() {
        range.check(document, &format!("{path}.points.{position}"), point);
    }
}

fn check_limit(
    document: &mut Document,
    path: &str,
    detector: &Detector,
    range: &Range<'_>,
    types: &Known<'_, DeviceType>,
) {
    let Some(name) = &detector.point else { return };
    let limits = [("limit-high", &detector.limit_high), ("limit-low", &detector.limit_low)];
    let quantities = limits.into_iter().chain([("deadband", &detector.deadband)]);
    for (key, quantity) in quantities {
        let Some(quantity) = quantity else { continue };
        let path = format!("{path}.{key}");
        for device_type in &range.types {
            let Some(position) = device_type.point(name) else { continue };
            let point = &device_type.points[position];
            let id = &device_type.head.id;
            let is_sure = |of: &str| !types.is_doubtful(id, &format!("point.{position}.{of}"));
            if point.unit != quantity.unit && !(point.unit == "1" && quantity.unit.is_empty()) {
                if is_sure("unit") {
                    let (message, help) = other_unit(key, quantity, name, id, &point.unit);
                    document.fault(&path, message, Some(help));
                }
                break;
            }
            let Some((lowest, highest)) = point.range.filter(|_| key != "deadband") else {
                continue;
            };
            let never = match key {
                "limit-high" => quantity.value >= highest,
                _ => quantity.value <= lowest,
            };
            if never && is_sure("range") {
                let message = format!(
                    "`{key}` can never be passed: `{name}` of `{id}` is within [{lowest}, {highest}]"
                );
                document.fault(&path, message, None);
                break;
            }
        }
    }
    if detector.deadband.as_ref().is_some_and(|deadband| deadband.value < 0.0) {
        document.fault(&format!("{path}.deadband"), "`deadband` is a distance, 0 or more", None);
    }
}

/// What is said of a quantity that is not in its point's unit.
fn other_unit(key: &str, found: &Quantity, name: &str, id: &str, unit: &str) -> (String, String) {
    let right = Quantity { value: found.value, unit: unit.to_owned() };
    let found = &found.unit;
    if found.is_empty() {
        let message = format!("`{key}` has no unit; `{name}` of `{id}` is in `{unit}`");
        return (message, format!("write \"{right}\" if that is meant"));
    }
    let message = format!("`{key}` is in `{found}`, but `{name}` of `{id}` is in `{unit}`");
    // Between two units that exist the number changes too.
    let help = if is_unit(found) {
        format!("give the number in `{unit}`")
    } else {
        format!("write \"{right}\" if that is meant")
    };
    (message, help)
}

fn check_rules(document: &mut Document, path: &str, detector: &Detector, range: &Range<'_>) {
    if range.is_vague {
        return;
    }
    for (key, rule) in [("when", &detector.when), ("clear-when", &detector.clear_when)] {
        let Some(rule) = rule else { continue };
        let path = format!("{path}.{key}");
        let uses = match check_detector(rule, &range.names) {
            Ok(uses) => uses,
            Err(faults) => {
                for fault in faults {
                    rule_fault(document, &path, fault);
                }
                continue;
            }
        };
        let has_all = |of: &&&Arc<DeviceType>| uses.iter().all(|point| of.point(point).is_some());
        if range.is_complete && !range.types.iter().any(|of| has_all(&of)) {
            let uses: Vec<String> = uses.into_iter().collect();
            let message = format!("no device type of this scene has all of {}", listed(&uses));
            document.fault(&path, message, None);
        }
    }
}

fn rule_fault(document: &mut Document, path: &str, fault: RuleFault) {
    document.fault_inside(path, fault.inside, fault.message, fault.help);
}

fn check_model(
    document: &mut Document,
    path: &str,
    detector: &Detector,
    models: Option<&[ModelSpec]>,
) {
    let (Some(name), Some(models)) = (&detector.model, models) else { return };
    let found = models.iter().find(|model| model.name == *name);
    if let Some(model) = found.filter(|m| (m.window, m.outputs) != (INPUTS, OUTPUTS)) {
        let message = format!(
            "`{name}` takes {} numbers and answers {}, expected {INPUTS} and {OUTPUTS}",
            model.window, model.outputs
        );
        document.fault(&format!("{path}.model"), message, None);
    }
    if found.is_none() {
        let message = format!("there is no model `{name}`");
        let help =
            nearest(name, models.iter().map(|model| model.name.as_str())).unwrap_or_else(|| {
                "there are no models in the folder that `models.path` of gateway.toml names"
                    .to_owned()
            });
        document.fault(&format!("{path}.model"), message, Some(help));
    }
}

fn check_story(
    document: &mut Document,
    path: &str,
    story: &Story,
    scene: &Scene,
    types: &Known<'_, DeviceType>,
) {
    types.check(document, &format!("{path}.device-type"), "device type", &story.device_type);
    let listed_types = &scene.head.device_types;
    if types.get(&story.device_type).is_some()
        && !listed_types.is_empty()
        && !listed_types.contains(&story.device_type)
        && listed_types.iter().all(|id| types.get(id).is_some())
    {
        let message = format!("the scene does not look at device type `{}`", story.device_type);
        let help = Some(format!("it lists {}", listed(listed_types)));
        document.fault(&format!("{path}.device-type"), message, help);
    }
    if story.every.0.is_zero() {
        document.fault(&format!("{path}.every"), "`every` must be longer than nothing", None);
    }
    let mut before = std::time::Duration::ZERO;
    for (position, step) in story.steps.iter().enumerate() {
        let path = format!("{path}.steps.{position}");
        if step.at.0 < before || step.at > story.lasts {
            let message = "steps stand in the order of time and within `lasts`";
            document.fault(&format!("{path}.at"), message, None);
        }
        before = step.at.0;
        let Some(device_type) = types.get(&story.device_type) else { continue };
        for name in step.set.keys() {
            check_key(document, &format!("{path}.set.{name}"), device_type, name, types);
        }
    }
    let mut before = std::time::Duration::ZERO;
    for (position, line) in story.expect.iter().enumerate() {
        let path = format!("{path}.expect.{position}");
        match line.parse::<Expectation>() {
            Ok(expectation) => {
                if expectation.at < before || expectation.at > story.lasts.0 {
                    let message = "expectations stand in the order of time and within `lasts`";
                    document.fault(&path, message, None);
                }
                before = expectation.at;
            }
            Err(fault) => document.fault(&path, fault.to_string(), fault.help),
        }
    }
}
