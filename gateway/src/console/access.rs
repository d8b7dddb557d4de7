//! Who may see the console: a password for this start of the program, and the sessions it buys.
//!
//! The password is 100 random bits, made anew at every start, printed once by the caller and never
//! written anywhere. It is good for as long as the program runs: a script sends it with each request
//! as a bearer token, a browser exchanges it at `/login` for a session, kept in a cookie for
//! [`SESSION`]. Sessions live in memory, so a restart ends them all. Scripts that must go on over a
//! restart may have a [`Token`] besides, which is no password for the login.
//!
//! Five wrong passwords within a minute lock the login for a minute, and each further wrong one
//! doubles that. While it is locked the right one is refused too, so a guess learns nothing; sessions
//! that are open go on. Wrong bearer tokens are counted on their own: a scraper that still holds
//! yesterday's token must not lock out the person who comes to look.
//!
//! Nothing here reads a clock; time is the last argument.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::token::Token;

/// How long a browser stays logged in.
pub const SESSION: Duration = Duration::from_hours(12);
/// Browsers logged in at most; the one that came first makes room.
const MAX_SESSIONS: usize = 64;
/// Wrong tries within [`WINDOW`] before the door is locked.
const TRIES: usize = 5;
const WINDOW: Duration = Duration::from_mins(1);
const LONGEST_LOCK: Duration = Duration::from_mins(16);

/// Crockford's base 32: no letter that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Five bits each.
const PASSWORD_LETTERS: usize = 20;

/// The door: what is known of the password, the sessions and the wrong tries.
#[derive(Debug)]
pub struct Access {
    password: [u8; 32],
    token: Option<Token>,
    sessions: BTreeMap<[u8; 32], Instant>,
    logins: LockOut,
    bearers: LockOut,
}

/// A session's secret, as the cookie carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session(pub String);

impl Session {
    /// What the forms of this session carry; tells nothing about the session's own secret.
    pub fn csrf(&self) -> String {
        hex(&digest(&format!("csrf {}", self.0))[..16])
    }
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
    #[error("the system has no random numbers to give: {0}")]
    NoRandom(getrandom::Error),
}

impl Access {
    /// Makes a new password. The caller prints it; nobody can ask for it again.
    pub fn generate() -> Result<(Self, String), Denied> {
        let random: [u8; PASSWORD_LETTERS] = random()?;
        let mut password = String::with_capacity(PASSWORD_LETTERS + 3);
        for (at, byte) in random.iter().enumerate() {
            if at > 0 && at % 5 == 0 {
                password.push('-');
            }
            password.push(char::from(ALPHABET[usize::from(byte % 32)]));
        }
        Ok((Self::with_password(&password), password))
    }

    /// Lets scripts in with a token of their own, too.
    #[must_use]
    pub fn with_token(self, token: Option<Token>) -> Self {
        Self { token, ..self }
    }

    fn with_password(password: &str) -> Self {
        Self {
            password: digest(&normal(password)),
            token: None,
            sessions: BTreeMap::new(),
            logins: LockOut::default(),
            bearers: LockOut::default(),
        }
    }

    /// Exchanges the password for a session.
    pub fn login(&mut self, password: &str, now: Instant) -> Result<Session, Denied> {
        if let Some(wait) = self.logins.locked_for(now) {
            return Err(Denied::Locked(wait));
        }
        if !self.knows(password) {
            return Err(self.logins.count(now));
        }
        self.logins = LockOut::default();

        let session = Session(hex(&random::<16>()?));
        self.sessions.retain(|_, expires| *expires > now);
        while self.sessions.len() >= MAX_SESSIONS {
            let oldest = self.sessions.iter().min_by_key(|(_, expires)| **expires);
            let Some(oldest) = oldest.map(|(key, _)| *key) else { break };
            self.sessions.remove(&oldest);
        }
        self.sessions.insert(digest(&session.0), now + SESSION);
        Ok(session)
    }

    /// Whether that session was given out here and still runs.
    ///
    /// Sessions are kept and looked up by their digest, so how long a look-up takes tells nothing
    /// about the secret.
    pub fn holds(&self, session: &Session, now: Instant) -> bool {
        self.sessions.get(&digest(&session.0)).is_some_and(|expires| *expires > now)
    }

    pub fn logout(&mut self, session: &Session) {
        self.sessions.remove(&digest(&session.0));
    }

    /// Judges the bearer token of a script: its own, or the password itself.
    pub fn bearer(&mut self, token: &str, now: Instant) -> Result<(), Denied> {
        if self.token.as_ref().is_some_and(|own| own.is(token)) || self.knows(token) {
            return Ok(());
        }
        match self.bearers.locked_for(now) {
            Some(wait) => Err(Denied::Locked(wait)),
            None => Err(self.bearers.count(now)),
        }
    }

    /// Takes the same time whatever is wrong with it.
    fn knows(&self, password: &str) -> bool {
        let given = digest(&normal(password));
        let difference = given.iter().zip(&self.password).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

/// Counts wrong tries and says when the next one may come.
#[derive(Debug, Default)]
struct LockOut {
    wrong: VecDeque<Instant>,
    until: Option<Instant>,
    /// The length of the last lock; the next one is twice as long.
    last: Option<Duration>,
}

impl LockOut {
    fn locked_for(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Notes a wrong try.
    fn count(&mut self, now: Instant) -> Denied {
        // A lock is forgiven once twice its length has passed without another wrong try.
        if let (Some(until), Some(last)) = (self.until, self.last)
            && now.saturating_duration_since(until) > last * 2
        {
            *self = Self::default();
        }
        self.wrong.retain(|at| now.saturating_duration_since(*at) < WINDOW);
        self.wrong.push_back(now);
        if self.last.is_none() && self.wrong.len() < TRIES {
            return Denied::Wrong;
        }
        let lock = self.last.map_or(WINDOW, |last| (last * 2).min(LONGEST_LOCK));
        self.wrong.clear();
        self.last = Some(lock);
        self.until = Some(now + lock);
        Denied::Locked(lock)
    }
}

/// What a person may type instead: upper case, spaces or no dashes, `o` for `0`, `l` for `1`.
fn normal(password: &str) -> String {
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

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn random<const N: usize>() -> Result<[u8; N], Denied> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Denied::NoRandom)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all that is written to it");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door() -> (Access, Instant) {
        (Access::with_password("k7m2q-00aaa-bbbbb-ccc1c"), Instant::now())
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn every_start_has_a_password_of_its_own_that_opens_the_door() {
        let (mut access, password) = Access::generate().unwrap();
        let (_, other) = Access::generate().unwrap();

        assert_ne!(password, other);
        assert_eq!(password.len(), 23);
        assert!(access.login(&password, Instant::now()).is_ok(), "{password}");
    }

    #[test]
    fn a_password_may_be_typed_as_a_person_reads_it() {
        let (mut access, now) = door();

        for typed in
            ["k7m2q-00aaa-bbbbb-ccc1c", " K7M2Q OOAAA BBBBB CCCLC\n", "k7m2qo0aaabbbbbccc1c"]
        {
            assert!(access.login(typed, now).is_ok(), "{typed}");
        }
        for typed in ["", "k7m2q", "k7m2q-00aaa-bbbbb-ccc1d", "k7m2q-00aaa-bbbbb-ccc1c-x"] {
            assert_eq!(access.login(typed, now).unwrap_err(), Denied::Wrong, "{typed}");
        }
    }

    #[test]
    fn a_session_ends_after_twelve_hours_or_when_its_owner_leaves() {
        let (mut access, now) = door();
        let session = access.login("k7m2q00aaabbbbbccc1c", now).unwrap();
        let other = access.login("k7m2q00aaabbbbbccc1c", now).unwrap();

        assert!(access.holds(&session, now + SESSION - secs(1)));
        assert!(!access.holds(&session, now + SESSION));
        assert!(!access.holds(&Session("guess".into()), now));

        access.logout(&session);
        assert!(!access.holds(&session, now));
        assert!(access.holds(&other, now));
    }

    #[test]
    fn sessions_are_bounded_and_the_first_one_makes_room() {
        let (mut access, now) = door();
        let first = access.login("k7m2q00aaabbbbbccc1c", now).unwrap();

        for n in 1..=64 {
            access.login("k7m2q00aaabbbbbccc1c", now + secs(n)).unwrap();
        }

        assert_eq!(access.sessions.len(), MAX_SESSIONS);
        assert!(!access.holds(&first, now + secs(65)));
    }

    #[test]
    fn five_wrong_tries_lock_the_login_and_each_further_one_doubles_it() {
        let (mut access, now) = door();
        for _ in 0..4 {
            assert_eq!(access.login("guess", now), Err(Denied::Wrong));
        }

        assert_eq!(access.login("guess", now), Err(Denied::Locked(secs(60))));
        let right = access.login("k7m2q00aaabbbbbccc1c", now + secs(20));
        assert_eq!(right, Err(Denied::Locked(secs(40))), "the right one learns nothing either");

        let later = now + secs(60);
        assert_eq!(access.login("guess", later), Err(Denied::Locked(secs(120))));
        assert_eq!(access.login("guess", later + secs(120)), Err(Denied::Locked(secs(240))));
        assert!(access.login("k7m2q00aaabbbbbccc1c", later + secs(360)).is_ok());
        assert_eq!(access.login("guess", later + secs(361)), Err(Denied::Wrong), "all is forgiven");
    }

    #[test]
    fn tries_far_apart_and_old_locks_are_forgotten() {
        let (mut access, now) = door();

        for n in 0..20 {
            assert_eq!(access.login("guess", now + secs(16 * n)), Err(Denied::Wrong));
        }
        let mut at = now + secs(1_000);
        for _ in 0..5 {
            access.login("guess", at).unwrap_err();
        }
        at += secs(60 + 121);
        assert_eq!(access.login("guess", at), Err(Denied::Wrong));
    }

    #[test]
    fn a_scraper_with_an_old_token_locks_out_nobody_but_itself() {
        let (mut access, now) = door();
        for _ in 0..9 {
            access.bearer("yesterday", now).unwrap_err();
        }

        assert!(matches!(access.bearer("yesterday", now), Err(Denied::Locked(_))));
        assert_eq!(access.bearer("k7m2q00aaabbbbbccc1c", now), Ok(()));
        assert!(access.login("k7m2q00aaabbbbbccc1c", now).is_ok());
    }
}
