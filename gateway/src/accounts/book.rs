//! The accounts and tokens of this box: what is known of each, and the rules for changing them.

use gatehouse_core::reading::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Principal, Role, secret};

/// Accounts and tokens at most; a page lists them all.
const MOST: usize = 200;
/// Letters of a name at most.
const LONGEST_NAME: usize = 40;
/// Names that stand for something else in the audit log.
const TAKEN: [&str; 3] = ["gatehouse", "platform", "owner"];

/// `accounts.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    pub accounts: Vec<Account>,
    #[serde(default)]
    pub tokens: Vec<Token>,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub name: String,
    pub role: Role,
    /// A PHC string of the password.
    pub hash: String,
    /// RFC 3339.
    pub since: String,
    /// Random; another one with each password and each role, so that older sessions end.
    pub stamp: String,
}

/// One script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub name: String,
    pub scope: Scope,
    /// SHA-256, in hex.
    pub digest: String,
    /// RFC 3339.
    pub since: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When it was last used, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// What a viewer may.
    Read,
    /// What a manager may.
    Act,
    /// What an integrator may.
    Integrate,
    /// `/metrics` alone.
    Metrics,
}

/// Why the accounts stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    #[error("`{0}` is no name; expected 1 to 40 letters, digits, `-`, `_`, `.` or `@`")]
    BadName(String),
    #[error("`{0}` exists already")]
    Exists(String),
    #[error("there is no `{0}`")]
    Unknown(String),
    #[error("`{0}` is the only admin; make another one first")]
    LastAdmin(String),
    #[error("there are {MOST} already; remove one first")]
    TooMany,
    /// The set-up is over.
    #[error("there are accounts already; sign in with one of them")]
    NotFirst,
    #[error(transparent)]
    NoRandom(#[from] secret::NoRandom),
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Read, Self::Act, Self::Integrate, Self::Metrics];

    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Act => "act",
            Self::Integrate => "integrate",
            Self::Metrics => "metrics",
        }
    }

    pub fn role(self) -> Role {
        match self {
            Self::Read | Self::Metrics => Role::Viewer,
            Self::Act => Role::Manager,
            Self::Integrate => Role::Integrator,
        }
    }
}

/// A name as it is kept and looked up: `Wang ` is `wang`.
pub fn tidy(name: &str) -> String {
    name.trim().to_lowercase()
}

fn good_name(name: &str) -> Result<String, NotChanged> {
    let name = tidy(name);
    let is_good = |c: char| c.is_alphanumeric() || "-_.@".contains(c);
    if (1..=LONGEST_NAME).contains(&name.chars().count()) && name.chars().all(is_good) {
        return if TAKEN.contains(&&*name) { Err(NotChanged::Exists(name)) } else { Ok(name) };
    }
    Err(NotChanged::BadName(name.chars().take(LONGEST_NAME).collect()))
}

fn stamp() -> Result<String, secret::NoRandom> {
    Ok(secret::hex(&secret::random::<8>()?))
}

impl Book {
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }

    /// Adds an account; returns its name as it is kept.
    pub fn add(
        &mut self,
        name: &str,
        role: Role,
        hash: String,
        now: Timestamp,
    ) -> Result<String, NotChanged> {
        let name = good_name(name)?;
        if self.account(&name).is_some() {
            return Err(NotChanged::Exists(name));
        }
        if self.accounts.len() >= MOST {
            return Err(NotChanged::TooMany);
        }
        let account =
            Account { name: name.clone(), role, hash, since: now.rfc3339(), stamp: stamp()? };
        self.accounts.push(account);
        self.accounts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(name)
    }

    /// The first account of the box, an admin; refused when somebody was quicker.
    pub fn add_first(
        &mut self,
        name: &str,
        hash: String,
        now: Timestamp,
    ) -> Result<String, NotChanged> {
        if !self.accounts.is_empty() {
            return Err(NotChanged::NotFirst);
        }
        self.add(name, Role::Admin, hash, now)
    }

    pub fn remove(&mut self, name: &str) -> Result<(), NotChanged> {
        self.keep_an_admin(name)?;
        self.accounts.retain(|account| account.name != name);
        Ok(())
    }

    pub fn set_role(&mut self, name: &str, role: Role) -> Result<(), NotChanged> {
        if role != Role::Admin {
            self.keep_an_admin(name)?;
        }
        let stamp = stamp()?;
        let account = self.find(name)?;
        (account.role, account.stamp) = (role, stamp);
        Ok(())
    }

    pub fn set_hash(&mut self, name: &str, hash: String) -> Result<(), NotChanged> {
        let stamp = stamp()?;
        let account = self.find(name)?;
        (account.hash, account.stamp) = (hash, stamp);
        Ok(())
    }

    fn find(&mut self, name: &str) -> Result<&mut Account, NotChanged> {
        let found = self.accounts.iter_mut().find(|account| account.name == name);
        found.ok_or_else(|| NotChanged::Unknown(name.to_owned()))
    }

    fn keep_an_admin(&mut self, name: &str) -> Result<(), NotChanged> {
        let is_admin = self.find(name)?.role == Role::Admin;
        let admins = self.accounts.iter().filter(|a| a.role == Role::Admin).count();
        if is_admin && admins == 1 {
            return Err(NotChanged::LastAdmin(name.to_owned()));
        }
        Ok(())
    }

    /// Adds a token; returns the secret, which is not kept.
    pub fn add_token(
        &mut self,
        name: &str,
        scope: Scope,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<String, NotChanged> {
        let name = good_name(name)?;
        if self.tokens.iter().any(|token| token.name == name) {
            return Err(NotChanged::Exists(name));
        }
        if self.tokens.len() >= MOST {
            return Err(NotChanged::TooMany);
        }
        let secret = secret::token()?;
        self.tokens.push(Token {
            name,
            scope,
            digest: secret::hex(&secret::digest(&secret)),
            since: now.rfc3339(),
            expires: expires.map(Timestamp::rfc3339),
            used: None,
        });
        self.tokens.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(secret)
    }

    pub fn remove_token(&mut self, name: &str) -> Result<(), NotChanged> {
        let before = self.tokens.len();
        self.tokens.retain(|token| token.name != name);
        if self.tokens.len() == before {
            return Err(NotChanged::Unknown(name.to_owned()));
        }
        Ok(())
    }

    /// The token with that secret, unless it has expired. Looked up by its digest, so how long that
    /// takes tells nothing about the secret.
    pub fn token(&self, secret: &str, now: Timestamp) -> Option<&Token> {
        let digest = secret::hex(&secret::digest(secret));
        let found = self.tokens.iter().find(|token| token.digest == digest)?;
        // A date that nobody can read has passed.
        let is_over = |at: &String| at.parse::<Timestamp>().map_or(true, |at| at <= now);
        (!found.expires.as_ref().is_some_and(is_over)).then_some(found)
    }
}

impl Token {
    /// Who acts with it.
    pub fn principal(&self) -> Principal {
        Principal { name: format!("token:{}", self.name), role: self.scope.role(), csrf: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn book() -> Book {
        let mut book = Book::default();
        book.add_first("Chen", "hash".into(), NOW).unwrap();
        book.add("li", Role::Viewer, "hash".into(), NOW).unwrap();
        book
    }

    #[test]
    fn the_first_account_is_an_admin_and_there_is_only_one_first() {
        let mut book = book();

        assert_eq!(book.account("chen").unwrap().role, Role::Admin);
        assert_eq!(book.add_first("zhao", "hash".into(), NOW), Err(NotChanged::NotFirst));
    }

    #[test]
    fn names_are_plain_and_each_is_there_once() {
        let mut book = book();
        let mut add = |name: &str| book.add(name, Role::Viewer, String::new(), NOW);

        assert_eq!(add(" 王师傅 "), Ok("王师傅".into()));
        assert_eq!(add("CHEN"), Err(NotChanged::Exists("chen".into())));
        assert_eq!(add("platform"), Err(NotChanged::Exists("platform".into())));
        for bad in ["", "token:x", "a b", "<b>", "a\nb", &"x".repeat(41)] {
            assert!(matches!(add(bad), Err(NotChanged::BadName(_))), "{bad:?}");
        }
    }

    #[test]
    fn the_last_admin_stays_an_admin() {
        let mut book = book();
        let last = Err(NotChanged::LastAdmin("chen".into()));

        assert_eq!(book.remove("chen"), last);
        assert_eq!(book.set_role("chen", Role::Manager), last);
        book.set_role("li", Role::Admin).unwrap();
        assert_eq!(book.remove("chen"), Ok(()));
        assert_eq!(book.remove("chen"), Err(NotChanged::Unknown("chen".into())));
    }

    #[test]
    fn another_role_or_password_is_another_stamp() {
        let mut book = book();
        let mut stamps = vec![book.account("li").unwrap().stamp.clone()];
        book.set_role("li", Role::Manager).unwrap();
        stamps.push(book.account("li").unwrap().stamp.clone());
        book.set_hash("li", "other".into()).unwrap();
        stamps.push(book.account("li").unwrap().stamp.clone());

        stamps.sort();
        stamps.dedup();

        assert_eq!(stamps.len(), 3);
    }

    #[test]
    fn a_token_is_known_by_its_secret_until_it_ends_or_is_revoked() {
        let mut book = book();
        let end = Timestamp(NOW.0 + 1_000);
        let secret = book.add_token("scraper", Scope::Metrics, Some(end), NOW).unwrap();

        assert_eq!(secret.len(), "gatehouse_".len() + 32);
        assert!(!serde_json::to_string(&book).unwrap().contains(&secret));
        assert_eq!(book.token(&secret, NOW).unwrap().principal().name, "token:scraper");
        assert_eq!(book.token(&secret, end), None);
        assert_eq!(book.token("gatehouse_0", NOW), None);
        book.remove_token("scraper").unwrap();
        assert_eq!(book.token(&secret, NOW), None);
    }
}
