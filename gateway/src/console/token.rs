//! The token that scripts keep: read from a file once at start, so it outlives a restart.
//!
//! The password of a start is for people; a scraper cannot read it off a log at every restart. Whoever
//! can read the file can look at everything, so a file that others can read is refused rather than
//! used. Only the token's digest is kept.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A shorter one could be guessed; a longer one fits no header that people write.
const LENGTH: std::ops::RangeInclusive<usize> = 20..=512;

/// What is known of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

/// Why a file is no token.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// Make the file, or take `token-file` out.
    #[error("`{}` cannot be read: {error}", .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("`{}` is not a file", .0.display())]
    NotAFile(PathBuf),
    /// `chmod 600`, and a new token when others were there already.
    #[error(
        "`{}` can be read by others (mode {mode:04o}); make it the gateway's own: chmod 600 {}",
        .path.display(), .path.display()
    )]
    Exposed { path: PathBuf, mode: u32 },
    /// `openssl rand -hex 32` makes a good one.
    #[error(
        "`{}` holds no token; expected {} to {} letters, digits and signs in one line",
        .0.display(), LENGTH.start(), LENGTH.end()
    )]
    NotAToken(PathBuf),
}

impl Token {
    /// Reads the token in a file that nobody but its owner can read.
    pub fn read(path: &Path) -> Result<Self, NoToken> {
        let unreadable = |error| NoToken::Unreadable { path: path.to_owned(), error };
        // Asked first, since opening a pipe would wait for somebody to write.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(NoToken::NotAFile(path.to_owned()));
        }
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(NoToken::Exposed { path: path.to_owned(), mode });
        }
        let mut bytes = Vec::new();
        let most = *LENGTH.end() as u64 + 2;
        file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
        let token = bytes.trim_ascii_end();
        if !LENGTH.contains(&token.len()) || !token.iter().all(u8::is_ascii_graphic) {
            return Err(NoToken::NotAToken(path.to_owned()));
        }
        Ok(Self(Sha256::digest(token).into()))
    }

    /// Takes the same time whatever is wrong with it.
    pub(super) fn is(&self, given: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        let difference = given.iter().zip(&self.0).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "6b5c0d1a9e2f4b7788aa";

    #[test]
    fn a_file_of_our_own_holds_the_token_with_or_without_a_line_end() {
        for content in [TOKEN.to_owned(), format!("{TOKEN}\n"), format!("{TOKEN}\r\n")] {
            let (_folder, path) = file(&content, 0o600);

            let token = Token::read(&path).unwrap();

            assert!(token.is(TOKEN), "{content:?}");
            assert!(!token.is("") && !token.is(&format!("{TOKEN}\n")), "{content:?}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_what_to_do() {
        for mode in [0o644, 0o640, 0o604, 0o620] {
            let (_folder, path) = file(TOKEN, mode);

            let told = Token::read(&path).unwrap_err().to_string();

            let shown = path.display();
            let expected = format!(
                "`{shown}` can be read by others (mode {mode:04o}); make it the gateway's own: chmod 600 {shown}"
            );
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let long = "x".repeat(513);
        for content in ["", "\n", "short", "two words that are long enough", "ключключключ", &long]
        {
            let (_folder, path) = file(content, 0o600);
            let told = Token::read(&path).unwrap_err().to_string();
            assert!(told.contains("holds no token; expected 20 to 512 letters"), "{told}");
        }

        let (folder, path) = file(TOKEN, 0o600);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(Token::read(&path), Err(NoToken::Unreadable { .. })));
        assert!(matches!(Token::read(folder.path()), Err(NoToken::NotAFile(_))));
    }

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        (folder, path)
    }
}
