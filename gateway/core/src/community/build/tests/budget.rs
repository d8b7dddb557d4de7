//! The community's budget of false alarms, and whose part is how large.

use super::*;

fn scene(id: &str, head: &str, detector: &str) -> File {
    let text = format!(
        "[scene]\nid = \"{id}\"\ntitle = {{ zh = \"\", en = \"\" }}\ncategory = \"waste\"\n{head}\n\
         advice = {{ zh = \"\", en = \"\" }}\n[[detector]]\nid = \"d\"\n{detector}\n"
    );
    file(&format!("{id}.toml"), &text)
}

#[test]
fn a_budget_is_divided_among_scenes_with_a_model_and_devices_and_none_of_their_own() {
    let mut files = files();
    let whole = "\"garden\"\nfalse-alarms = \"6 per week\"";
    files.community = file("community.toml", &changed(SITE, "\"garden\"", whole));
    files.device_types.push(file("pad.toml", &changed(LID, "\"lid\"", "\"pad\"")));
    files.scenes = vec![
        scene("one", "", "model = \"forecast\""),
        scene("two", "device-types = [\"probe\"]", "model = \"forecast\""),
        scene("water", "", "when = \"open > 0.5\""),
        scene("own", "false-alarms = \"1 per month\"", "model = \"forecast\""),
        scene("elsewhere", "device-types = [\"pad\"]", "model = \"forecast\""),
        scene("off", "status = \"off\"", "model = \"forecast\""),
    ];

    let community = build(&files, &around()).map_err(|f| format!("{f:?}")).unwrap().community;

    let budgets: Vec<Option<String>> = community
        .scenes
        .iter()
        .map(|scene| scene.head.false_alarms.map(|budget| budget.to_string()))
        .collect();
    let expected = [Some("3 per week"), Some("3 per week"), None, Some("1 per month"), None, None];
    assert_eq!(budgets, expected.map(|budget| budget.map(str::to_owned)));
}

#[test]
fn a_threshold_that_no_score_reaches_is_told() {
    let scene = |threshold: &str| {
        let model = format!("model = \"forecast\"\nthreshold = {threshold}");
        Files { scenes: vec![scene("water", "", &model)], ..files() }
    };
    for threshold in ["1.0", "1", "1.5", "-0.1"] {
        let told = told(&scene(threshold));
        assert!(
            told.len() == 1 && told[0].contains("`threshold` is a score from 0 to"),
            "{told:?}"
        );
    }
    assert!(build(&scene("0.97"), &around()).is_ok());
}
