//! Mistakes in teams, people, shifts and times, each told with its place and the nearest word.

use super::*;

const PEOPLE: &str = r#"[community]
id = "garden"
title = { zh = "", en = "" }
[calendar]
time-zone = "+08:00"
[[area]]
id = "east"
title = { zh = "", en = "" }
[[team]]
id = "guards"
title = { zh = "", en = "" }
tier = "grid"
areas = ["east"]
[[person]]
id = "li"
name = "Li"
teams = ["guards"]
alert = [{ channel = "sms", levels = [1, 2], hours = "07:00-23:00", budget = "20 per day" }]
[[person]]
id = "wang"
name = "Wang"
[[shift]]
team = "guards"
people = ["li"]
hours = "20:00-08:00"
days = "business"
[[escalation]]
level = 1
acknowledge-within = "5 min"
"#;

#[test]
fn a_mistake_about_people_is_told_once_with_its_place() {
    let cases = [
        (
            "areas = [\"east\"]",
            "areas = [\"eats\"]",
            "13:10 there is no area `eats` (did you mean `east`?)",
        ),
        (
            "teams = [\"guards\"]",
            "teams = [\"guard\"]",
            "17:10 there is no team `guard` (did you mean `guards`?)",
        ),
        (
            "team = \"guards\"",
            "team = \"gaurds\"",
            "23:8 there is no team `gaurds` (did you mean `guards`?)",
        ),
        (
            "people = [\"li\"]",
            "people = [\"lii\"]",
            "24:11 there is no person `lii` (did you mean `li`?)",
        ),
        (
            "people = [\"li\"]",
            "people = [\"wang\"]",
            "24:11 `wang` is not in the team `guards` (write `guards` into this person's `teams`)",
        ),
        ("id = \"wang\"", "id = \"li\"", "20:6 `li` is taken already, in line 15"),
        ("id = \"wang\"", "id = \"guards\"", "20:6 `guards` is the id of a team already"),
        ("levels = [1, 2]", "levels = [1, 5]", "18:43 a level is 1 to 4, found 5"),
        ("level = 1\n", "level = 0\n", "28:9 a level is 1 to 4, found 0"),
        (
            "days = \"business\"",
            "days = \"busines\"",
            "26:8 `days` must be one of `all`, `business`, `other`, found the text \"busines\" (did you mean `business`?)",
        ),
        (
            "acknowledge-within",
            "aknowledge-within",
            "29:1 unknown key `aknowledge-within` (did you mean `acknowledge-within`?)",
        ),
        (
            "\"5 min\"",
            "\"0 s\"",
            "29:22 nobody can do anything within that time; `acknowledge-within` is 10 s at least",
        ),
    ];
    for (found, replaced, expected) in cases {
        let text = changed(PEOPLE, found, replaced);
        let files = Files {
            community: file("community.toml", &text),
            device_types: Vec::new(),
            scenes: Vec::new(),
        };
        let told = told(&files);
        let is_it = |line: &String| line.starts_with(&format!("community.toml:{expected}"));
        assert!(told.len() == 1 && told.iter().all(is_it), "{replaced}: {told:#?}");
    }
}

#[test]
fn hours_without_a_calendar_are_nobodys() {
    let text = PEOPLE.replace("[calendar]\ntime-zone = \"+08:00\"\n", "");
    let files = Files {
        community: file("community.toml", &text),
        device_types: Vec::new(),
        scenes: Vec::new(),
    };

    let told = told(&files);

    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told.iter().all(|line| line.contains("the community has no `[calendar]`")));
}
