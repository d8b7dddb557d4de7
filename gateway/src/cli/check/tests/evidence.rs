//! What is told of `[evidence]`.

use super::*;

#[test]
fn a_limit_and_a_basis_that_say_nothing_are_told_at_their_place() {
    let line = GATEWAY.lines().count() + 2;
    for (keep, basis, expected) in [
        ("72 h", "assembly", vec![]),
        ("721 h", "assembly", vec![format!("{line}:8 `keep` is ")]),
        ("0 s", "assembly", vec![format!("{line}:8 `keep` is ")]),
        ("1 h", " ", vec![format!("{}:9 `basis` is empty", line + 1)]),
    ] {
        let last = GATEWAY.lines().last().unwrap_or_default();
        let evidence = format!("{last}\n[evidence]\nkeep = \"{keep}\"\nbasis = \"{basis}\"\n");
        let told = told_of_gateway(last, &evidence);
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (told, expected) in told.iter().zip(&expected) {
            assert!(told.starts_with(expected), "{told}: {expected}");
        }
    }
}

#[test]
fn stills_that_nobody_could_mask_are_told_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    copy(&shipped(), folder.path());
    let (models, shipped) = (folder.path().join("models"), shipped().join("../models"));
    std::fs::create_dir(&models).unwrap();
    for name in ["forecast", "limit-forecast"] {
        copy(&shipped.join(name), &models.join(name));
    }
    change(folder.path(), "gateway.toml", "../models", "models");
    let path = folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().count() + 1;
    std::fs::write(&path, format!("{text}\n[evidence]\nbasis = \"a test\"\n")).unwrap();
    let told = || {
        let notices = load(folder.path()).unwrap().notices().plain();
        let place = format!("gateway.toml:{}:", line + 1);
        notices.lines().find(|line| line.contains(&place)).map(ToOwned::to_owned)
    };

    let all = told().unwrap();
    let found = "no still is kept: the models `face`, `person`, `road-users`, `plate` that find";
    assert!(all.contains(found), "{all}");
    for name in ["face", "road-users", "plate"] {
        copy(&shipped.join(name), &models.join(name));
    }
    let one = told().unwrap();
    assert!(one.contains("the model `person` that finds"), "{one}");
    copy(&shipped.join("person"), &models.join("person"));
    assert_eq!(told(), None);
}
