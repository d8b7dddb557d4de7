//! Tiles of a picture, judged with real networks on a street from above: who is small in the whole picture is
//! found in a tile, and nobody is found twice where tiles meet.
//!
//! `GATEHOUSE_DATA` names the folder with `models` and `media`; without it nothing is judged and the test
//! says so.

use std::fs;
use std::path::{Path, PathBuf};

use gatehouse::infer::Shelves;
use gatehouse::infer::pictures::PictureModels;
use gatehouse_sight::jpeg;
use gatehouse_sight::picture::Picture;
use gatehouse_sight::seen::{Detection, Region, Seen};
use gatehouse_sight::tiles::{joined, tiles};

use crate::models::onnxruntime;
use crate::peers::workspace;

const ABOVE: &str = "media/paddledet_visdrone_0000315_01601_d_0000509.jpg";
const TILES: [usize; 2] = [3, 2];
/// Two boxes of a class that share more of what they cover together are of one thing.
const TWICE: f32 = 0.6;

/// What a network calls people and vehicles; the second counts the classes of COCO.
const NETWORKS: [(&str, &[&str], &[&str]); 2] =
    [("road-users", &["person"], &["vehicle"]), ("yolox-nano", &["0"], &["2", "3", "5", "7"])];

#[test]
fn who_is_small_is_found_in_tiles_and_nobody_twice() {
    let Some(data) = std::env::var_os("GATEHOUSE_DATA").filter(|data| !data.is_empty()) else {
        eprintln!("skipped: GATEHOUSE_DATA does not say where models and pictures are");
        return;
    };
    let (data, folder) = (PathBuf::from(data), tempfile::tempdir().unwrap());
    let others = folder.path().join("yolox-nano");
    fs::create_dir(&others).unwrap();
    fs::copy(data.join("models/yolox_nano.onnx"), others.join("yolox_nano.onnx")).unwrap();
    let manifest = workspace().join("tests/networks/yolox-nano.toml");
    fs::copy(manifest, others.join("model.toml")).unwrap();
    let shelves = Shelves::new(vec![folder.path().to_owned(), workspace().join("models")]);
    let names = NETWORKS.map(|(name, ..)| name);
    let (mut models, missing) = PictureModels::open(&shelves, names, onnxruntime().as_deref());
    assert!(missing.is_empty(), "{missing:?}");
    let picture = picture(&data.join(ABOVE));

    for (name, people, vehicles) in NETWORKS {
        let labels = models.labels(name).to_vec();
        let is_one_of =
            |one: &Detection, names: &[&str]| names.contains(&labels[one.label].as_str());
        let count = |found: &[Detection]| {
            [people, vehicles].map(|names| found.iter().filter(|one| is_one_of(one, names)).count())
        };
        let whole = boxes(&mut models, name, &picture, None);
        let mut looks = vec![(None, whole.clone())];
        looks.extend(
            tiles(TILES)
                .into_iter()
                .map(|tile| (Some(tile), boxes(&mut models, name, &picture, Some(tile)))),
        );
        let found = joined(looks.iter().map(|(tile, boxes)| (*tile, boxes.as_slice())));

        let (few, many) = (count(&whole), count(&found));
        let all: usize = looks.iter().map(|(_, boxes)| boxes.len()).sum();
        eprintln!(
            "{name}: {} people and {} vehicles in the whole picture; {} and {} with tiles {TILES:?}, \
             of {all} boxes",
            few[0], few[1], many[0], many[1]
        );
        let twice = twice(&found);
        assert!(many[0] + many[1] > few[0] + few[1], "{name}: {few:?}, {many:?}");
        assert!(many[0] >= few[0] && many[1] >= few[1], "{name}: {few:?}, {many:?}");
        assert!(twice.is_empty(), "{name}: {twice:?}");
    }
}

fn picture(path: &Path) -> Picture {
    jpeg::decode(&fs::read(path).unwrap(), (usize::MAX, usize::MAX)).unwrap()
}

fn boxes(
    models: &mut PictureModels,
    name: &str,
    picture: &Picture,
    tile: Option<Region>,
) -> Vec<Detection> {
    match models.look(name, picture, tile).unwrap() {
        Seen::Boxes(boxes) => boxes,
        other @ (Seen::Class { .. } | Seen::Mask { .. }) => panic!("{name}: {other:?}"),
    }
}

/// Boxes of a class over one another.
fn twice(found: &[Detection]) -> Vec<(Detection, Detection)> {
    let later = |i: usize| found[i + 1..].iter().map(move |other| (found[i], *other));
    let pairs = (0..found.len()).flat_map(later);
    pairs
        .filter(|(one, other)| {
            one.label == other.label && one.region.overlap(&other.region) > TWICE
        })
        .collect()
}
