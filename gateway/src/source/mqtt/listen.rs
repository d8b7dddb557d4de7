//! A look at what arrives at a broker on topics that no device claims: for an integrator who wonders what
//! a new sensor sends.
//!
//! It lasts as long as somebody waits for it. What was heard goes to who asked and is then forgotten.

use super::routes::matches;
use super::tap::{NotHeard, Tap};
use crate::config::{BrokerConfig, Identity};

/// Bytes of a message that are kept; a longer one cannot be used as a sample.
const MOST_BYTES: usize = 4 * 1024;
/// A longer message ends the connection.
const MOST_HEARD: usize = 1 << 20;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub topic: String,
    /// Its first 4 kB.
    pub payload: Vec<u8>,
    /// Whether that is all of it.
    pub is_whole: bool,
}

/// Listens to a filter until dropped, and tells of each message on a topic that none of `claimed` takes in.
///
/// # Errors
/// The broker cannot be reached any more, or refuses the filter.
pub async fn listen(
    config: &BrokerConfig,
    identity: &Identity,
    filter: &str,
    claimed: &[String],
    mut tell: impl FnMut(Heard),
) -> Result<(), NotHeard> {
    let mut stream = Tap::new(config, identity, filter, MOST_HEARD)?.stream();
    loop {
        let passed = stream.next().await?;
        if !claimed.iter().any(|filter| matches(passed.topic(), filter)) {
            let kept = passed.bytes().iter().copied().take(MOST_BYTES);
            let payload: Vec<u8> = kept.collect();
            let is_whole = payload.len() == passed.bytes().len();
            tell(Heard { topic: passed.topic().to_owned(), payload, is_whole });
        }
    }
}
