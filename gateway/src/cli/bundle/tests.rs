//! Bundles laid over the shipped configuration.

use std::fs;

use clap::Parser;
use tempfile::TempDir;

use super::super::{Cli, Command};
use super::check::load;
use super::*;
use crate::simulate::shipped;

const SCENE: &str = "scenes/bin-fire.toml";

/// The shipped configuration with a store of its own and a trusted key, and a folder for a bundle.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        let config = shipped::unpack(site.0.path()).unwrap();
        site.run(&["keygen", &site.at("vendor")]).unwrap();
        let text = fs::read_to_string(config.join("gateway.toml")).unwrap();
        let text = text.replace("path = \"data\"", &format!("path = \"{}\"", site.at("data")));
        let text = text + "\n[bundles]\ntrusted-keys = [\"../vendor.pub\"]\n";
        fs::write(config.join("gateway.toml"), text).unwrap();
        site
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn run(&self, args: &[&str]) -> anyhow::Result<ExitCode> {
        let config = self.at("config");
        let all = ["gatehouse", "bundle", "--config", &config, "--json"]
            .into_iter()
            .chain(args.iter().copied());
        let Command::Bundle(args) = Cli::try_parse_from(all).unwrap().command else {
            panic!("not a command of bundles");
        };
        run(&args)
    }

    /// A bundle with one file that replaces a shipped one.
    fn bundle(&self, version: &str, path: &str, text: &[u8]) -> String {
        let folder = self.0.path().join(format!("b-{version}"));
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        let about = format!("name = \"site\"\nversion = \"{version}\"\n");
        fs::write(folder.join("bundle.toml"), about).unwrap();
        let (folder, out) = (folder.display().to_string(), self.at(&format!("{version}.bundle")));
        self.run(&["sign", "--key", &self.at("vendor"), &folder, "--out", &out]).unwrap();
        out
    }

    fn shipped(&self, path: &str) -> String {
        fs::read_to_string(self.0.path().join("config").join(path)).unwrap()
    }

    /// The title of the scene that the bundles replace.
    fn title(&self) -> String {
        let loaded = load(&self.0.path().join("config")).unwrap();
        let scene = loaded.built.community.scenes.iter().find(|s| s.head.id == "bin-fire");
        scene.unwrap().head.title.en.clone()
    }
}

#[test]
fn a_bundles_file_stands_for_the_one_of_its_name_until_somebody_goes_back() {
    let site = Site::new();
    let before = site.title();
    let scene = site.shipped(SCENE).replacen(&format!("en = \"{before}\""), "en = \"Ours\"", 1);
    let bundle = site.bundle("1", SCENE, scene.as_bytes());

    site.run(&["verify", &bundle]).unwrap();
    assert_eq!(site.title(), before, "a look changes nothing");
    site.run(&["install", &bundle]).unwrap();
    assert_eq!(site.title(), "Ours");

    site.run(&["rollback"]).unwrap();
    assert_eq!(site.title(), before);
    site.run(&["rollback"]).unwrap();
    assert_eq!(site.title(), "Ours");
}

#[test]
fn a_bundle_with_which_the_gateway_would_not_work_is_refused_and_the_old_one_stays() {
    let site = Site::new();
    let scene =
        site.shipped(SCENE).replacen(&format!("en = \"{}\"", site.title()), "en = \"Ours\"", 1);
    site.run(&["install", &site.bundle("1", SCENE, scene.as_bytes())]).unwrap();
    let manifest = "models/forecast/model.toml";
    let network = fs::read(site.0.path().join("models/forecast/model.onnx")).unwrap();
    let text = fs::read_to_string(site.0.path().join(manifest)).unwrap();
    let other_answers = text.replacen("-0.86", "-0.76", 1);
    let cases: [(&str, &str, Vec<u8>); 4] = [
        ("a-scene-of-nothing", SCENE, b"[scene]".to_vec()),
        ("a-scene-whose-story-fails", SCENE, scene.replacen("opened", "cleared", 1).into()),
        ("a-model-without-a-network", manifest, text.into()),
        ("a-model-that-fails-its-tests", manifest, other_answers.into()),
    ];
    for (why, path, text) in cases {
        if why == "a-model-that-fails-its-tests" {
            let folder = site.0.path().join(format!("b-{why}/models/forecast"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("model.onnx"), &network).unwrap();
        }
        let bundle = site.bundle(why, path, &text);

        let refused = site.run(&["install", &bundle]).unwrap_err();

        assert!(
            refused.to_string().ends_with("is refused; nothing has changed"),
            "{why}: {refused}"
        );
        assert_eq!(site.title(), "Ours", "{why}");
    }
}

#[test]
fn a_bundle_that_was_changed_on_the_disk_is_a_fault_of_the_configuration() {
    let site = Site::new();
    site.run(&["install", &site.bundle("1", SCENE, site.shipped(SCENE).as_bytes())]).unwrap();
    let bundles = fs::read_dir(site.0.path().join("data/bundles")).unwrap().flatten();
    let folder = bundles.map(|e| e.path()).find(|path| path.is_dir()).unwrap();
    fs::write(folder.join(SCENE), site.shipped(SCENE) + "# changed\n").unwrap();

    let faults = load(&site.0.path().join("config")).unwrap_err();

    let [fault] = faults.faults() else { panic!("{faults:?}") };
    let expected = "the installed bundle is refused: `scenes/bin-fire.toml` is not what was signed";
    assert_eq!(fault.message, expected);
}

#[test]
fn a_candidate_changes_nothing_of_what_stands_and_must_read_the_same_devices() {
    let site = Site::new();
    let before = site.title();
    let scene = site.shipped(SCENE).replacen(&format!("en = \"{before}\""), "en = \"Ours\"", 1);
    site.run(&["install", "--shadow", &site.bundle("1", SCENE, scene.as_bytes())]).unwrap();
    assert_eq!(site.title(), before);

    let community = site.shipped("community.toml");
    let (head, device) = community.split_once("[[device]]").unwrap();
    let (first, rest) = device.split_once("[[device]]").unwrap();
    let moved = format!("{head}[[device]]{rest}\n[[device]]{first}");
    let other = site.bundle("2", "community.toml", moved.as_bytes());
    let refused = format!("{:#}", site.run(&["install", "--shadow", &other]).unwrap_err());

    assert!(refused.contains("is refused; nothing has changed"), "{refused}");
    assert!(refused.contains("in another way or place"), "{refused}");
    let config = site.0.path().join("config");
    let gateway = check::load_gateway(&config).unwrap();
    let candidate = check::load_candidate(&config, &gateway.config).unwrap().unwrap();
    assert_eq!(candidate.bundle.unwrap().title, "site 1", "the one before stays");
}
