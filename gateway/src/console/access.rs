//! Who is inside: the sessions of browsers, the one-time password of a box without accounts, and what
//! is wrong too often.
//!
//! A box without accounts prints a password of 100 random bits at start. In `run` it buys a session that
//! can do one thing: make the first admin, after which the password is void. In `demo` it is an
//! admin's itself, and a script may send it as a bearer token. Nobody can ask for it again.
//!
//! A session lives in memory, for [`SESSION`] at most and for [`IDLE`] without a request. It carries the
//! stamp of its account, which changes with password and role: an old session then ends. Only digests
//! of its secret are kept, so how long a look-up takes tells nothing about it.
//!
//! Nothing here reads a clock; time is the last argument.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use gatehouse_core::reading::Timestamp;
use tokio::time::Instant;

use super::lockout::{BY_ACCOUNT, BY_ADDRESS, Locks, network};
use super::token::Token;
use crate::accounts::book::{Book, Scope};
use crate::accounts::kept::Accounts;
use crate::accounts::secret::{self, NoRandom, digest, hex, normal, same};
use crate::accounts::{Principal, Role};

/// How long a browser stays logged in at most.
pub const SESSION: Duration = Duration::from_hours(12);
/// How long it stays logged in while nobody does anything.
pub const IDLE: Duration = Duration::from_hours(2);
/// Browsers logged in at most; the one that was quiet longest makes room.
const MAX_SESSIONS: usize = 64;
/// How long the next refusal of the same one is not noted.
const NOTED: Duration = Duration::from_mins(1);

/// The door: accounts, sessions, one-time password and wrong tries.
#[derive(Debug)]
pub struct Access {
    accounts: Accounts,
    one_time: Option<OneTime>,
    token: Option<Token>,
    sessions: BTreeMap<[u8; 32], Open>,
    by_account: Locks<String>,
    by_address: Locks<IpAddr>,
    bearers: Locks<IpAddr>,
    /// When a refusal was last noted, by name.
    refused: BTreeMap<String, Instant>,
}

#[derive(Debug)]
struct OneTime {
    password: [u8; 32],
    is_demo: bool,
}

/// A session's secret, as the cookie carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session(pub String);

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Whoever started `demo`.
    Owner,
    /// Whoever knows the set-up password; may make the first admin.
    Setup,
    /// An account, with its stamp when the session began.
    Account { name: String, stamp: String },
}

#[derive(Debug, Clone)]
struct Open {
    who: Who,
    from: IpAddr,
    at: Timestamp,
    begun: Instant,
    seen: Instant,
}

/// A session as an admin sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The beginning of its digest; no secret.
    pub id: String,
    pub name: String,
    pub from: IpAddr,
    pub at: Timestamp,
    pub idle: Duration,
}

/// Why nobody was let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Ask again.
    #[error("the password is wrong")]
    Wrong,
    /// Come back later.
    #[error("too many wrong passwords; try again in {} s", .0.as_secs())]
    Locked(Duration),
    /// The login cannot work now.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

impl Session {
    /// What the forms of this session carry; tells nothing about the session's own secret.
    pub fn csrf(&self) -> String {
        hex(&digest(&format!("csrf {}", self.0))[..16])
    }

    /// As it is listed.
    pub fn id(&self) -> String {
        hex(&digest(&self.0)[..6])
    }
}

impl Access {
    /// With the accounts in the store's folder; the one-time password, where one is needed. The caller
    /// prints it.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn open(store: &Path, is_demo: bool) -> Result<(Self, Option<String>), NoRandom> {
        let accounts = Accounts::in_store(store);
        let needs_one = is_demo || accounts.are_none();
        let password = needs_one.then(secret::one_time).transpose()?;
        let one_time = password.as_ref().map(|p| OneTime { password: digest(&normal(p)), is_demo });
        let access = Self {
            accounts,
            one_time,
            token: None,
            sessions: BTreeMap::new(),
            by_account: Locks::new(BY_ACCOUNT),
            by_address: Locks::new(BY_ADDRESS),
            bearers: Locks::new(BY_ADDRESS),
            refused: BTreeMap::new(),
        };
        Ok((access, password))
    }

    /// Lets scripts in with the token of a file, too.
    #[must_use]
    pub fn with_token(self, token: Option<Token>) -> Self {
        Self { token, ..self }
    }

    pub(super) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Whether a password without a name would be judged.
    pub(super) fn has_one_time(&self) -> bool {
        self.one_time.as_ref().is_some_and(|one| one.is_demo || self.accounts.are_none())
    }

    /// Begins a try: it counts as a wrong one until [`Access::enter`]. What to say if it was wrong.
    ///
    /// # Errors
    /// Too many were wrong before; the right one is refused too, so a guess learns nothing.
    pub fn attempt(&mut self, name: &str, from: IpAddr, now: Instant) -> Result<Denied, Denied> {
        let from = network(from);
        let name: String = name.chars().take(100).collect();
        let by_address = self.by_address.locked_for(&from, now);
        if let Some(wait) = by_address.max(self.by_account.locked_for(&name, now)) {
            return Err(Denied::Locked(wait));
        }
        let by_address = self.by_address.count(from, now);
        let lock = by_address.max(self.by_account.count(name, now));
        Ok(lock.map_or(Denied::Wrong, Denied::Locked))
    }

    /// Whose the one-time password is, if it is right.
    pub fn one_time(&self, password: &str) -> Option<Who> {
        let one = self.one_time.as_ref().filter(|_| self.has_one_time())?;
        let who = if one.is_demo { Who::Owner } else { Who::Setup };
        same(&digest(&normal(password)), &one.password).then_some(who)
    }

    /// Lets somebody in whose password was right.
    pub fn enter(
        &mut self,
        who: Who,
        from: IpAddr,
        at: Timestamp,
        now: Instant,
    ) -> Result<Session, NoRandom> {
        self.by_address.forgive(&network(from));
        // A one-time password is tried without a name.
        let tried = if let Who::Account { name, .. } = &who { name.as_str() } else { "" };
        self.by_account.forgive(&tried.to_owned());
        let session = Session(hex(&secret::random::<16>()?));
        self.sessions.retain(|_, open| open.runs(now));
        while self.sessions.len() >= MAX_SESSIONS {
            let oldest = self.sessions.iter().min_by_key(|(_, open)| open.seen);
            let Some(oldest) = oldest.map(|(key, _)| *key) else { break };
            self.sessions.remove(&oldest);
        }
        let open = Open { who, from, at, begun: now, seen: now };
        self.sessions.insert(digest(&session.0), open);
        Ok(session)
    }

    /// Who sends a request with that session; it is awake again.
    pub fn visit(&mut self, session: &Session, now: Instant) -> Option<Who> {
        let who = self.who(session, now)?;
        if let Some(open) = self.sessions.get_mut(&digest(&session.0)) {
            open.seen = now;
        }
        Some(who)
    }

    /// Whether a refusal of that one should be noted: once a minute, or a script fills the log.
    pub(super) fn is_news(&mut self, name: &str, now: Instant) -> bool {
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < NOTED;
        self.refused.retain(|_, at| is_recent(at));
        let is_new = !self.refused.contains_key(name) && self.refused.len() < MAX_SESSIONS;
        if is_new {
            self.refused.insert(name.to_owned(), now);
        }
        is_new
    }

    /// Whose session that is, if it still runs.
    pub fn who(&self, session: &Session, now: Instant) -> Option<Who> {
        let open = self.sessions.get(&digest(&session.0)).filter(|open| open.runs(now))?;
        open.who.is_known(&self.accounts).then(|| open.who.clone())
    }

    pub fn logout(&mut self, session: &Session) {
        self.sessions.remove(&digest(&session.0));
    }

    /// Ends all sessions of that name but one.
    pub fn end_others(&mut self, name: &str, but: &Session) {
        let but = digest(&but.0);
        self.sessions.retain(|key, open| *key == but || open.who.name() != name);
    }

    /// Ends the session that is listed so; whose it was. With a name, only if it is that one's.
    pub fn end(&mut self, id: &str, of: Option<&str>) -> Option<String> {
        let found = self.sessions.iter().find(|(key, open)| {
            hex(&key[..6]) == id && of.is_none_or(|name| open.who.name() == name)
        });
        let key = *found?.0;
        self.sessions.remove(&key).map(|open| open.who.name().to_owned())
    }

    /// The sessions that run, newest first.
    pub fn list(&self, now: Instant) -> Vec<Listed> {
        let mut listed: Vec<_> = (self.sessions.iter())
            .filter(|(_, open)| open.runs(now) && open.who.is_known(&self.accounts))
            .map(|(key, open)| Listed {
                id: hex(&key[..6]),
                name: open.who.name().to_owned(),
                from: open.from,
                at: open.at,
                idle: now.saturating_duration_since(open.seen),
            })
            .collect();
        listed.sort_by_key(|session| std::cmp::Reverse(session.at));
        listed
    }

    /// Judges the bearer token of a script: the file's, one of the accounts', or `demo`'s password.
    ///
    /// Wrong ones are counted apart from logins: a scraper that still holds an old token must not lock
    /// out the person who comes to look.
    pub fn bearer(
        &mut self,
        token: &str,
        from: IpAddr,
        at: Timestamp,
        now: Instant,
    ) -> Result<Bearer, Denied> {
        if self.token.as_ref().is_some_and(|own| own.is(token)) {
            let name = "token-file".to_owned();
            return Ok(Bearer::of(Principal { name, role: Role::Manager, csrf: None }));
        }
        let book = self.accounts.book();
        if let Some(known) = book.token(token, at) {
            let is_news = Accounts::is_news(known.used.as_deref(), at);
            return Ok(Bearer {
                metrics_only: known.scope == Scope::Metrics,
                used: is_news.then(|| known.name.clone()),
                principal: known.principal(),
            });
        }
        if self.one_time(token) == Some(Who::Owner) {
            return Ok(Bearer::of(owner(None)));
        }
        let from = network(from);
        let locked = self.bearers.locked_for(&from, now);
        Err(locked.or_else(|| self.bearers.count(from, now)).map_or(Denied::Wrong, Denied::Locked))
    }
}

/// A script that may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub principal: Principal,
    pub metrics_only: bool,
    /// The token whose use should be noted.
    pub used: Option<String>,
}

impl Bearer {
    fn of(principal: Principal) -> Self {
        Self { principal, metrics_only: false, used: None }
    }
}

impl Open {
    fn runs(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.begun) < SESSION
            && now.saturating_duration_since(self.seen) < IDLE
    }
}

impl Who {
    pub fn name(&self) -> &str {
        match self {
            Self::Owner => "owner",
            Self::Setup => "set-up",
            Self::Account { name, .. } => name,
        }
    }

    /// An account as it is now.
    pub fn of(name: &str, book: &Book) -> Option<Self> {
        let account = book.account(name)?;
        Some(Self::Account { name: account.name.clone(), stamp: account.stamp.clone() })
    }

    /// Whether nothing has happened since the session began that should end it.
    fn is_known(&self, accounts: &Accounts) -> bool {
        match self {
            Self::Owner => true,
            Self::Setup => accounts.are_none(),
            Self::Account { name, stamp } => {
                accounts.book().account(name).is_some_and(|account| account.stamp == *stamp)
            }
        }
    }

    /// What he may do; nobody while the box is being set up.
    pub fn principal(&self, book: &Book, session: &Session) -> Option<Principal> {
        let csrf = Some(session.csrf());
        match self {
            Self::Owner => Some(owner(csrf)),
            Self::Setup => None,
            Self::Account { name, .. } => {
                let role = book.account(name)?.role;
                Some(Principal { name: name.clone(), role, csrf })
            }
        }
    }
}

fn owner(csrf: Option<String>) -> Principal {
    Principal { name: "owner".into(), role: Role::Admin, csrf }
}
