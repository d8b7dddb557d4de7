//! Mistakes in limits that should warn before they are passed.

use super::*;

const LIMIT: &str = "limit-high = \"2 m\"";

#[test]
fn a_warning_that_cannot_work_is_told_with_its_place() {
    let cases = [
        ("warn-within = \"3 h\"", "11:1 `warn-within` needs `every`, the distance of the samples"),
        (
            "warn-within = \"7 h\"\nevery = \"1 h\"",
            "11:15 `warn-within` is one to six times `every`: \"1h\" to \"6h\"",
        ),
        ("warn-within = \"30 min\"\nevery = \"1 h\"", "11:15 `warn-within` is one to six times"),
        ("warn-sure = 0.5", "11:1 `warn-sure` belongs to `warn-within`, which is missing"),
        (
            "warn-within = \"3 h\"\nevery = \"1 h\"\nwarn-sure = 80",
            "13:13 `warn-sure` is a share from 0 to 1",
        ),
        ("every = \"1 h\"", "11:1 `every` belongs to `model` and `warn-within`, not to"),
    ];
    for (added, expected) in cases {
        let scene = changed(SCENE, LIMIT, &format!("{LIMIT}\n{added}"));
        let told = told(&Files { scenes: vec![file("water.toml", &scene)], ..files() });
        assert!(
            told.len() == 1 && told[0].starts_with(&format!("water.toml:{expected}")),
            "{added}: {told:#?}"
        );
    }
}

#[test]
fn a_rule_cannot_warn_and_no_other_detector_is_called_like_a_warning() {
    let rule = changed(SCENE, "id = \"fast\"", "id = \"fast\"\nwarn-within = \"3 h\"");
    let taken = changed(SCENE, "id = \"fast\"", "id = \"high-soon\"");
    let expected = [
        (rule, "14:1 `warn-within` belongs to limits, not to `when`"),
        (taken, "13:6 ids that end in `-soon` are those of warnings (`warn-within`)"),
    ];
    for (scene, expected) in expected {
        let told = told(&Files { scenes: vec![file("water.toml", &scene)], ..files() });
        assert_eq!(told, [format!("water.toml:{expected}")]);
    }
}

#[test]
fn a_warning_needs_its_model() {
    let scene = changed(SCENE, LIMIT, &format!("{LIMIT}\nwarn-within = \"3 h\"\nevery = \"1 h\""));
    let files = Files { scenes: vec![file("water.toml", &scene)], ..files() };
    assert!(build(&files, &around()).is_ok());

    let faults = build(&files, &Surroundings { models: Some(Vec::new()), ..around() }).unwrap_err();

    let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(
        messages,
        ["`warn-within` needs the model `limit-forecast`, which is not installed"]
    );
}

#[test]
fn a_period_longer_than_a_hundred_years_is_none() {
    let long = "200000000000 years";
    let scene =
        changed(SCENE, LIMIT, &format!("{LIMIT}\nwarn-within = \"{long}\"\nevery = \"{long}\""));
    let told = told(&Files { scenes: vec![file("water.toml", &scene)], ..files() });
    assert!(told[0].contains(&format!("`{long}` is longer than 100 years")), "{told:#?}");
}
