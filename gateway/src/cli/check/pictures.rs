//! The installed models that look at pictures, as far as device types must know them: `[picture]` in a
//! `model.toml` tells them from models of numbers.

use gatehouse_core::community::build::{PictureKind, PictureModel};
use serde::Deserialize;

use crate::infer::Shelves;

/// Of `model.toml`, what device types refer to.
#[derive(Deserialize)]
struct Manifest {
    #[expect(dead_code, reason = "a model of numbers has none")]
    picture: toml::Table,
    decode: Decode,
}

#[derive(Deserialize)]
struct Decode {
    kind: String,
    #[serde(default)]
    labels: Vec<String>,
}

/// All of them, by name; one that cannot be read is none.
pub(super) fn installed(shelves: &Shelves) -> Vec<PictureModel> {
    shelves.names().into_iter().filter_map(|name| read(shelves, name)).collect()
}

fn read(shelves: &Shelves, name: String) -> Option<PictureModel> {
    let path = shelves.find(&name)?.join("model.toml");
    let Manifest { decode, .. } = toml::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    let kind = match decode.kind.as_str() {
        "classifier" => PictureKind::Class,
        "mask" => PictureKind::Mask,
        // However its rows are laid out.
        _ => PictureKind::Boxes,
    };
    Some(PictureModel { name, kind, labels: decode.labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_of_pictures_is_told_from_one_of_numbers() {
        let shelf = tempfile::tempdir().unwrap();
        let cases = [
            (
                "bays",
                "[picture]\nsize = [1, 1]\n[decode]\nkind = \"classifier\"\nlabels = [\"busy\"]",
            ),
            ("cars", "[picture]\nsize = [1, 1]\n[decode]\nkind = \"yolox\"\nlabels = [\"car\"]"),
            ("forecast", "window = 3"),
        ];
        for (name, text) in cases {
            std::fs::create_dir(shelf.path().join(name)).unwrap();
            std::fs::write(shelf.path().join(name).join("model.toml"), text).unwrap();
        }

        let model = |name: &str, kind, label: &str| PictureModel {
            name: name.into(),
            kind,
            labels: vec![label.into()],
        };
        let expected =
            [model("bays", PictureKind::Class, "busy"), model("cars", PictureKind::Boxes, "car")];
        assert_eq!(installed(&shelf.path().into()), expected);
    }
}
