//! The configurations of `cargo xtask sight-bench`, and the models that they name.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::camera::Cameras;
use crate::running::place_token;
use crate::step;

/// Ours, with a point that asks them.
const SHIPPED: [(&str, &str); 5] = [
    ("road-users", "{ see = \"count\", labels = [\"person\"] }"),
    ("face", "{ see = \"count\", labels = [\"face\"] }"),
    ("person", "{ see = \"count\", labels = [\"person\"] }"),
    ("bay-occupancy", "{ see = \"class\", labels = [\"busy\", \"free\"] }"),
    ("waste", "{ see = \"class\", labels = [\"paper\", \"glass\"] }"),
];

/// A network that nobody here made.
struct Other {
    name: &'static str,
    file: &'static str,
    labels: usize,
    /// The first output, and how many numbers it has.
    tested: (&'static str, usize),
    /// What its authors say of input and output, as a manifest has it.
    says: &'static str,
}

const OTHERS: [Other; 4] = [
    Other {
        name: "yolox-nano",
        file: "yolox_nano.onnx",
        labels: 80,
        tested: ("output", 3549 * 85),
        says: r#"
kind = "yolox"
score = 0.3
iou = 0.45
strides = [8, 16, 32]
[picture]
size = [416, 416]
colour = "bgr"
fit = "letterbox-top-left"
pad = 114
scale = 1.0
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
layout = "nchw"
[[input]]
name = "images"
shape = [1, 3, 416, 416]
type = "f32"
unit = "pixels"
[[output]]
name = "output"
shape = [1, 3549, 85]
type = "f32"
unit = "1"
"#,
    },
    Other {
        name: "fastestdet",
        file: "FastestDet.onnx",
        labels: 80,
        tested: ("758", 85 * 22 * 22),
        says: r#"
kind = "fastestdet"
score = 0.5
iou = 0.45
[picture]
size = [352, 352]
colour = "bgr"
fit = "stretch"
scale = 1.0
mean = [0.0, 0.0, 0.0]
std = [255.0, 255.0, 255.0]
layout = "nchw"
[[input]]
name = "input.1"
shape = [1, 3, 352, 352]
type = "f32"
unit = "pixels"
[[output]]
name = "758"
shape = [1, 85, 22, 22]
type = "f32"
unit = "1"
"#,
    },
    Other {
        name: "ultraface",
        file: "ultraface_rfb320.onnx",
        labels: 1,
        tested: ("scores", 4420 * 2),
        says: r#"
kind = "rows"
score = 0.3
iou = 0.45
box = "xyxy"
unit = "fraction"
boxes = "boxes"
scores = "scores"
background = 0
[picture]
size = [320, 240]
colour = "rgb"
fit = "stretch"
scale = 1.0
mean = [127.0, 127.0, 127.0]
std = [128.0, 128.0, 128.0]
layout = "nchw"
[[input]]
name = "input"
shape = [1, 3, 240, 320]
type = "f32"
unit = "pixels"
[[output]]
name = "scores"
shape = [1, 4420, 2]
type = "f32"
unit = "1"
[[output]]
name = "boxes"
shape = [1, 4420, 4]
type = "f32"
unit = "1"
"#,
    },
    Other {
        name: "plates",
        file: "y5fu_320x_sim.onnx",
        labels: 2,
        tested: ("output", 6300 * 15),
        says: r#"
kind = "rows"
score = 0.3
iou = 0.5
box = "cxcywh"
unit = "pixel"
objectness = 4
classes-from = 13
[picture]
size = [320, 320]
colour = "rgb"
fit = "letterbox-centre"
pad = 0
scale = 1.0
mean = [0.0, 0.0, 0.0]
std = [255.0, 255.0, 255.0]
layout = "nchw"
[[input]]
name = "input"
shape = [1, 3, 320, 320]
type = "f32"
unit = "pixels"
[[output]]
name = "output"
shape = [1, 6300, 15]
type = "f32"
unit = "1"
"#,
    },
];

/// There has to be one; a share is never above 1.
const NEVER: &str = r#"[scene]
id = "never"
title = { zh = "从不", en = "never" }
category = "camera"
advice = { zh = "无", en = "none" }
[[detector]]
id = "never"
when = "motion > 2.0"
"#;

/// ONNX Runtime beside the tests' Python, or where `ORT_DYLIB_PATH` says.
pub(super) fn onnxruntime() -> Option<PathBuf> {
    let named = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    let versions = fs::read_dir(step::target().join("test-venv/lib")).into_iter().flatten();
    let installed = versions.flatten().filter_map(|version| {
        let folder = version.path().join("site-packages/onnxruntime/capi");
        let mut files = fs::read_dir(folder).ok()?.flatten();
        let is_it = |name: String| name.starts_with("libonnxruntime.so");
        files.find(|file| is_it(file.file_name().to_string_lossy().into_owned()))
    });
    named.into_iter().chain(installed.map(|file| file.path())).find(|path| path.is_file())
}

/// A camera and a device for each model; the pictures are put in by the bench.
pub(super) fn looks(folder: &Path, pictures: &Path, data: Option<&Path>) -> Result<()> {
    if folder.exists() {
        return Ok(());
    }
    let models = folder.join("models");
    fs::create_dir_all(&models)?;
    symlink(pictures.join("picture"), folder.join("picture"))?;
    let mut asked: Vec<(String, String)> = Vec::new();
    for (name, point) in SHIPPED {
        symlink(step::workspace().join("models").join(name), models.join(name))?;
        asked.push((name.into(), point.into()));
    }
    let numbers = "forecast";
    symlink(step::workspace().join("models").join(numbers), models.join(numbers))?;
    for other in &OTHERS {
        if let Some(data) = data {
            install(&models.join(other.name), other, &data.join("models").join(other.file))?;
            asked.push((other.name.into(), "{ see = \"count\", labels = [\"0\"] }".into()));
        }
    }
    let types: Vec<_> = asked.iter().map(|(name, at)| (name.as_str(), at.as_str())).collect();
    let sizes = ["640x480", "1920x1080"].into_iter();
    let cameras = asked.iter().flat_map(|(model, _)| {
        sizes.clone().map(move |size| Camera {
            id: format!("{model}-at-{size}"),
            model: model.clone(),
            url: "http://127.0.0.1:1/none".into(),
        })
    });
    configure(folder, &models, &types, &cameras.collect::<Vec<_>>(), "")
}

/// So many cameras of one size, a device of the shipped detector at each, and stills on.
pub(super) fn memory(
    folder: &Path,
    cameras: &Cameras,
    size: &str,
    many: usize,
    console: u16,
) -> Result<()> {
    fs::create_dir_all(folder)?;
    place_token(folder)?;
    let rest = format!(
        "[console]\nlisten = \"127.0.0.1:{console}\"\ntoken-file = \"token\"\n\
         [evidence]\nbasis = \"a measurement\"\n"
    );
    let camera = |number| Camera {
        id: format!("camera-{number}"),
        model: SHIPPED[0].0.into(),
        url: cameras.url(size),
    };
    let cameras: Vec<_> = (0..many).map(camera).collect();
    configure(folder, &step::workspace().join("models"), &SHIPPED[..1], &cameras, &rest)
}

/// A camera, and a device with this model that looks through it.
struct Camera {
    id: String,
    model: String,
    url: String,
}

/// `types`: model and point of each device type.
fn configure(
    folder: &Path,
    models: &Path,
    types: &[(&str, &str)],
    cameras: &[Camera],
    rest: &str,
) -> Result<()> {
    for below in ["device-types", "scenes"] {
        fs::create_dir_all(folder.join(below))?;
    }
    let mut gateway = format!(
        "[gateway]\nid = \"gw-bench\"\ntownship = \"bench\"\n[store]\npath = \"{}\"\n\
         [models]\npath = \"{}\"\n{rest}",
        folder.join("data").display(),
        models.display()
    );
    let mut community = String::from(
        "[community]\nid = \"bench\"\ntitle = { zh = \"测试\", en = \"bench\" }\n\
         [[area]]\nid = \"all\"\ntitle = { zh = \"全部\", en = \"all\" }\npeople = 100\n",
    );
    for Camera { id, model, url } in cameras {
        let _ = write!(gateway, "[[camera]]\nid = \"{id}\"\nurl = \"{url}\"\nevery = \"1 ms\"\n");
        let _ = write!(
            community,
            "[[device]]\nid = \"of-{id}\"\ntype = \"{model}\"\narea = \"all\"\n\
             camera = \"{id}\"\n"
        );
    }
    for (model, at) in types {
        let text = format!(
            "[device-type]\nid = \"{model}\"\ntitle = {{ zh = \"摄像机\", en = \"camera\" }}\n\
             via = \"camera\"\n[camera]\nmodel = \"{model}\"\nevery = \"1 ms\"\n\
             [[point]]\nname = \"seen\"\nat = {at}\nunit = \"1\"\n\
             [[point]]\nname = \"motion\"\nat = {{ see = \"motion\" }}\nunit = \"1\"\n\
             [[example]]\nvalues = {{ seen = 0, motion = 0 }}\nexpect = {{ seen = 0, motion = 0 }}\n"
        );
        fs::write(folder.join(format!("device-types/{model}.toml")), text)?;
    }
    fs::write(folder.join("scenes/never.toml"), NEVER)?;
    fs::write(folder.join("gateway.toml"), gateway)?;
    Ok(fs::write(folder.join("community.toml"), community)?)
}

/// A model's folder, with a manifest whose test says nothing but that it answers.
fn install(folder: &Path, other: &Other, file: &Path) -> Result<()> {
    let Other { name, labels, tested: (tested, numbers), says, .. } = other;
    fs::create_dir_all(folder)?;
    symlink(file, folder.join("model.onnx"))?;
    let sum = Command::new("sha256sum").arg(file).output().context("no sha256sum")?;
    if !sum.status.success() {
        bail!("there is no {}", file.display());
    }
    let sum = String::from_utf8(sum.stdout)?;
    let sha256 = sum.split_whitespace().next().context("no sum")?;
    let labels: Vec<String> = (0..*labels).map(|label| format!("\"{label}\"")).collect();
    let text = format!(
        "name = \"{name}\"\nversion = \"1.0.0\"\ntitle = {{ en = \"{name}\", zh = \"{name}\" }}\n\
         file = \"model.onnx\"\nsha256 = \"{sha256}\"\nlicence = \"see its authors\"\n\
         training-data = \"see its authors\"\nfigures = {{}}\n[decode]\nlabels = [{}]{says}\
         [[test]]\nwhy = \"it answers\"\nseed = 7\noutput = \"{tested}\"\nat = [{}]\nexpect = [0.0]\n\
         tolerance = 1e9\n",
        labels.join(", "),
        numbers - 1
    );
    Ok(fs::write(folder.join("model.toml"), text)?)
}
