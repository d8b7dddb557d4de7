//! The gateway's device types and the register tables of `docs/nodes.md` are written from the maps.
//!
//! `WRITE=1 cargo test -p gatehouse-contract` writes them; without, what is committed must be that.

#![expect(clippy::unwrap_used, reason = "nothing here runs but as a test")]

mod device_type;
mod tables;

use std::path::{Path, PathBuf};
use std::{env, fs};

use gatehouse_contract::{MAPS, Register};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_gateway_s_device_types_say_what_the_maps_say() {
    for map in MAPS {
        let file = format!("config/device-types/node-{}.toml", map.name);
        agree(&file, &device_type::text(map));
    }
}

#[test]
fn the_register_tables_in_the_docs_say_what_the_maps_say() {
    let file = "docs/nodes.md";
    let page = fs::read_to_string(root().join(file)).unwrap();

    let page = std::iter::once(("common", tables::common()))
        .chain(MAPS.into_iter().map(|map| (map.name, tables::of(map))))
        .fold(page, |page, (name, table)| replace(&page, name, &table));

    agree(file, &page);
}

/// Puts a table between its two marks.
fn replace(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- registers: {name} -->\n"), "<!-- end of registers -->");
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no mark for {name}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("no end mark for {name}"));
    format!("{before}{begin}{table}{end}{after}")
}

/// The committed file is that text, or becomes it.
fn agree(file: &str, text: &str) {
    let path = root().join(file);
    if env::var_os("WRITE").is_some() {
        fs::write(path, text).unwrap();
        return;
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(committed == text, "{file} is stale: run `WRITE=1 cargo test -p gatehouse-contract`");
}

/// Counts in the unit, without the noise of binary fractions.
fn shown(register: &Register, counts: i32) -> String {
    let (numerator, denominator) = register.scale;
    let places = match denominator {
        1 => 0,
        10 => 1,
        20 | 100 => 2,
        1_000 => 3,
        other => panic!("how many places has 1/{other}?"),
    };
    let value = f64::from(counts) * f64::from(numerator) / f64::from(denominator);
    let text = format!("{value:.places$}");
    if places == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').into() }
}
