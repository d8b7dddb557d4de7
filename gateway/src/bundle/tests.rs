//! Bundles whole, changed in every byte, and made by somebody who means harm.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::contents::{Contents, Item, Wrong, has_place};
use super::head::Head;
use super::installed::{Installed, Layer, Terms};
use super::keys::{Signer, Trust};
use super::*;

/// A folder with a key pair, a bundle's folder and a place to install.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        keys::generate(&folder.path().join("vendor")).unwrap();
        let site = Self { folder };
        site.write("b/bundle.toml", "name = \"air\"\nversion = \"1.0\"\n");
        site.write("b/scenes/air.toml", "[scene]");
        site.write("b/models/m/model.onnx", "a network");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn signer(&self) -> Signer {
        Signer::read(&self.path("vendor")).unwrap()
    }

    fn trust(&self) -> Trust {
        Trust::read(&[self.path("vendor.pub")]).unwrap()
    }

    fn sign(&self, version: &str) -> PathBuf {
        self.write("b/bundle.toml", &format!("name = \"air\"\nversion = \"{version}\"\n"));
        let out = self.path(&format!("{version}.bundle"));
        pack::sign(&self.path("b"), &self.signer(), Some(out)).unwrap().0
    }

    fn installed(&self) -> Installed {
        Installed::below(&self.path("data"))
    }

    fn install(&self, file: &Path) -> Result<Layer, BundleError> {
        self.installed().install(file, &self.trust(), Terms::default(), |_| Ok(()))
    }

    fn current(&self) -> Option<String> {
        self.installed().current(&self.trust()).unwrap().map(|layer| layer.title)
    }
}

#[test]
fn what_was_signed_is_installed_and_the_one_before_is_kept_for_going_back() {
    let site = Site::new();
    let (one, two) = (site.sign("1.0"), site.sign("2.0"));
    assert_eq!(site.current(), None);

    let layer = site.install(&one).unwrap();
    assert_eq!((layer.title.as_str(), layer.signer.as_str()), ("air 1.0", "vendor.pub"));
    assert_eq!(fs::read(layer.folder.join("models/m/model.onnx")).unwrap(), b"a network");
    site.install(&two).unwrap();
    assert_eq!(site.current().as_deref(), Some("air 2.0"));
    assert!(matches!(site.install(&two), Err(BundleError::InUse(_))));

    for expected in ["air 1.0", "air 2.0"] {
        let back = site.installed().go_back(&site.trust(), |_| Ok(())).unwrap();
        assert_eq!(back.map(|layer| layer.title).as_deref(), Some(expected));
        assert_eq!(site.current().as_deref(), Some(expected));
    }
    site.install(&site.sign("3.0")).unwrap();
    let kept = fs::read_dir(site.installed().folder()).unwrap().flatten();
    assert_eq!(kept.filter(|e| e.path().is_dir()).count(), 2, "the current and the one before");
}

#[test]
fn going_back_from_the_first_bundle_leaves_none() {
    let site = Site::new();
    let back = |site: &Site| site.installed().go_back(&site.trust(), |_| Ok(()));
    assert!(matches!(back(&site), Err(BundleError::NothingBefore)));

    site.install(&site.sign("1.0")).unwrap();
    assert!(site.installed().has_current());

    assert_eq!(back(&site).unwrap(), None);
    assert_eq!(site.current(), None);
    assert!(!site.installed().has_current(), "it is kept, and does not stand");
}

#[test]
fn a_bundle_that_is_judged_bad_changes_nothing() {
    let site = Site::new();
    site.install(&site.sign("1.0")).unwrap();
    let refuse = |_: &Layer| Err(BundleError::Refused("a scene cannot work".to_owned()));

    let refused =
        site.installed().install(&site.sign("2.0"), &site.trust(), Terms::default(), refuse);

    assert_eq!(refused.unwrap_err().to_string(), "a scene cannot work");
    assert_eq!(site.current().as_deref(), Some("air 1.0"));
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused_and_nothing_is_installed() {
    let site = Site::new();
    let bytes = fs::read(site.sign("1.0")).unwrap();
    let changed = site.path("changed.bundle");
    let mut cases: Vec<Vec<u8>> = (0..bytes.len() * 8)
        .map(|bit| {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        })
        .collect();
    cases.extend((0..bytes.len()).map(|end| bytes[..end].to_vec()));
    cases.push([bytes.as_slice(), b"x"].concat());

    for case in cases {
        let folder = site.path("unpacked");
        fs::create_dir(&folder).unwrap();
        let mut from = case.as_slice();
        let outcome =
            Head::read(&mut from, &site.trust()).and_then(|h| h.unpack(&mut from, &folder));
        assert!(outcome.is_err(), "{} bytes were taken", case.len());
        fs::remove_dir_all(folder).unwrap();
    }
    let mut last = bytes;
    *last.last_mut().unwrap() ^= 1;
    fs::write(&changed, last).unwrap();
    assert!(
        matches!(site.install(&changed), Err(BundleError::Changed(path)) if path == "scenes/air.toml")
    );
    assert_eq!(site.current(), None);
    assert!(!site.installed().folder().join(".incoming").exists());
}

#[test]
fn a_stranger_and_an_empty_list_of_keys_are_told_apart() {
    let site = Site::new();
    let file = site.sign("1.0");
    keys::generate(&site.path("other")).unwrap();
    let other = Trust::read(&[site.path("other.pub")]).unwrap();

    let refusal = |trust: &Trust| {
        site.installed().install(&file, trust, Terms::default(), |_| Ok(())).unwrap_err()
    };

    assert!(matches!(refusal(&other), BundleError::Stranger(key) if key.len() == 64));
    assert!(matches!(refusal(&Trust::default()), BundleError::NobodyTrusted));
    for (path, expected) in [("vendor", "public"), ("b/scenes/air.toml", "public")] {
        let error = Trust::read(&[site.path(path)]).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(path), "{error}");
    }
    assert!(keys::generate(&site.path("vendor")).is_err(), "a key is never overwritten");
}

#[test]
fn what_lies_on_the_disk_is_held_against_the_signature_at_each_load() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("a changed file", |folder| fs::write(folder.join("scenes/air.toml"), "[scenf]").unwrap()),
        ("a longer file", |folder| fs::write(folder.join("scenes/air.toml"), "[scene]x").unwrap()),
        ("a further file", |folder| fs::write(folder.join("scenes/more.toml"), "").unwrap()),
        ("a missing file", |folder| fs::remove_file(folder.join("scenes/air.toml")).unwrap()),
        ("a longer head", |folder| {
            let head = folder.join("bundle.head");
            fs::write(&head, [fs::read(&head).unwrap(), b"x".to_vec()].concat()).unwrap();
        }),
    ];
    for (why, change) in changes {
        let site = Site::new();
        let file = site.sign("1.0");
        change(&site.install(&file).unwrap().folder);

        assert!(site.installed().current(&site.trust()).is_err(), "{why} was taken");

        site.install(&file).unwrap();
        assert_eq!(site.current().as_deref(), Some("air 1.0"), "{why}: installed again");
    }
}

#[test]
fn nothing_leads_out_of_a_bundle() {
    let site = Site::new();
    for path in [
        "../scenes/a.toml",
        "/etc/passwd",
        "scenes/../a.toml",
        "models/../../a",
        "models/m/../a",
        "scenes/.toml",
        "scenes/a.txt",
        "gateway.toml",
        "models/m",
        "models/m/n/a",
        "scenes//a.toml",
        "scenes/a\0.toml",
        "scenes\\a.toml",
        "models/./a",
        "bundle.head",
        "",
    ] {
        assert!(!has_place(path), "{path}");
        let sha256 = String::new();
        let files = vec![Item { path: path.into(), size: 0, sha256 }];
        let contents = Contents { name: "a".into(), version: "1".into(), files };
        let refused = Head::sign(&contents, &site.signer());
        assert!(matches!(refused, Err(BundleError::Wrong(Wrong::Path(_)))), "{path}");
    }
    for (name, size, count) in [("..", 1, 1), ("a", 1 << 40, 1), ("a", 1, 1_001), ("a", 1, 0)] {
        let file = |n| Item { path: format!("scenes/{n}.toml"), size, sha256: String::new() };
        let files = (0..count).map(file).collect();
        let contents = Contents { name: name.into(), version: "1".into(), files };
        assert!(contents.check().is_err(), "{name} {size} {count}");
    }
}

#[test]
fn a_folder_with_something_else_in_it_is_not_signed() {
    let site = Site::new();
    site.write("b/models/m/.git", "left out");
    site.sign("1.0");
    site.write("b/gateway.toml", "[gateway]");

    let refused = pack::sign(&site.path("b"), &site.signer(), Some(site.path("x"))).unwrap_err();

    assert!(
        refused.to_string().starts_with("`gateway.toml` has no place in a bundle"),
        "{refused}"
    );
    assert!(!site.path("x").exists());
}

proptest! {
    #[test]
    fn no_bytes_are_a_bundle_by_chance(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        let bytes = [b"gatehouse-bundle/1\n".as_slice(), &noise].concat();

        prop_assert!(Head::read(&mut bytes.as_slice(), &Trust::default()).is_err());
    }
}

mod candidates;
mod trial;
