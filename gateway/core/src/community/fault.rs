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

/// Line and column of a byte, both counted from 1; columns are characters.
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Helps with a word that is not known: names the nearest one, or all when there are few.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let meant = closest(word, known.iter().copied()).or_else(|| begun(word, &known));
    match (meant, by_distance(word, &known)) {
        (Some(meant), _) => Some(format!("did you mean `{meant}`?")),
        (None, Some(_)) if known.len() <= 24 => Some(format!("known are {}", listed(&known))),
        (None, Some((_, candidate))) => Some(format!("the nearest known is `{candidate}`")),
        (None, None) => None,
    }
}

/// The known word that a typing mistake or two turned into `word`.
pub fn closest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let known: Vec<&str> = known.into_iter().collect();
    let (distance, candidate) = by_distance(word, &known)?;
    (distance <= word.chars().count().max(3) / 3).then_some(candidate)
}

fn by_distance<'w>(word: &str, known: &[&'w str]) -> Option<(usize, &'w str)> {
    let distances = known.iter().map(|known| (strsim::damerau_levenshtein(word, known), *known));
    distances.min_by_key(|(distance, _)| *distance)
}

/// The only known word that begins like `word`, such as `temperature` for `temp`.
fn begun<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let mut longer = known.iter().filter(|known| word.len() >= 3 && known.starts_with(word));
    longer.next().copied().filter(|_| longer.next().is_none())
}

/// Words in backticks, with commas.
pub fn listed<S: AsRef<str>>(words: &[S]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_the_one_that_was_meant() {
        let known = ["limit-high", "limit-low", "deadband"];

        assert_eq!(nearest("limt-high", known).as_deref(), Some("did you mean `limit-high`?"));
        assert_eq!(
            nearest("colour", known).as_deref(),
            Some("known are `limit-high`, `limit-low`, `deadband`")
        );
        assert_eq!(nearest("x", []), None);
        assert_eq!(nearest("dead", known).as_deref(), Some("did you mean `deadband`?"));
        assert_eq!(
            nearest("limit", known).as_deref(),
            Some("known are `limit-high`, `limit-low`, `deadband`"),
            "two begin like this"
        );
    }

    #[test]
    fn columns_are_counted_in_characters() {
        assert_eq!(line_and_column("a\n水位 = 1", 8), (2, 3));
        assert_eq!(line_and_column("", 5), (1, 1));
    }
}
