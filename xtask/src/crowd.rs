//! A community of so many devices of four points, all of them under the general detector: what the chores
//! load a gateway with.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::running::place_token;
use crate::step;

/// The points of every device, and what they may be.
pub(crate) const POINTS: [(&str, [i32; 2]); 4] =
    [("a", [-40, 85]), ("b", [0, 100]), ("c", [0, 1_000]), ("d", [0, 5_000])];

/// The name of a device.
pub(crate) fn name(number: usize) -> String {
    format!("dev{number:04}")
}

/// Writes a configuration of so many devices below `folder`; `broker` and `console` are ports on loopback.
pub(crate) fn configure(folder: &Path, devices: usize, [broker, console]: [u16; 2]) -> Result<()> {
    for below in ["device-types", "scenes"] {
        fs::create_dir_all(folder.join(below))?;
    }
    place_token(folder)?;
    let mut community = String::from(
        "[community]\nid = \"crowd\"\ntitle = { zh = \"测试\", en = \"crowd\" }\n\
         false-alarms = \"5 per week\"\n\
         [[area]]\nid = \"all\"\ntitle = { zh = \"全部\", en = \"all\" }\npeople = 3000\n",
    );
    for device in 0..devices {
        let _ = write!(
            community,
            "[[device]]\nid = \"{}\"\ntype = \"four\"\narea = \"all\"\n",
            name(device)
        );
    }
    let gateway = format!(
        "[gateway]\nid = \"gw-crowd\"\ntownship = \"bench\"\n\
         [[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{broker}\"\n\
         [store]\npath = \"{}\"\n\
         [console]\nlisten = \"127.0.0.1:{console}\"\ntoken-file = \"token\"\n\
         [models]\npath = \"{}\"\n",
        folder.join("data").display(),
        step::workspace().join("models").display()
    );
    let mut four = String::from(FOUR);
    for (point, range) in POINTS {
        let _ = write!(
            four,
            "[[point]]\nname = \"{point}\"\nat = {{ json = \"/{point}\" }}\nunit = \"1\"\nrange = {range:?}\n"
        );
    }
    four.push_str(
        "[[example]]\npayload = '{\"ts\":1767225600000,\"a\":20.5}'\nexpect = { a = 20.5 }\n",
    );
    for (name, text) in [
        ("gateway.toml", gateway),
        ("community.toml", community),
        ("device-types/four.toml", four),
        ("scenes/unusual.toml", SCENE.into()),
    ] {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

const FOUR: &str = r#"[device-type]
id = "four"
title = { zh = "四点", en = "four points" }
via = "mqtt"
time = { json = "/ts", format = "unix-ms", max-age = "90 days" }
silent-after = "7 days"
"#;

const SCENE: &str = r#"[scene]
id = "unusual"
title = { zh = "数据异常", en = "Unusual readings" }
category = "facility"
advice = { zh = "查看", en = "look" }
[[detector]]
id = "unusual"
model = "forecast"
"#;
