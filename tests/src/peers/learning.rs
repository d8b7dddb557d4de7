//! A model that learns from what devices say, and whether a store holds what it has learnt.

use std::fs;
use std::path::Path;

/// A scene that asks the shipped model of what is usual about devices of a type.
pub(crate) fn unusual(device_type: &str) -> String {
    format!(
        "[scene]\nid = \"unusual\"\ntitle = {{ zh = \"数据异常\", en = \"unusual\" }}\n\
         category = \"facility\"\ndevice-types = [\"{device_type}\"]\nadvice = {{ zh = \"查看\", en = \"look\" }}\n\
         [[detector]]\nid = \"unusual\"\nmodel = \"forecast\"\n"
    )
}

/// Whether a store holds what was learnt of a device's temperature: in one of the files apart from its database.
pub(crate) fn has_learnt(store: &Path, device: &str) -> bool {
    let key = format!("learnt/{device}/unusual/unusual/temperature").into_bytes();
    let is_apart = |file: &fs::DirEntry| file.file_name().to_string_lossy().starts_with("apart-");
    let files = fs::read_dir(store).unwrap().map(Result::unwrap).filter(is_apart);
    let mut contents = files.map(|file| fs::read(file.path()).unwrap());
    contents.any(|bytes| bytes.windows(key.len()).any(|window| window == key))
}
