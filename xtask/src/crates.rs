//! The crates that are linked into the program: their licences, which have to be passed on, and the list
//! that whoever watches for weaknesses reads (`CycloneDX`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{cross, step};

/// How files that hold a licence or a notice begin.
const PAPERS: [&str; 5] = ["license", "licence", "copying", "notice", "copyright"];

pub(crate) struct Crate {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
}

/// What `gatehouse` is linked with on an architecture; no build scripts, no tests, none of ours.
pub(crate) fn all(architecture: &str) -> Result<Vec<Crate>> {
    let target = cross::target(architecture)?;
    let output = step::cargo(&["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", target])
        .output()?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    linked(&serde_json::from_slice(&output.stdout)?)
}

fn linked(metadata: &Value) -> Result<Vec<Crate>> {
    let id = |value: &Value| value["id"].as_str().map(str::to_owned).context("a crate without id");
    let mut packages = BTreeMap::new();
    for package in metadata["packages"].as_array().context("no crates")? {
        packages.insert(id(package)?, package);
    }
    let mut nodes = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().context("no resolved crates")? {
        nodes.insert(id(node)?, node);
    }
    let first = packages.iter().find(|(_, package)| package["name"] == "gatehouse");
    let mut waiting = vec![first.context("no crate of ours")?.0.clone()];
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        for dep in nodes[&id]["deps"].as_array().into_iter().flatten() {
            let kinds = dep["dep_kinds"].as_array().into_iter().flatten();
            let is_linked = kinds.filter(|kind| kind["kind"].is_null()).count() > 0;
            let id = dep["pkg"].as_str().context("a dependency without id")?;
            if is_linked && seen.insert(id.to_owned()) {
                waiting.push(id.to_owned());
            }
        }
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_foreign = |package: &&&Value| !package["source"].is_null();
    Ok(packages
        .iter()
        .filter(|(id, _)| seen.contains(*id))
        .map(|(_, package)| package)
        .filter(is_foreign)
        .map(|package| Crate {
            name: text(&package["name"]),
            version: text(&package["version"]),
            licence: text(&package["license"]),
            folder: Path::new(&text(&package["manifest_path"])).with_file_name(""),
        })
        .collect())
}

/// Every licence text once, after the names of those that it stands for.
pub(crate) fn notices(crates: &[Crate]) -> Result<String> {
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Crate { name, version, licence, folder } in crates {
        let title = format!("{name} {version} ({licence})");
        for file in fs::read_dir(folder)?.flatten() {
            let name = file.file_name().to_string_lossy().to_lowercase();
            if PAPERS.iter().any(|paper| name.starts_with(paper)) && file.path().is_file() {
                let text = String::from_utf8_lossy(&fs::read(file.path())?).trim().to_owned();
                texts.entry(text).or_default().insert(title.clone());
            }
        }
    }
    let mut all = "What gatehouse is linked with, and under which terms.\n\n".to_owned();
    for Crate { name, version, licence, .. } in crates {
        writeln!(all, "{name} {version}: {licence}")?;
    }
    for (text, titles) in texts {
        let titles = titles.into_iter().collect::<Vec<_>>().join("\n");
        write!(all, "\n{}\n{titles}\n\n{text}\n", "=".repeat(78))?;
    }
    Ok(all)
}

/// The list as `CycloneDX` 1.5.
pub(crate) fn bill(crates: &[Crate], version: &str) -> Result<String> {
    let component = |Crate { name, version, licence, .. }: &Crate| {
        json!({
            "type": "library",
            "name": name,
            "version": version,
            "purl": format!("pkg:cargo/{name}@{version}"),
            "licenses": [{ "expression": licence }],
        })
    };
    let components: Vec<Value> = crates.iter().map(component).collect();
    let ours = json!({ "type": "application", "name": "gatehouse", "version": version });
    Ok(serde_json::to_string_pretty(&json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": ours },
        "components": components,
    }))?)
}
