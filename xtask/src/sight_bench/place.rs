//! The configurations of `cargo xtask sight-bench`, and the models that they name.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::camera::Cameras;
use crate::running::place_token;
use crate::step;

/// Ours, with a point that asks them.
const SHIPPED: [(&str, &str); 6] = [
    ("road-users", "{ see = \"count\", labels = [\"person\"] }"),
    ("face", "{ see = \"count\", labels = [\"face\"] }"),
    ("person", "{ see = \"count\", labels = [\"person\"] }"),
    ("plate", "{ see = \"count\", labels = [\"plate\"] }"),
    ("bay-occupancy", "{ see = \"class\", labels = [\"busy\", \"free\"] }"),
    ("waste", "{ see = \"class\", labels = [\"paper\", \"glass\"] }"),
];

/// Networks that nobody here made: their manifests in tests/networks, and their files.
const OTHERS: [(&str, &str); 4] = [
    ("yolox-nano", "yolox_nano.onnx"),
    ("fastestdet", "FastestDet.onnx"),
    ("ultraface", "ultraface_rfb320.onnx"),
    ("plates", "y5fu_320x_sim.onnx"),
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
    for (name, file) in OTHERS {
        if let Some(data) = data {
            install(&models.join(name), name, &data.join("models").join(file))?;
            asked.push((name.into(), "{ see = \"count\", labels = [\"0\"] }".into()));
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

/// A model's folder.
fn install(folder: &Path, name: &str, file: &Path) -> Result<()> {
    let own = file.file_name().context("no file")?;
    if !file.is_file() {
        bail!("there is no {}", file.display());
    }
    fs::create_dir_all(folder)?;
    symlink(file, folder.join(own))?;
    let manifest = step::workspace().join("tests/networks").join(format!("{name}.toml"));
    Ok(symlink(manifest, folder.join("model.toml"))?)
}
