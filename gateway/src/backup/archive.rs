//! The backup's file: sealed pieces, and in them items one after the other.
//!
//! ```text
//! gatehouse backup 1\n
//! length (u32), head as JSON                     who it is, when, whether a passphrase is needed
//! length (u32), piece                            64 KiB at most, ChaCha20-Poly1305, again and again
//! ```
//!
//! A piece is bound to its place, to the head and to whether it is the last one, so that a file that was
//! changed, cut short or put together anew is found out (STREAM, Hoang and others 2015). The key is made of
//! the passphrase by Argon2id; without one it is a key that everybody knows, which still finds damage.
//! Numbers are big-endian.
//!
//! Opened, the pieces are items: the length of an [`Item`], the item as JSON, then blocks of bytes (u32
//! length, 0 for the end). An item of length 0 is the end of all.

use std::io::{self, Read, Write};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::BackupError;
use crate::accounts::{password, secret};

const MAGIC: &[u8] = b"gatehouse backup ";
const VERSION: &[u8] = b"1\n";
const PIECE: usize = 64 << 10;
const TAG: usize = 16;
const LONGEST_HEAD: usize = 64 << 10;

/// What is known of a backup before it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Head {
    pub gateway: String,
    pub township: String,
    /// RFC 3339.
    pub made: String,
    /// Version of the program that made it.
    pub program: String,
    /// The old box sends nothing more.
    pub is_retired: bool,
    pub has_evidence: bool,
    pub has_passphrase: bool,
    pub salt: [u8; 16],
}

/// Where an item belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    Config,
    Store,
    /// The rows of the database.
    Database,
}

/// One file, or a folder (its path ends in `/`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Item {
    pub place: Place,
    /// Relative, with `/` between its parts.
    pub path: String,
    /// Of its rights, those for owner, group and others.
    pub mode: u32,
    /// Owner and group are those of the store.
    pub is_of_the_gateway: (bool, bool),
}

impl Item {
    /// Whether it stays below the folder that it belongs to.
    pub fn has_place(&self) -> bool {
        let path = self.path.strip_suffix('/').unwrap_or(&self.path);
        path.len() < 1_000
            && !path.contains('\0')
            && path.split('/').all(|part| !["", ".", ".."].contains(&part))
    }

    pub fn is_folder(&self) -> bool {
        self.path.ends_with('/')
    }
}

fn key(head: &Head, passphrase: Option<&str>) -> Result<LessSafeKey, BackupError> {
    let bytes = match (head.has_passphrase, passphrase) {
        (true, Some(passphrase)) => password::key(passphrase, &head.salt)?,
        (true, None) => return Err(BackupError::WantsPassphrase),
        (false, Some(_)) => return Err(BackupError::NotEncrypted),
        (false, None) => [0; 32],
    };
    let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| BackupError::Sealing)?;
    Ok(LessSafeKey::new(key))
}

/// The piece's number, and whether it is the last.
fn nonce(number: u64, is_last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3] = u8::from(is_last);
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// Sixteen bytes that no other backup has.
pub fn salt() -> Result<[u8; 16], BackupError> {
    secret::random::<16>().map_err(|error| BackupError::Key(error.into()))
}

/// Writes a backup.
pub struct Sealer<W> {
    out: W,
    key: LessSafeKey,
    about: [u8; 32],
    piece: Vec<u8>,
    number: u64,
}

impl<W: Write> Sealer<W> {
    pub fn begin(mut out: W, head: &Head, passphrase: Option<&str>) -> Result<Self, BackupError> {
        let key = key(head, passphrase)?;
        let text = serde_json::to_vec(head).map_err(io::Error::from)?;
        out.write_all(MAGIC)?;
        out.write_all(VERSION)?;
        out.write_all(&length(&text)?)?;
        out.write_all(&text)?;
        let about = Sha256::digest(&text).into();
        Ok(Self { out, key, about, piece: Vec::with_capacity(PIECE + TAG), number: 0 })
    }

    /// Adds an item and everything that is in it.
    pub fn add(&mut self, item: &Item, mut content: impl Read) -> Result<(), BackupError> {
        let text = serde_json::to_vec(item).map_err(io::Error::from)?;
        self.write(&length(&text)?)?;
        self.write(&text)?;
        let mut block = vec![0; PIECE];
        loop {
            let many = content.read(&mut block)?;
            self.write(&length(&block[..many])?)?;
            self.write(&block[..many])?;
            if many == 0 {
                return Ok(());
            }
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), BackupError> {
        while !bytes.is_empty() {
            if self.piece.len() == PIECE {
                self.seal(false)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn seal(&mut self, is_last: bool) -> Result<(), BackupError> {
        let nonce = nonce(self.number, is_last);
        let sealed =
            self.key.seal_in_place_append_tag(nonce, Aad::from(self.about), &mut self.piece);
        sealed.map_err(|_| BackupError::Sealing)?;
        self.out.write_all(&length(&self.piece)?)?;
        self.out.write_all(&self.piece)?;
        self.piece.clear();
        self.number += 1;
        Ok(())
    }

    /// Ends it; what it was written to has still to be synced.
    pub fn finish(mut self) -> Result<W, BackupError> {
        self.write(&[0; 4])?;
        self.seal(true)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

fn length(bytes: &[u8]) -> io::Result<[u8; 4]> {
    u32::try_from(bytes.len()).map(u32::to_be_bytes).map_err(io::Error::other)
}

/// Reads a backup. What it gives is what was written, or an error comes.
pub struct Opener<R> {
    input: R,
    pub head: Head,
    key: LessSafeKey,
    about: [u8; 32],
    piece: Vec<u8>,
    at: usize,
    number: u64,
    is_over: bool,
}

impl<R: Read> Opener<R> {
    pub fn begin(mut input: R, passphrase: Option<&str>) -> Result<Self, BackupError> {
        let mut magic = [0; MAGIC.len() + VERSION.len()];
        fill(&mut input, &mut magic).map_err(|error| error.or(BackupError::NotOurs))?;
        if !magic.starts_with(MAGIC) {
            return Err(BackupError::NotOurs);
        }
        if !magic.ends_with(VERSION) {
            return Err(BackupError::Newer);
        }
        let text = sized(&mut input, LONGEST_HEAD)?;
        let head: Head = serde_json::from_slice(&text).map_err(|_| BackupError::Damaged(0))?;
        let key = key(&head, passphrase)?;
        let about = Sha256::digest(&text).into();
        let (piece, at, number, is_over) = (Vec::new(), 0, 0, false);
        Ok(Self { input, head, key, about, piece, at, number, is_over })
    }

    /// The next item; `None` at the end, which is the file's own end too.
    pub fn item(&mut self) -> Result<Option<Item>, BackupError> {
        let text = self.text(LONGEST_HEAD)?;
        if text.is_empty() {
            let is_all =
                self.is_over && self.at == self.piece.len() && self.input.read(&mut [0])? == 0;
            return if is_all { Ok(None) } else { Err(BackupError::Damaged(self.number)) };
        }
        let item: Item =
            serde_json::from_slice(&text).map_err(|_| BackupError::Damaged(self.number))?;
        if !item.has_place() {
            return Err(BackupError::Elsewhere(item.path));
        }
        Ok(Some(item))
    }

    /// The next bytes of the item; none at its end.
    pub fn block(&mut self) -> Result<Vec<u8>, BackupError> {
        self.text(PIECE)
    }

    fn text(&mut self, longest: usize) -> Result<Vec<u8>, BackupError> {
        let mut many = [0; 4];
        self.read(&mut many)?;
        let many = u32::from_be_bytes(many) as usize;
        if many > longest {
            return Err(BackupError::Damaged(self.number));
        }
        let mut text = vec![0; many];
        self.read(&mut text)?;
        Ok(text)
    }

    fn read(&mut self, mut into: &mut [u8]) -> Result<(), BackupError> {
        while !into.is_empty() {
            if self.at == self.piece.len() {
                self.open()?;
            }
            let many = into.len().min(self.piece.len() - self.at);
            let (now, later) = into.split_at_mut(many);
            now.copy_from_slice(&self.piece[self.at..self.at + many]);
            self.at += many;
            into = later;
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), BackupError> {
        if self.is_over {
            return Err(BackupError::Damaged(self.number));
        }
        let sealed = sized(&mut self.input, PIECE + TAG)?;
        for is_last in [false, true] {
            let mut piece = sealed.clone();
            let nonce = nonce(self.number, is_last);
            if let Ok(plain) = self.key.open_in_place(nonce, Aad::from(self.about), &mut piece) {
                let many = plain.len();
                piece.truncate(many);
                (self.piece, self.at, self.is_over) = (piece, 0, is_last);
                self.number += 1;
                return if many == 0 { Err(BackupError::Damaged(self.number)) } else { Ok(()) };
            }
        }
        Err(match self.number {
            0 if self.head.has_passphrase => BackupError::WrongPassphrase,
            number => BackupError::Damaged(number),
        })
    }
}

/// Bytes behind their length.
fn sized(input: &mut impl Read, longest: usize) -> Result<Vec<u8>, BackupError> {
    let mut many = [0; 4];
    fill(input, &mut many)?;
    let many = u32::from_be_bytes(many) as usize;
    if many > longest {
        return Err(BackupError::Damaged(0));
    }
    let mut bytes = vec![0; many];
    fill(input, &mut bytes)?;
    Ok(bytes)
}

fn fill(input: &mut impl Read, into: &mut [u8]) -> Result<(), BackupError> {
    input.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => BackupError::CutShort,
        _ => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(has_passphrase: bool) -> Head {
        Head {
            gateway: "gw".into(),
            township: "town".into(),
            made: "2026-11-22T00:00:00.000Z".into(),
            program: "0.1.0".into(),
            is_retired: false,
            has_evidence: false,
            has_passphrase,
            salt: [7; 16],
        }
    }

    fn item(path: &str) -> Item {
        Item {
            place: Place::Store,
            path: path.into(),
            mode: 0o600,
            is_of_the_gateway: (true, true),
        }
    }

    fn sealed(items: &[(&str, &[u8])], passphrase: Option<&str>) -> Vec<u8> {
        let mut sealer =
            Sealer::begin(Vec::new(), &head(passphrase.is_some()), passphrase).unwrap();
        for (path, content) in items {
            sealer.add(&item(path), *content).unwrap();
        }
        sealer.finish().unwrap()
    }

    fn opened(
        bytes: &[u8],
        passphrase: Option<&str>,
    ) -> Result<Vec<(String, Vec<u8>)>, BackupError> {
        let mut opener = Opener::begin(bytes, passphrase)?;
        let mut found = Vec::new();
        while let Some(item) = opener.item()? {
            let mut content = Vec::new();
            loop {
                let block = opener.block()?;
                if block.is_empty() {
                    break;
                }
                content.extend(block);
            }
            found.push((item.path, content));
        }
        Ok(found)
    }

    #[test]
    fn what_is_put_in_comes_out_however_long_it_is() {
        for many in [0, 1, PIECE - 100, PIECE, 3 * PIECE + 5] {
            let content = vec![7; many];
            for passphrase in [None, Some("a long sentence")] {
                let bytes = sealed(&[("a", b""), ("b/c", &content)], passphrase);
                let found = opened(&bytes, passphrase).unwrap();
                assert_eq!(found, [("a".into(), Vec::new()), ("b/c".into(), content.clone())]);
            }
        }
    }

    #[test]
    fn one_that_is_not_encrypted_is_not_taken_for_one_that_is() {
        let made_up = sealed(&[("users", b"me")], None);
        let refused = opened(&made_up, Some("a long sentence"));
        assert!(matches!(refused, Err(BackupError::NotEncrypted)), "{refused:?}");
    }

    #[test]
    fn any_changed_byte_any_cut_and_anything_added_is_found_out() {
        let bytes = sealed(&[("a", b"secret"), ("b", b"more")], None);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, None).is_err(), "byte {at}");
            assert!(opened(&bytes[..at], None).is_err(), "cut at {at}");
        }
        assert!(opened(&[&bytes[..], b"x"].concat(), None).is_err());
    }

    #[test]
    fn a_wrong_passphrase_and_none_are_told_apart() {
        let bytes = sealed(&[("a", b"the key itself")], Some("a long sentence"));

        assert!(matches!(opened(&bytes, None), Err(BackupError::WantsPassphrase)));
        assert!(matches!(opened(&bytes, Some("another")), Err(BackupError::WrongPassphrase)));
        assert!(!bytes.windows(7).any(|part| part == b"the key"));
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        for path in ["../x", "/etc/x", "a/../../x", "a//b", "", ".", "a/.", "a\0b"] {
            let refused = opened(&sealed(&[(path, b"x")], None), None);
            assert!(matches!(refused, Err(BackupError::Elsewhere(_))), "{path}: {refused:?}");
        }
    }

    #[test]
    fn other_files_are_not_ours() {
        assert!(matches!(opened(b"", None), Err(BackupError::NotOurs)));
        assert!(matches!(opened(&[0x1f; 5_000], None), Err(BackupError::NotOurs)));
        assert!(matches!(opened(b"gatehouse backup 2\nxxx", None), Err(BackupError::Newer)));
    }
}
