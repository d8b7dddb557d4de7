//! Four networks that nobody here made, by manifest alone, on real pictures: the boxes are where their
//! authors' formulas put them, on both engines.
//!
//! The judge is shown the pixels that our JPEG decoder gives, because decoders differ by a level or two, and says
//! how far those are from what `OpenCV` decodes.
//!
//! `GATEHOUSE_DATA` names the folder with `models` and `media`; without it, and without `OpenCV` and ONNX
//! Runtime beside the tests' Python, nothing is compared and the test says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gatehouse_sight::jpeg;
use serde_json::Value;

use crate::models::onnxruntime;
use crate::peers::{gatehouse, python, workspace};

/// Pixels of the picture.
const HALF_A_PIXEL: f64 = 0.5;

/// Of 255, on average over a picture, between our JPEG decoder and `OpenCV`'s.
const LEVELS: f64 = 1.0;

/// A network, and what its manifest in tests/networks says that its judge must know, too.
struct Network {
    name: &'static str,
    file: &'static str,
    /// In tests/peers/see.py.
    kind: &'static str,
    score: f64,
    iou: f64,
}

const NETWORKS: [Network; 4] = [
    Network { name: "yolox-nano", file: "yolox_nano.onnx", kind: "yolox", score: 0.3, iou: 0.45 },
    Network {
        name: "fastestdet",
        file: "FastestDet.onnx",
        kind: "fastestdet",
        score: 0.5,
        iou: 0.45,
    },
    Network {
        name: "ultraface",
        file: "ultraface_rfb320.onnx",
        kind: "ultraface",
        score: 0.3,
        iou: 0.45,
    },
    Network {
        name: "plates",
        file: "y5fu_320x_sim.onnx",
        kind: "hyperlpr",
        score: 0.004,
        iou: 0.5,
    },
];

/// Where models and pictures that judge are, when the tests' Python can judge with them.
pub(crate) fn judges() -> Option<PathBuf> {
    let data = std::env::var_os("GATEHOUSE_DATA").filter(|data| !data.is_empty());
    if data.is_none() {
        eprintln!("skipped: GATEHOUSE_DATA does not say where models and pictures are");
    }
    let has_judge = Command::new(python()).args(["-c", "import cv2, onnxruntime"]).output();
    if !has_judge.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: the tests' Python has no `OpenCV` or no ONNX Runtime");
        return None;
    }
    data.map(PathBuf::from)
}

#[test]
fn real_networks_give_the_boxes_that_their_authors_formulas_give() {
    let Some(data) = judges() else { return };
    let pictures = jpegs(&data.join("media"));
    assert!(!pictures.is_empty(), "no picture in {}", data.display());
    let config = tempfile::tempdir().unwrap();
    let decoded: Vec<PathBuf> =
        pictures.iter().map(|picture| pixels(picture, config.path())).collect();
    let apart = levels_apart(&pictures, &decoded);
    assert!(apart < LEVELS, "{apart} levels from what `OpenCV` decodes, on average");
    let town = "[gateway]\nid = \"gw\"\ntownship = \"t\"\n[models]\npath = \"models\"\n";
    fs::write(config.path().join("gateway.toml"), town).unwrap();
    for network in &NETWORKS {
        install(network, &data, config.path());
        let expected = judged(network, &data, &decoded);
        assert!(
            expected.iter().any(|judged| !judged.kept.is_empty()),
            "{}: nothing to compare",
            network.name
        );
        for library in [Some(PathBuf::from("/nonexistent")), onnxruntime()].into_iter().flatten() {
            for (picture, expected) in pictures.iter().zip(&expected) {
                let told = look(network.name, picture, config.path(), &library);
                compare(network, &told, expected);
            }
        }
    }
}

/// The pixels of a JPEG as we decode it, as a PPM that `OpenCV` reads.
fn pixels(jpeg: &Path, folder: &Path) -> PathBuf {
    let picture = jpeg::decode(&fs::read(jpeg).unwrap(), (usize::MAX, usize::MAX)).unwrap();
    let mut ppm = format!("P6 {} {} 255\n", picture.width(), picture.height()).into_bytes();
    ppm.extend_from_slice(&picture.to_rgb());
    let path = folder.join(jpeg.file_name().unwrap()).with_extension("ppm");
    fs::write(&path, ppm).unwrap();
    path
}

/// Of the picture that is the furthest.
fn levels_apart(ours: &[PathBuf], theirs: &[PathBuf]) -> f64 {
    let script = "import cv2, sys\nn = len(sys.argv) // 2\n\
                  read = lambda path: cv2.imread(path).astype(float)\n\
                  print(max(abs(read(a) - read(b)).mean() for a, b in zip(sys.argv[1:n+1], sys.argv[n+1:])))";
    let output =
        Command::new(python()).args(["-c", script]).args(ours).args(theirs).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn install(network: &Network, data: &Path, config: &Path) {
    let folder = config.join("models").join(network.name);
    fs::create_dir_all(&folder).unwrap();
    fs::copy(data.join("models").join(network.file), folder.join(network.file)).unwrap();
    let manifest = workspace().join("tests/networks").join(format!("{}.toml", network.name));
    fs::copy(manifest, folder.join("model.toml")).unwrap();
}

/// A box: corners in pixels of the picture, score and class.
struct Seen {
    place: [f64; 4],
    score: f64,
    label: String,
}

/// What the authors' formula gives for a picture: after suppression, and before.
struct Judged {
    kept: Vec<Seen>,
    all: Vec<Seen>,
}

fn judged(network: &Network, data: &Path, pictures: &[PathBuf]) -> Vec<Judged> {
    let output = Command::new(python())
        .arg(workspace().join("tests/peers/see.py"))
        .arg(network.kind)
        .arg(data.join("models").join(network.file))
        .args([network.score.to_string(), network.iou.to_string()])
        .args(pictures)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let boxes = |told: &Value| -> Vec<Seen> {
        let rows = told.as_array().unwrap().iter();
        let row = |row: &Value| Seen {
            place: std::array::from_fn(|i| row[i].as_f64().unwrap()),
            score: row[4].as_f64().unwrap(),
            label: row[5].to_string(),
        };
        rows.map(row).collect()
    };
    text.lines()
        .map(|line| {
            let told: Value = serde_json::from_str(line).unwrap();
            Judged { kept: boxes(&told["kept"]), all: boxes(&told["all"]) }
        })
        .collect()
}

fn look(name: &str, picture: &Path, config: &Path, library: &Path) -> Value {
    let output = Command::new(gatehouse())
        .args(["models", "--json", "look", name])
        .arg(picture)
        .arg("--config")
        .arg(config)
        .env("ORT_DYLIB_PATH", library)
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every box of ours is one of the judge's, and every box that the judge keeps is one of ours, half a pixel away
/// at most. Of two boxes over one another that are as good as equal either may be kept.
fn compare(network: &Network, told: &Value, judged: &Judged) {
    let (name, engine) = (network.name, &told["engine"]);
    let [width, height] = ["width", "height"].map(|side| told[side].as_f64().unwrap());
    let ours: Vec<Seen> = told["seen"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| {
            let at = |i: usize| found["region"][i].as_f64().unwrap();
            Seen {
                place: [at(0) * width, at(1) * height, at(2) * width, at(3) * height],
                score: found["score"].as_f64().unwrap(),
                label: found["label"].as_str().unwrap().to_owned(),
            }
        })
        .collect();
    let inside = |p: [f64; 4]| [0, 1, 2, 3].map(|i| p[i].clamp(0.0, [width, height][i % 2]));
    let apart = |a: &Seen, b: &Seen| {
        let sides = inside(a.place).into_iter().zip(inside(b.place));
        sides.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    let nearest = |one: &Seen, others: &[Seen]| {
        let others = others.iter().filter(|other| other.label == one.label);
        others.map(|other| apart(one, other)).fold(f64::INFINITY, f64::min)
    };
    let mut worst = 0.0_f64;
    for one in &ours {
        let far = nearest(one, &judged.all);
        assert!(far <= HALF_A_PIXEL, "{name} on {engine}: {:?} is {far} pixels off", one.place);
        worst = worst.max(far);
    }
    // A level of a pixel may push a box below the threshold.
    let clear = |one: &&Seen| one.score >= network.score * 1.1;
    for one in judged.kept.iter().filter(clear) {
        let is_equal = |other: &Seen| {
            other.label == one.label
                && (other.score - one.score).abs() < 0.02 * one.score.max(0.1)
                && iou(inside(one.place), inside(other.place)) > network.iou
        };
        let far = nearest(one, &ours);
        let is_found = far <= HALF_A_PIXEL || ours.iter().any(is_equal);
        assert!(is_found, "{name} on {engine}: {:?} is not seen, {far} pixels off", one.place);
    }
    eprintln!("{name} on {engine}: {} boxes, {worst:.3} pixels apart at most", ours.len());
}

fn iou(a: [f64; 4], b: [f64; 4]) -> f64 {
    let long = |i: usize| (a[i + 2].min(b[i + 2]) - a[i].max(b[i])).max(0.0);
    let area = |c: [f64; 4]| (c[2] - c[0]) * (c[3] - c[1]);
    let both = long(0) * long(1);
    both / (area(a) + area(b) - both)
}

pub(crate) fn jpegs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "jpg")).collect();
    found.sort();
    found
}
