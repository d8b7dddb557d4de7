//! Passwords that people choose: what is good enough, and how they are kept.
//!
//! Kept as Argon2id with 19 MiB, two passes, one lane: the least that OWASP's password storage cheat
//! sheet asks for. [`Hashing`] does two at once at most, so that a crowd at the door costs 38 MiB and no
//! more, on threads that may wait.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::secret;

/// Letters of a password at least and at most.
pub const LENGTH: std::ops::RangeInclusive<usize> = 12..=256;
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// At once; each holds [`MEMORY_KIB`].
const AT_ONCE: usize = 2;
/// How long somebody waits for his turn; less than a connection may wait for its answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// Why a password is not good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    #[error("the password is too short; expected at least {} letters, a sentence will do", LENGTH.start())]
    Short,
    #[error("the password is too long; expected at most {} letters", LENGTH.end())]
    Long,
    #[error("the password has the account's name in it; choose another")]
    HasName,
    #[error("the password has fewer than five different letters; choose another")]
    Plain,
}

/// A password cannot be judged now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoHash {
    /// Come back later.
    #[error("too many people are signing in; try again in a moment")]
    Busy,
    #[error("{0}")]
    Random(#[from] secret::NoRandom),
    #[error("the password cannot be hashed: {0}")]
    Broken(String),
}

/// Whether the password is good enough for that account.
pub fn check(name: &str, password: &str) -> Result<(), Weak> {
    let letters = password.chars().count();
    let plain = password.to_lowercase();
    let mut different: Vec<char> = plain.chars().collect();
    different.sort_unstable();
    different.dedup();
    if letters < *LENGTH.start() {
        Err(Weak::Short)
    } else if letters > *LENGTH.end() {
        Err(Weak::Long)
    } else if name.chars().count() > 2 && plain.contains(&name.to_lowercase()) {
        Err(Weak::HasName)
    } else if different.len() < 5 {
        Err(Weak::Plain)
    } else {
        Ok(())
    }
}

/// As it is kept: a PHC string. Takes its time.
pub fn hash(password: &str) -> Result<String, NoHash> {
    let salt = secret::random::<16>()?;
    let broken = |error: argon2::password_hash::Error| NoHash::Broken(error.to_string());
    let hash = argon()?.hash_password_with_salt(password.as_bytes(), &salt).map_err(broken)?;
    Ok(hash.to_string())
}

/// Whether it is that password. Takes as long for an account that does not exist.
pub fn verify(password: &str, hash: Option<&str>) -> bool {
    let Ok(argon) = argon() else { return false };
    let password = password.as_bytes();
    if let Some(hash) = hash {
        return argon.verify_password(password, hash).is_ok();
    }
    let mut out = [0; 32];
    let _nobody = argon.hash_password_into(password, b"nobody is called", &mut out);
    std::hint::black_box(out);
    false
}

/// What people choose, made into a key; the same for the same salt. Takes its time.
pub fn key(password: &str, salt: &[u8; 16]) -> Result<[u8; 32], NoHash> {
    let mut key = [0; 32];
    let made = argon()?.hash_password_into(password.as_bytes(), salt, &mut key);
    made.map_err(|error| NoHash::Broken(error.to_string()))?;
    Ok(key)
}

fn argon() -> Result<Argon2<'static>, NoHash> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None);
    let params = params.map_err(|error| NoHash::Broken(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Where passwords are judged, a few at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hashing(Arc<Semaphore>);

impl Default for Hashing {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Hashing {
    /// [`verify`], off this thread.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, NoHash> {
        self.run(move || verify(&password, hash.as_deref())).await
    }

    /// [`hash`], off this thread.
    pub async fn hash(&self, password: String) -> Result<String, NoHash> {
        self.run(move || hash(&password)).await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoHash> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(NoHash::Busy) };
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|error| NoHash::Broken(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_not_the_name() {
        for (name, password, expected) in [
            ("wang", "correct horse battery", Ok(())),
            ("wang", "今天下午三点半去东门看看垃圾桶", Ok(())),
            ("wang", "short", Err(Weak::Short)),
            ("wang", "Wang-2026-gate", Err(Weak::HasName)),
            ("wang", "aaaabbbbccccdddd", Err(Weak::Plain)),
            ("li", "lilies of the valley", Ok(())),
        ] {
            assert_eq!(check(name, password), expected, "{password}");
        }
        assert_eq!(check("wang", &"abcdef".repeat(60)), Err(Weak::Long));
    }

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_and_known_again() {
        let hashing = Hashing::default();
        let kept = hashing.hash("correct horse battery".into()).await.unwrap();

        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_eq!(
            hashing.verify("correct horse battery".into(), Some(kept.clone())).await,
            Ok(true)
        );
        assert_eq!(hashing.verify("correct horse batterY".into(), Some(kept)).await, Ok(false));
        assert_eq!(hashing.verify("correct horse battery".into(), None).await, Ok(false));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_too_long_for_his_turn_is_told() {
        let hashing = Hashing(Arc::new(Semaphore::new(0)));

        assert_eq!(hashing.verify("x".into(), None).await, Err(NoHash::Busy));
    }
}
