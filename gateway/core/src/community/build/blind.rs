//! Scenes that could only see through a model that is not installed: said, and off, instead of live and
//! blind.

use std::collections::BTreeSet;

use super::super::camera::Subject;
use super::super::device_type::DeviceType;
use super::super::fault::{Fault, closest, listed};
use super::super::rule::check_detector;
use super::super::scene::{Detector, Scene};
use super::range::Range;
use super::{Known, PictureModel, Read};

/// What is told of it, for each such scene by its id.
pub(super) fn scenes(
    scenes: &[Read<Scene>],
    types: &Known<'_, DeviceType>,
    pictures: Option<&[PictureModel]>,
) -> Vec<(String, Fault)> {
    let Some(pictures) = pictures else { return Vec::new() };
    let blind = |(document, scene): &Read<Scene>| {
        let scene = scene.as_deref()?;
        let missing = missing(scene, &Range::of(scene, types), pictures)?;
        let known = pictures.iter().map(|model| model.name.as_str());
        let meant = missing.iter().find_map(|name| closest(name, known.clone()));
        let help = meant.map_or_else(
            || "copy its folder to `models/`, or install it: `gatehouse bundle install`".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        let (model, is) = if missing.len() == 1 { ("model", "is") } else { ("models", "are") };
        let message = format!(
            "`{}` stays off: the {model} {} that its cameras need {is} not installed",
            scene.head.id,
            listed(&missing.into_iter().collect::<Vec<_>>()),
        );
        let (file, span) = (document.file().to_owned(), document.span("scene.id"));
        Some((scene.head.id.clone(), Fault { file, span, message, help: Some(help) }))
    };
    scenes.iter().filter_map(blind).collect()
}

/// The models without which no detector of the scene sees anything; `None` when one does.
fn missing<'t>(
    scene: &Scene,
    range: &Range<'t>,
    pictures: &[PictureModel],
) -> Option<BTreeSet<&'t str>> {
    let mut missing = BTreeSet::new();
    for detector in &scene.detectors {
        let uses = uses(detector, range);
        for device_type in &range.types {
            let points: Option<Vec<_>> = uses.iter().map(|name| device_type.point(name)).collect();
            let Some(points) = points else { continue };
            let needs_model = points.iter().any(|point| {
                let see = device_type.points[*point].at.see;
                see.is_some_and(|see| see.subject() != Subject::View)
            });
            match device_type.picture_model().filter(|_| needs_model) {
                Some(name) if pictures.iter().all(|model| model.name != name) => {
                    missing.insert(name);
                }
                Some(_) | None => return None,
            }
        }
    }
    Some(missing).filter(|missing| !missing.is_empty())
}

/// The points that a detector looks at.
fn uses(detector: &Detector, range: &Range<'_>) -> BTreeSet<String> {
    let rule = detector.when.as_ref().and_then(|when| check_detector(when, &range.names).ok());
    let limit = detector.point.iter().chain(&detector.points).cloned();
    rule.into_iter().flatten().chain(limit).collect()
}
