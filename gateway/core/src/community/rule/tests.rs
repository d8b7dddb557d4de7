//! Rules that hold together, and what is said of those that do not.

use super::*;

#[test]
fn a_rule_tells_which_points_it_looks_at() {
    let points = BTreeSet::from(["temperature", "fill", "tilt"]);
    let uses =
        |text| check_detector(text, &points).map(|uses| uses.into_iter().collect::<Vec<_>>());

    assert_eq!(
        uses("rate.temperature > 8.0 || held.fill > 60.0"),
        Ok(vec!["fill".into(), "temperature".into()])
    );
}

#[test]
fn a_faulty_rule_says_where_and_what_was_meant() {
    let points = BTreeSet::from(["temperature", "fill"]);
    let cases = [
        (
            "fil > 90.0",
            "fil",
            "no device type of this scene has a point `fil`",
            Some("did you mean `fill`?"),
        ),
        (
            "fill > rate.temprature",
            "temprature",
            "no device type of this scene has a point `temprature`",
            Some("did you mean `temperature`?"),
        ),
        (
            "fill * 2 > 90.0",
            "fill * 2 > 90.0",
            "the rule does not hold together: ",
            Some("whole and decimal"),
        ),
        (
            "fill + 1.0",
            "fill + 1.0",
            "the rule gives Float(2.0), which is neither",
            Some("compare it"),
        ),
        (
            "[fill].exists(x, x > 90.0)",
            "exists",
            "a detector's rule cannot go through lists",
            Some("name the points"),
        ),
        ("held['fill'] > 5.0", "held", "`held` is followed by a dot", Some("as in `held.fill`")),
        ("fill > maxx(1.0)", "maxx", "there is no function `maxx`", None),
        ("fill > > 3.0", ">", "the rule cannot be read: ", Some("a rule is a CEL")),
        ("", "", "the rule cannot be read: ", Some("a rule is a CEL")),
    ];
    for (text, place, message, help) in cases {
        let fault = check_detector(text, &points).unwrap_err().remove(0);
        assert_eq!(&text[fault.inside.clone()], place, "{text}: {fault:?}");
        assert!(fault.message.starts_with(message), "{text}: {fault:?}");
        let starts = fault.help.as_deref().zip(help).map(|(is, should)| is.starts_with(should));
        assert_eq!(starts.is_some(), help.is_some(), "{text}: {fault:?}");
        assert_ne!(starts, Some(false), "{text}: {fault:?}");
    }
}

#[test]
fn a_rule_in_another_language_is_told_in_cel() {
    let points = BTreeSet::from(["fill"]);
    let cases = [
        ("fill > 1.0 and fill < 2.0", "`and` does not belong here", "both: `&&`"),
        ("fill = 1.0", "`=` does not belong here", "equal: `==`"),
        ("fill > ", "it ends too early", "a rule is a CEL expression"),
        ("", "it is empty", "a rule is a CEL expression"),
    ];
    for (text, message, help) in cases {
        let fault = check_detector(text, &points).unwrap_err().remove(0);
        assert_eq!(fault.message, format!("the rule cannot be read: {message}"), "{text}");
        assert!(fault.help.unwrap().starts_with(help), "{text}");
    }
}

#[test]
fn every_unknown_point_of_a_rule_is_told() {
    let faults = check_detector("rate.fil > 1.0 && tlt > 2.0", &BTreeSet::from(["fill", "tilt"]));

    let messages: Vec<_> = faults.unwrap_err().into_iter().filter_map(|f| f.help).collect();
    assert_eq!(messages, ["did you mean `fill`?", "did you mean `tilt`?"]);
}

#[test]
fn a_grade_knows_its_own_words() {
    assert_eq!(check_grade("over >= 1.0 && people > 500 && 'hot' in detector", &["hot"]), Ok(()));
    assert_eq!(check_grade("lasted > 1800.0 || devices >= 3", &[]), Ok(()));

    let fault = check_grade("peple > 500", &[]).unwrap_err();
    assert_eq!(fault.message, "a grade does not know `peple`");
    assert_eq!(fault.help.as_deref(), Some("did you mean `people`?"));

    let fault = check_grade("over > 1.0 && 'hott' in detector", &["hot", "cold"]).unwrap_err();
    assert_eq!(fault.message, "the scene has no detector `hott`, so this never holds");
    assert_eq!(fault.help.as_deref(), Some("did you mean `hot`?"));
}
