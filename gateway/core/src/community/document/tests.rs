//! What a file says wrong is told once, with its place and the word that was meant.

use super::*;
use crate::community::device_type::DeviceType;
use crate::community::scene::Scene;

#[test]
fn five_different_faults_in_one_file_are_told_once_each() {
    let text = r#"[device-type]
id = "t"
title = { zh = "", eng = "" }
via = "modbuss"
[modbus]
function = "input"
every = "10 parsecs"
[[point]]
name = "a"
at = { word = 0, type = "i16" }
scale = "abc"
unti = "degC"
"#;
    assert_eq!(
        told_of::<DeviceType>(text),
        [
            "3:20 unknown key `eng` (did you mean `en`?)",
            "4:7 `via` must be one of `mqtt`, `modbus`, `camera`, `localbus`, `replay`, found the text \"modbuss\" (did you mean `modbus`?)",
            "7:9 `every`: `10 parsecs` is not a length of time; expected a number and a unit, as in \"5 s\" or \"10 min\"",
            "11:9 `scale` must be a number, found the text \"abc\"",
            "12:1 unknown key `unti` (did you mean `unit`?)",
        ]
    );
}

#[test]
fn each_kind_of_wrong_value_is_told_in_words() {
    let head = "[device-type]\nid='t'\ntitle={zh='',en=''}\nvia='modbus'\n";
    let cases = [
        (
            "silent-after = 5",
            "5:16 `silent-after` must be a length of time, as in \"5 s\" or \"10 min\", found the number 5",
        ),
        ("any-point = 1", "5:13 `any-point` must be `true` or `false`, found the number 1"),
        ("echo = 'seq'", "5:8 `echo` must be a list, found the text \"seq\" (write `[\"seq\"]`)"),
        ("echo = [1]", "5:9 `echo` must be a text in quotes, found the number 1 (write `\"1\"`)"),
        ("time = 2024-01-01", "5:8 `time` must be a table, found a date"),
        (
            "[modbus]\nfunction='input'\nevery='1 s'\nstart=70000",
            "8:7 `start` must be a whole number from 0 to 65535, found the number 70000",
        ),
        (
            "[modbus]\nfunction='input'\nevery='1 s'\nholes=[[1,2,3]]",
            "8:8 `holes` must be a list of 2, found a list of 3",
        ),
        (
            "[[point]]\nname='a'\nunit='1'\nat={word=0,bits='low'}",
            "8:17 `bits` must be a bit, as in `3`, or the lowest and the highest of a field, as in `[0, 3]`",
        ),
        (
            "[[example]]\n[example.tables]\ninptu=[1]",
            "7:1 unknown key `inptu` (did you mean `input`?)",
        ),
        ("[[point]", "5:9 unclosed array table, expected `]`"),
        ("id = 't2'", "5:1 `id` is given already, in line 2 (keep one of them)"),
    ];
    for (line, expected) in cases {
        assert_eq!(told_of::<DeviceType>(&format!("{head}{line}")), [expected], "{line}");
    }
}

#[test]
fn an_empty_file_lacks_its_section_and_nothing_else() {
    assert_eq!(told_of::<Scene>(""), ["1:1 missing key `scene`"]);
}

#[test]
fn what_a_stand_in_lacks_is_told_once() {
    let text = "[device-type]\nid = 5\ntitle = { zh = '', en = '' }\nvia = 'mqtt'\n";
    let (mut document, value) = Document::read::<DeviceType>("f", text);
    assert!(value.is_some());

    document.fault("device-type.id", "not an id", None);
    document.fault("device-type.via", "no example", None);

    let messages: Vec<_> = document.faults().iter().map(|f| f.message.as_str()).collect();
    assert_eq!(messages, ["`id` must be a text in quotes, found the number 5", "no example"]);
}

#[test]
fn a_place_inside_a_text_is_found_when_it_is_spelt_out() {
    let (document, _) = Document::read::<toml::Table>("f", "a = \"x > y\"\nb = \"x\\ty\"");

    assert_eq!(document.span_inside("a", 4..5), 9..10);
    assert_eq!(document.span_inside("b", 2..3), document.span("b"), "escaped: the whole text");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_told(text in r#"(\[{0,2}(device-type|point|modbus|x)\]{0,2}\n|(id|at|via|word|title) ?= ?['"{}\[\]0-9a-z. =,]{0,8}\n){0,8}"#) {
        let (document, value) = Document::read::<DeviceType>("f", &text);
        proptest::prop_assert!(value.is_some() || !document.faults().is_empty(), "{}", text);
        for fault in document.faults() {
            proptest::prop_assert!(fault.span.end <= text.len(), "{:?}", fault);
        }
    }
}

/// `line:column message (help)`, in the order of the file.
fn told_of<T: DeserializeOwned>(text: &str) -> Vec<String> {
    let (document, _) = Document::read::<T>("f", text);
    let mut faults = document.faults().to_vec();
    faults.sort_by_key(|fault| (fault.span.start, fault.message.clone()));
    let told = |fault: &Fault| {
        let (line, column) = line_and_column(text, fault.span.start);
        let help = fault.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
        format!("{line}:{column} {}{help}", fault.message)
    };
    faults.iter().map(told).collect()
}
