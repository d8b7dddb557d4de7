//! What is wrong with channels is told where it stands, and never what a secret is.

use super::*;

const BIN: &str = r#"
[device-type]
id = "bin"
title = { zh = "垃圾桶", en = "bin" }
via = "mqtt"
[[point]]
name = "temperature"
at = { json = "/t" }
unit = "degC"
[[example]]
payload = '{"t": 20.5}'
expect = { temperature = 20.5 }
"#;

const FIRE: &str = r#"
[scene]
id = "fire"
title = { zh = "着火", en = "fire" }
category = "safety"
advice = { zh = "灭火", en = "put it out" }
[[detector]]
id = "hot"
point = "temperature"
limit-high = "60 degC"
"#;

/// All faults of a folder whose gateway has these channels and whose community these people.
fn told(channels: &str, people: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("gateway.toml", &format!("[gateway]\nid = \"gw\"\ntownship = \"t\"\n{channels}"));
    write(
        "community.toml",
        &format!(
            "[community]\nid = \"c\"\ntitle = {{ zh = \"社区\", en = \"c\" }}\n\
             [[area]]\nid = \"east\"\ntitle = {{ zh = \"东\", en = \"e\" }}\npeople = 1\n\
             [[team]]\nid = \"guards\"\ntitle = {{ zh = \"保安\", en = \"g\" }}\ntier = \"grid\"\n{people}"
        ),
    );
    write("url", "https://robot.example/send?key=TOPSECRET\n");
    write("no-url", "TOPSECRET\n");
    write("empty", "\n");
    std::fs::create_dir(folder.path().join("device-types")).unwrap();
    std::fs::create_dir(folder.path().join("scenes")).unwrap();
    write("device-types/bin.toml", BIN);
    write("scenes/fire.toml", FIRE);
    let Err(faults) = load(folder.path()) else { return Vec::new() };
    let all = faults.json();
    let all = all.as_array().unwrap().iter();
    let place = folder.path().display().to_string();
    all.map(|fault| fault.to_string().replace(&place, "DIR")).collect()
}

#[test]
fn what_is_wrong_with_a_channel_is_told_and_no_secret_with_it() {
    let cases = [
        ("", "a channel has one of `wecom`, `dingtalk`"),
        ("wecom = { url-file = \"url\" }\nspeech = {}", "found `wecom` and `speech`"),
        ("wecom = { url-file = \"none\" }", "none` cannot be read: No such file"),
        ("wecom = { url-file = \"no-url\" }", "no-url` holds no address; expected"),
        ("feishu = { url-file = \"url\", secret-file = \"empty\" }", "empty` is empty"),
        ("wecom = { url-file = \"url\" }\nlevels = [0, 1]", "there is no level 0"),
        ("wecom = { url-file = \"url\" }\nto = [\"1\"]", "`to` is for `email` and `sms`"),
        ("wecom = { url-file = \"url\" }\nteams = [\"gards\"]", "no team `gards`"),
        ("wecom = { url-file = \"url\" }\nareas = [\"est\"]", "no area `est`"),
        ("wecom = { url = \"https://x\" }", "unknown key `url`"),
        ("sms = { url = \"https://x/?p={phone}\" }", "neither `url` nor `body` has `{text}`"),
        ("webhook = { url = \"x\", secret-file = \"url\" }", "`x` is not an address"),
        ("relay = { device = \"siren\", point = \"on\" }", "no device `siren`"),
        (
            "email = { server = \"s\", from = \"a@b\", user = \"u\" }",
            "`user` needs `password-file` too",
        ),
    ];
    for (channel, expected) in cases {
        let told = told(&format!("[[channel]]\nid = \"c\"\n{channel}\n"), "");
        assert!(told.iter().any(|fault| fault.contains(expected)), "{channel}: {told:#?}");
        assert!(!told.concat().contains("TOPSECRET"), "{told:#?}");
    }
    let good = "[alerts]\nbase-url = \"https://box\"\n[[channel]]\nid = \"c\"\nteams = [\"guards\"]\n\
                hours = \"07:00-23:00\"\nbudget = \"9 per day\"\nwecom = { url-file = \"url\" }\n";
    assert_eq!(told(good, ""), Vec::<String>::new());
}

#[test]
fn a_channel_that_a_person_names_must_be_there_and_have_its_address() {
    let sms = "[[channel]]\nid = \"sms\"\nsms = { url = \"https://x/?p={phone}&t={text}\" }\n";
    let person = "[[person]]\nid = \"li\"\nname = \"Li\"\nteams = [\"guards\"]\n[[person.alert]]\n";

    let missing = told(sms, &format!("{person}channel = \"smss\"\naddress = \"1\"\n"));
    assert!(missing.concat().contains("gateway.toml has no channel `smss`"), "{missing:#?}");
    assert!(missing.concat().contains("did you mean `sms`?"), "{missing:#?}");
    let nowhere = told(sms, &format!("{person}channel = \"sms\"\n"));
    assert!(nowhere.concat().contains("the channel `sms` needs an `address`"), "{nowhere:#?}");
}

#[test]
fn a_siren_is_a_point_that_can_be_switched() {
    let broker = "[[broker]]\nid = \"b\"\nurl = \"mqtt://127.0.0.1:1883\"\n";
    let bin = "[[device]]\nid = \"bin-1\"\ntype = \"bin\"\narea = \"east\"\n";
    let told = |point: &str| {
        let relay = format!("relay = {{ device = \"bin-1\", point = \"{point}\" }}");
        told(&format!("{broker}[[channel]]\nid = \"c\"\n{relay}\n"), bin).concat()
    };

    let missing = told("temperatur");
    assert!(missing.contains("has no point `temperatur`"), "{missing}");
    assert!(missing.contains("did you mean `temperature`?"), "{missing}");
    let read_only = told("temperature");
    assert!(read_only.contains("does not declare it `writable`"), "{read_only}");
    assert!(read_only.contains("\"line\":9"), "{read_only}");
}
