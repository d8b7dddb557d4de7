//! Reads the recordings: folders by name, tables with any separator, packed or not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A table with a header; quotes around cells are taken off.
pub(super) struct Table {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads a file; one that ends in `.gz` is unpacked.
    pub(super) fn read(path: &Path, separator: char) -> Result<Self> {
        let name = path.display();
        let text = if path.extension().is_some_and(|end| end == "gz") {
            let output = Command::new("gzip").arg("-dc").arg(path).output();
            let output = output.context("cannot start `gzip`")?;
            if !output.status.success() {
                bail!("`gzip -dc {name}` ended with {}", output.status);
            }
            String::from_utf8(output.stdout).with_context(|| format!("`{name}` is not UTF-8"))?
        } else {
            fs::read_to_string(path).with_context(|| format!("cannot read `{name}`"))?
        };
        Self::parse(&text, separator).with_context(|| format!("`{name}` is empty"))
    }

    fn parse(text: &str, separator: char) -> Option<Self> {
        let cells = |line: &str| -> Vec<String> {
            line.split(separator).map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
        };
        let mut lines =
            text.trim_start_matches('\u{feff}').lines().filter(|l| !l.trim().is_empty());
        Some(Self { header: cells(lines.next()?), rows: lines.map(cells).collect() })
    }

    /// Where a column is.
    pub(super) fn column(&self, name: &str) -> Result<usize> {
        let found = self.header.iter().position(|column| column == name);
        found.with_context(|| format!("no column `{name}` among {}", self.header.join(", ")))
    }

    /// A cell as a number; none when it is missing or none.
    pub(super) fn number(row: &[String], column: usize) -> Option<f64> {
        row.get(column)?.parse().ok().filter(|value: &f64| value.is_finite())
    }
}

/// The folder of series: the one named, or `series` in it.
pub(super) fn series(named: &Path) -> Result<PathBuf> {
    let folder = if named.join("series").is_dir() { named.join("series") } else { named.into() };
    folder.canonicalize().with_context(|| format!("no folder of recordings `{}`", named.display()))
}

/// The files of a folder that end so, in the order of their names, numbers by value.
pub(super) fn files(folder: &Path, end: &str) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == end) {
            found.push(path);
        }
    }
    found.sort_by_key(|path| {
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        (stem.parse::<u64>().unwrap_or(u64::MAX), stem)
    });
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_with_its_own_separator_and_without_quotes() {
        let table = Table::parse("\"a\";b\n1.5;\n;x\n\n", ';').unwrap();

        assert_eq!(table.header, ["a", "b"]);
        assert_eq!(table.rows.len(), 2);
        assert_eq!(table.column("b").unwrap(), 1);
        assert_eq!(Table::number(&table.rows[0], 0), Some(1.5));
        assert_eq!(Table::number(&table.rows[0], 1), None);
        assert_eq!(Table::number(&table.rows[1], 1), None);
        assert!(table.column("c").unwrap_err().to_string().contains("a, b"));
    }
}
