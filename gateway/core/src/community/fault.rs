//! What is wrong in a file of the configuration, told for the person who wrote it.

use std::fmt;
use std::ops::Range;

/// One fault. The shell prints it with the line that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// As it was handed in, such as `device-types/acme-th20.toml`.
    pub file: String,
    /// Bytes of the file that it is about; empty at 0 for the file as a whole.
    pub span: Range<usize>,
    /// What was found and what was expected, in one line.
    pub message: String,
    /// The nearest valid word, or what to do.
    pub help: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.message)
    }
}
