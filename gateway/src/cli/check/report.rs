//! Faults for people (with the line that they stand on) and for programs (JSON).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::IsTerminal;
use std::path::Path;

use gatehouse_core::community::fault::{Fault, line_and_column};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};

use crate::workshop::Told;

/// Every fault of a configuration, in the order of its files.
pub struct Faults {
    faults: Vec<Fault>,
    texts: BTreeMap<String, String>,
}

impl Faults {
    pub(super) fn new(faults: Vec<Fault>, texts: BTreeMap<String, String>) -> Self {
        Self { faults, texts }
    }

    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Writes every fault to stderr, and how many there are.
    pub fn print(&self) {
        if !std::io::stderr().is_terminal() {
            eprint!("{}", self.plain());
            return;
        }
        let is_coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let theme =
            if is_coloured { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        eprint!("{}", self.text(theme));
    }

    pub(super) fn text(&self, theme: GraphicalTheme) -> String {
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
        let mut out = String::new();
        for fault in &self.faults {
            let text = self.texts.get(&fault.file);
            let shown = Shown {
                fault,
                source: text.map(|text| NamedSource::new(&fault.file, text.clone())),
            };
            // Writing into a String cannot fail; a fault that miette cannot draw is told plainly.
            let mut drawn = String::new();
            match handler.render_report(&mut drawn, &shown) {
                Ok(()) => {
                    out.push_str(&drawn);
                    out.push('\n');
                }
                Err(fmt::Error) => out.extend([&*fault.to_string(), "\n"]),
            }
        }
        let files: BTreeSet<&str> = self.faults.iter().map(|fault| fault.file.as_str()).collect();
        let faults = super::counted(self.faults.len(), "fault");
        out + &format!("{faults} in {}\n", super::counted(files.len(), "file"))
    }

    /// `file:line:column: message`, as editors and logs like it.
    pub fn plain(&self) -> String {
        let line = |fault: &Fault| {
            let text = self.texts.get(&fault.file).map_or("", String::as_str);
            let (line, column) = line_and_column(text, fault.span.start);
            let help = fault.help.as_ref().map(|help| format!("\n  help: {help}"));
            let help = help.unwrap_or_default();
            format!("{}:{line}:{column}: {}{help}\n", fault.file, fault.message)
        };
        self.faults.iter().map(line).collect()
    }

    /// Each with its place, for whoever shows them himself; files without their folders.
    pub fn told(&self) -> Vec<Told> {
        let told = |fault: &Fault| {
            let text = self.texts.get(&fault.file).map_or("", String::as_str);
            let (line, column) = line_and_column(text, fault.span.start);
            let file = Path::new(&fault.file).file_name().unwrap_or_default().to_string_lossy();
            let (message, help) = (fault.message.clone(), fault.help.clone());
            Told { file: file.into_owned(), line, column, message, help }
        };
        self.faults.iter().map(told).collect()
    }

    /// A list of objects: `file`, `line`, `column` (from 1), `message`, `help`.
    pub(super) fn json(&self) -> serde_json::Value {
        let object = |fault: &Fault| {
            let text = self.texts.get(&fault.file).map_or("", String::as_str);
            let (line, column) = line_and_column(text, fault.span.start);
            serde_json::json!({
                "file": fault.file,
                "line": line,
                "column": column,
                "message": fault.message,
                "help": fault.help,
            })
        };
        self.faults.iter().map(object).collect()
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(GraphicalTheme::none()))
    }
}

/// A fault as miette draws it.
struct Shown<'f> {
    fault: &'f Fault,
    source: Option<NamedSource<String>>,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.fault, f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Some(_) => f.write_str(&self.fault.message),
            None => fmt::Display::fmt(self.fault, f),
        }
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.fault.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source.as_ref()?;
        let label = LabeledSpan::new_with_span(None, self.fault.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}
