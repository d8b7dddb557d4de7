//! Secrets made here: one-time passwords, tokens, and the digests that are kept of them.
//!
//! What we make has a hundred random bits or more, so a plain SHA-256 of it tells nothing; what people
//! choose goes through [`super::password`].

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Crockford's base 32: no letter that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The system has no random numbers to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random numbers to give: {0}")]
pub struct NoRandom(getrandom::Error);

/// 100 random bits in four groups, for a person to type once.
pub fn one_time() -> Result<String, NoRandom> {
    let mut password = letters::<20>()?;
    for at in [15, 10, 5] {
        password.insert(at, '-');
    }
    Ok(password)
}

/// 160 random bits that say where they belong, so that a leak is recognised as one.
pub fn token() -> Result<String, NoRandom> {
    Ok(format!("gatehouse_{}", letters::<32>()?))
}

/// Five bits a letter.
fn letters<const N: usize>() -> Result<String, NoRandom> {
    Ok(random::<N>()?.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

/// What a person may type instead: upper case, spaces or no dashes, `o` for `0`, `l` for `1`.
pub fn normal(password: &str) -> String {
    password
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect()
}

pub fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Takes the same time wherever they differ.
pub fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(difference) == 0
}

pub fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandom)?;
    Ok(bytes)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all that is written to it");
        text
    })
}
