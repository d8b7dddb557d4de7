//! The overlay changes as a whole or not at all.

use std::fs;

use super::*;

const TYPE: &str = "[device-type]\nid = \"th-1\"\n";

fn entry(id: &str) -> DeviceEntry {
    toml::from_str(&format!("id = \"{id}\"\ntype = \"th-1\"\narea = \"east\"\ntopic = \"a/{id}\""))
        .unwrap()
}

fn add(text: &str) -> Change {
    Change::AddType { text: text.to_owned(), replaces: None }
}

/// A workshop whose judge takes anything but what says `bad`.
fn workshop(store: &Path) -> Arc<Workshop> {
    Workshop::new(
        store,
        Box::new(|overlay| {
            let text = fs::read_to_string(overlay.join(DEVICE_TYPES).join("th-1.toml"));
            let is_bad = text.is_ok_and(|text| text.contains("bad"));
            let told = Told {
                file: "th-1.toml".into(),
                line: 3,
                column: 1,
                message: "bad".into(),
                help: None,
            };
            if is_bad { Err(vec![told]) } else { Ok(()) }
        }),
    )
}

#[test]
fn what_has_no_fault_is_put_in_place_and_can_be_removed() {
    let store = tempfile::tempdir().unwrap();
    let workshop = workshop(store.path());
    assert_eq!(workshop.kept(), Kept::default());

    workshop.make(&[add(TYPE), Change::AddDevice(Box::new(entry("a")))]).unwrap();
    workshop.make(&[Change::AddDevice(Box::new(entry("b")))]).unwrap();

    let kept = workshop.kept();
    assert_eq!(kept.types, [("th-1".to_owned(), TYPE.to_owned())]);
    assert_eq!(kept.devices, [entry("a"), entry("b")]);
    let overlay = below(store.path());
    assert!(fs::read_to_string(overlay.join(DEVICES)).unwrap().starts_with("# Devices"));

    workshop.make(&["a", "b"].map(|id| Change::RemoveDevice(id.into()))).unwrap();
    workshop.make(&[Change::RemoveType("th-1".into())]).unwrap();
    assert_eq!(workshop.kept(), Kept::default());
    assert!(!overlay.join(DEVICES).exists());
}

#[test]
fn what_has_a_fault_changes_nothing() {
    let store = tempfile::tempdir().unwrap();
    let workshop = workshop(store.path());
    workshop.make(&[add(TYPE)]).unwrap();
    let before = workshop.kept();
    let replaced = |text: String| Change::AddType { text, replaces: Some("th-1".into()) };

    let bad = workshop.make(&[replaced(format!("{TYPE}bad = 1\n"))]);
    let twice = workshop.make(&[add(TYPE)]);
    let tried = workshop.try_on(&[replaced(format!("{TYPE}x = 1\n"))]);

    assert!(matches!(bad, Err(Refused::Faults(told)) if told[0].line == 3));
    assert!(matches!(twice, Err(Refused::Faults(told)) if told[0].line == 2));
    assert!(tried.is_ok());
    assert_eq!(workshop.kept(), before);
    workshop.make(&[replaced(format!("{TYPE}x = 1\n"))]).unwrap();
    assert!(workshop.kept().types[0].1.ends_with("x = 1\n"));
}

#[test]
fn no_id_leads_out_of_the_folder() {
    let store = tempfile::tempdir().unwrap();
    let workshop = workshop(store.path());
    let stranger = store.path().join("stranger.toml");
    fs::write(&stranger, "mine").unwrap();

    let _ = workshop.make(&[Change::RemoveType("../../stranger".into())]);
    let _ = workshop.try_on(&[Change::AddType {
        text: "device-type = { id = \"../../stranger\" }".into(),
        replaces: Some("../../stranger".into()),
    }]);

    assert_eq!(fs::read_to_string(stranger).unwrap(), "mine");
}
