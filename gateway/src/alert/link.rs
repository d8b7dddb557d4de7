//! Links that act: what a button in a message opens.
//!
//! A token is the base64url of what may be done (deed, when it ends, event, person) and an HMAC-SHA256
//! over it, with a key that only this box has: a file in the store's folder, made at first use. Opening a
//! link shows what it would do and changes nothing, because mail scanners and chat previews open links;
//! the button on that page does it. A link works once: what was used is kept in the store until it would
//! have ended anyway. Only a person's own link ([`personal`]) is used many times: it opens that person's
//! errands and a form to report on, for as long as `community.toml` has the person.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_core::event::action::{Action, Actor, Deed as EventDeed, Side};
use gatehouse_core::event::verdict::Verdict;
use gatehouse_core::reading::Timestamp;
use ring::{hmac, rand};

use super::code::{base64url, from_base64url, hmac_sha256};
use super::config::AlertsConfig;
use crate::bundle::keys::hexadecimal;
use crate::store::{Store, StoreError};

/// The key's file in the store's folder.
const KEY_FILE: &str = "alert-key";
/// Of the store's room for alerts.
const USED: &str = "l/";
/// No token of ours is longer.
const LONGEST_TOKEN: usize = 400;
const FORMAT: u8 = 1;
/// Format, deed, end.
const HEAD: usize = 1 + 1 + 8;
const MAC: usize = 32;

/// What a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Acknowledge,
    FalseAlarm,
    /// Answers whether it is fixed: yes verifies the event, no opens it again.
    Answer,
    /// A person's own link, about no event.
    Errands,
}

/// An answer is asked for this long after the event was handled.
pub const ANSWER_WITHIN: Duration = Duration::from_hours(7 * 24);
/// A person's own link ends after a year at the latest.
pub const LONGEST_PERSONAL: Duration = Duration::from_hours(365 * 24);
/// Who answers by a link that was handed on.
pub const RESIDENT: &str = "resident";

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub deed: Deed,
    /// The event's id.
    pub event: String,
    /// Who was sent it: a person's or a channel's id.
    pub person: String,
    pub ends: Timestamp,
    /// Names the token in what was used.
    mark: String,
}

/// Why a link does nothing. It changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// It was not made here, or something was changed in it.
    #[error("the link is not one of ours")]
    Forged,
    #[error("the link has expired")]
    Expired,
    #[error("the link was used before")]
    Used,
    /// Whose link it is, is not in `community.toml` any more.
    #[error("the link's person is not in the configuration any more")]
    Revoked,
    /// The event is not where it was when the link was made.
    #[error("what the link asks about is not asked any more")]
    Past,
}

impl BadLink {
    /// The word by which programs tell one from another; never changed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Forged => "link-forged",
            Self::Expired => "link-expired",
            Self::Used => "link-used",
            Self::Revoked => "link-revoked",
            Self::Past => "link-past",
        }
    }
}

/// Makes and checks links. Cheap to clone.
#[derive(Clone)]
pub struct Signer(Arc<Inner>);

struct Inner {
    key: [u8; 32],
    base: Option<String>,
    lasts: Duration,
    store: Store,
    used: Mutex<BTreeMap<String, Timestamp>>,
}

impl Signer {
    /// Reads the key or makes one, and what was used.
    ///
    /// # Errors
    /// The folder or the store cannot be used, or there are no random numbers.
    pub fn open(config: &AlertsConfig, folder: &Path, store: Store) -> Result<Self, CannotSign> {
        let key = key(&folder.join(KEY_FILE)).map_err(CannotSign::Key)?;
        let mut used = BTreeMap::new();
        for (row, value) in store.mail()? {
            if let (Some(mark), Ok(ends)) = (row.strip_prefix(USED), serde_json::from_slice(&value))
            {
                used.insert(mark.to_owned(), ends);
            }
        }
        let base = config.base_url.as_deref().map(|base| base.trim_end_matches('/').to_owned());
        let (lasts, used) = (config.links_last.0, Mutex::new(used));
        Ok(Self(Arc::new(Inner { key, base, lasts, store, used })))
    }

    /// Where people reach the console; `None` when nobody has said.
    pub fn base(&self) -> Option<&str> {
        self.0.base.as_deref()
    }

    /// The address of a link; `None` without a base.
    pub fn link(&self, deed: Deed, event: &str, person: &str, now: Timestamp) -> Option<String> {
        let token = self.token(deed, event, person, now + self.0.lasts);
        Some(format!("{}/a/{token}", self.base()?))
    }

    fn token(&self, deed: Deed, event: &str, person: &str, ends: Timestamp) -> String {
        token(&self.0.key, deed, event, person, ends)
    }

    /// The path of the link that asks whether an event is fixed. It is the same one for as long as the
    /// event stays handled, however often it is copied, so one answer counts.
    pub fn answer(&self, event: &str, handled: Timestamp) -> String {
        let ends = handled + ANSWER_WITHIN;
        format!("/a/{}", self.token(Deed::Answer, event, RESIDENT, ends))
    }

    /// What a token claims, when it is good at that moment.
    ///
    /// # Errors
    /// It is forged, has expired or was used.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Claim, BadLink> {
        let claim = self.read(token).ok_or(BadLink::Forged)?;
        if now >= claim.ends {
            return Err(BadLink::Expired);
        }
        if self.used().contains_key(&claim.mark) {
            return Err(BadLink::Used);
        }
        Ok(claim)
    }

    fn read(&self, token: &str) -> Option<Claim> {
        let bytes = from_base64url(token).filter(|_| token.len() <= LONGEST_TOKEN)?;
        let (signed, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        // Takes the same time wherever the first difference is.
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &self.0.key), signed, mac).ok()?;
        let (head, rest) = signed.split_at_checked(HEAD)?;
        let [FORMAT, deed, ends @ ..] = head else { return None };
        let (event, person) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
        Some(Claim {
            deed: Deed::from_byte(*deed)?,
            event: event.to_owned(),
            person: person.to_owned(),
            ends: Timestamp(i64::from_be_bytes(ends.try_into().ok()?)),
            mark: hexadecimal(&mac[..16]),
        })
    }

    /// Takes the claim: nobody else can from now on.
    ///
    /// # Errors
    /// Somebody has.
    pub fn take(&self, claim: &Claim) -> Result<(), BadLink> {
        let before = self.used().insert(claim.mark.clone(), claim.ends);
        if before.is_some() { Err(BadLink::Used) } else { Ok(()) }
    }

    /// Gives it back: nothing was done.
    pub fn give_back(&self, claim: &Claim) {
        self.used().remove(&claim.mark);
    }

    /// It was done. What has ended is forgotten on the way.
    pub async fn keep(&self, claim: &Claim, now: Timestamp) -> bool {
        let mut rows =
            vec![(format!("{USED}{}", claim.mark), serde_json::to_vec(&claim.ends).ok())];
        {
            let mut used = self.used();
            let over: Vec<String> = used
                .iter()
                .filter(|(_, ends)| **ends <= now)
                .map(|(mark, _)| mark.clone())
                .collect();
            for mark in over {
                used.remove(&mark);
                rows.push((format!("{USED}{mark}"), None));
            }
        }
        self.0.store.keep_mail(rows).await
    }

    fn used(&self) -> MutexGuard<'_, BTreeMap<String, Timestamp>> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Links cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CannotSign {
    /// Look at the folder's rights.
    #[error("the key of the links, `{KEY_FILE}` in the store's folder, cannot be used")]
    Key(#[source] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Claim {
    /// What is done about the event when somebody says yes; nothing by a link that asks, and by a person's own.
    pub fn action(&self) -> Option<Action> {
        let deed = match self.deed {
            Deed::Acknowledge => EventDeed::Acknowledge,
            Deed::FalseAlarm => EventDeed::Dismiss { as_: Verdict::FalseAlarm },
            Deed::Answer | Deed::Errands => return None,
        };
        let actor = Actor { name: self.person.clone(), side: Side::Box };
        Some(Action { event: self.event.clone(), deed, actor, note: String::new() })
    }
}

impl Deed {
    fn byte(self) -> u8 {
        match self {
            Self::Acknowledge => 1,
            Self::FalseAlarm => 2,
            Self::Answer => 3,
            Self::Errands => 4,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        let all = [Self::Acknowledge, Self::FalseAlarm, Self::Answer, Self::Errands];
        all.into_iter().find(|deed| deed.byte() == byte)
    }
}

/// The path of a person's own link, made with the key in the store's folder.
///
/// # Errors
/// The key cannot be read or made.
pub fn personal(store: &Path, person: &str, ends: Timestamp) -> io::Result<String> {
    let key = key(&store.join(KEY_FILE))?;
    Ok(format!("/p/{}", token(&key, Deed::Errands, "", person, ends)))
}

fn token(key: &[u8], deed: Deed, event: &str, person: &str, ends: Timestamp) -> String {
    let mut bytes = vec![FORMAT, deed.byte()];
    bytes.extend_from_slice(&ends.0.to_be_bytes());
    bytes.extend_from_slice(event.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(person.as_bytes());
    bytes.extend_from_slice(&hmac_sha256(key, &bytes));
    base64url(&bytes)
}

/// The key; a new one when there is no file.
fn key(path: &Path) -> io::Result<[u8; 32]> {
    match std::fs::read(path) {
        Ok(bytes) => bytes.try_into().map_err(|_| {
            io::Error::other(
                "it has not 32 bytes; remove it, and a new one is made (old links end)",
            )
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let random = rand::generate::<[u8; 32]>(&rand::SystemRandom::new());
            let key = random.map_err(|_| io::Error::other("there are no random numbers"))?.expose();
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tokio::sync::mpsc;

    use super::*;
    use crate::config::StoreConfig;

    const NOW: Timestamp = Timestamp(1_772_337_600_000);

    fn store(folder: &Path) -> (Store, crate::store::BatchSender) {
        let config = StoreConfig { path: folder.to_owned(), ..StoreConfig::default() };
        let (store, _) = Store::open(&config).unwrap();
        let (inputs, _) = mpsc::channel(8);
        let (batches, _) = store.spawn_writer(inputs.downgrade()).unwrap();
        (store, batches)
    }

    fn signer(folder: &Path, store: &Store) -> Signer {
        let config =
            AlertsConfig { base_url: Some("https://box/".into()), ..AlertsConfig::default() };
        Signer::open(&config, folder, store.clone()).unwrap()
    }

    fn token(link: &str) -> &str {
        link.strip_prefix("https://box/a/").unwrap()
    }

    #[tokio::test]
    async fn a_link_works_once_also_after_a_restart_and_not_after_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _batches) = store(folder.path());
        let links = signer(folder.path(), &store);
        let mode = std::fs::metadata(folder.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let link = links.link(Deed::Acknowledge, "01EVENT", "li", NOW).unwrap();

        let claim = links.check(token(&link), NOW).unwrap();
        assert_eq!((claim.event.as_str(), claim.person.as_str()), ("01EVENT", "li"));
        assert_eq!(claim.action().unwrap().deed, EventDeed::Acknowledge);
        assert_eq!(links.check(token(&link), claim.ends), Err(BadLink::Expired));

        links.take(&claim).unwrap();
        assert_eq!(links.take(&claim), Err(BadLink::Used), "two at once");
        links.give_back(&claim);
        links.take(&claim).unwrap();
        assert!(links.keep(&claim, NOW).await);
        assert_eq!(links.check(token(&link), NOW), Err(BadLink::Used));
        let again = signer(folder.path(), &store);
        assert_eq!(again.check(token(&link), NOW), Err(BadLink::Used), "the store remembers");
        let other = again.link(Deed::FalseAlarm, "01EVENT", "li", NOW).unwrap();
        assert!(again.check(token(&other), NOW).is_ok(), "the other button still works");
    }

    #[tokio::test]
    async fn a_resident_is_asked_for_seven_days_by_one_link_in_each_round() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _batches) = store(folder.path());
        let links = signer(folder.path(), &store);
        let path = links.answer("01EVENT", NOW);
        assert_eq!(path, links.answer("01EVENT", NOW), "however often it is copied");
        let token = path.strip_prefix("/a/").unwrap();
        let week = Duration::from_hours(7 * 24);
        let claim = links.check(token, NOW + week - Duration::from_millis(1)).unwrap();
        assert_eq!((claim.deed, claim.ends), (Deed::Answer, NOW + week));
        assert_eq!(links.check(token, NOW + week), Err(BadLink::Expired));

        links.take(&claim).unwrap();
        let next = links.answer("01EVENT", NOW + Duration::from_millis(1));
        assert!(links.check(next.strip_prefix("/a/").unwrap(), NOW).is_ok(), "another round");
    }

    #[tokio::test]
    async fn whatever_is_changed_in_a_token_makes_it_none_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _batches) = store(folder.path());
        let links = signer(folder.path(), &store);
        let link = links.link(Deed::Acknowledge, "01EVENT", "li", NOW).unwrap();
        let good = token(&link).as_bytes().to_vec();

        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            let bad = String::from_utf8(bad).unwrap();
            assert_eq!(links.check(&bad, NOW), Err(BadLink::Forged), "{at}");
        }
        for bad in ["", "a", "AAAA", &"A".repeat(100_000), &token(&link)[1..]] {
            assert_eq!(links.check(bad, NOW), Err(BadLink::Forged));
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let other = signer(elsewhere.path(), &store);
        assert_eq!(other.check(token(&link), NOW), Err(BadLink::Forged), "another box's key");
    }
}
