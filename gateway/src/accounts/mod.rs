//! Who may do what: roles and their rights, and who stands behind a request.
//!
//! The console's guard finds out who asks and puts a [`Principal`] into the request; a handler asks it
//! with [`Principal::may`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a person is here, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Has the duty: acknowledges, dispatches, closes.
    Manager,
    /// Sets up devices and scenes.
    Integrator,
    /// All, and the accounts.
    Admin,
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Events, devices, reports.
    See,
    /// On events: acknowledge, dispatch, judge, close.
    Act,
    /// Events of scenes that are on trial.
    SeePilots,
    /// Device types, scans, the overlay of the configuration.
    Integrate,
    /// To devices, through their interlocks.
    Write,
    /// Accounts, tokens, sessions.
    Administer,
    SeeAudit,
}

impl Role {
    /// All of them, from the least to the most.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Manager, Self::Integrator, Self::Admin];

    /// The table of rights.
    pub fn may(self, right: Right) -> bool {
        match right {
            Right::See => true,
            Right::Act | Right::Write => self >= Self::Manager,
            Right::SeePilots | Right::Integrate => self >= Self::Integrator,
            // A manager answers for the others' deeds, an integrator may be another company's.
            Right::SeeAudit => matches!(self, Self::Manager | Self::Admin),
            Right::Administer => self == Self::Admin,
        }
    }

    /// As it is written on the command line and in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Manager => "manager",
            Self::Integrator => "integrator",
            Self::Admin => "admin",
        }
    }
}

impl Right {
    pub const ALL: [Self; 7] = [
        Self::See,
        Self::Act,
        Self::SeePilots,
        Self::Integrate,
        Self::Write,
        Self::Administer,
        Self::SeeAudit,
    ];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word is none of the four.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role; expected viewer, manager, integrator or admin")]
pub struct NoRole(String);

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(word: &str) -> Result<Self, NoRole> {
        let found = Self::ALL.into_iter().find(|role| role.word() == word);
        found.ok_or_else(|| NoRole(word.chars().take(40).collect()))
    }
}

/// Who stands behind a request: an account's session, or a script with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account's name; `token:NAME` for a script.
    pub name: String,
    pub role: Role,
    /// What every form of this session must carry; `None` for a script, which no other site can lead.
    pub csrf: Option<String>,
}

impl Principal {
    pub fn may(&self, right: Right) -> bool {
        self.role.may(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_the_rights_of_its_work_and_no_others() {
        let table = [
            (Role::Viewer, vec![Right::See]),
            (Role::Manager, vec![Right::See, Right::Act, Right::Write, Right::SeeAudit]),
            (
                Role::Integrator,
                vec![Right::See, Right::Act, Right::SeePilots, Right::Integrate, Right::Write],
            ),
            (Role::Admin, Right::ALL.to_vec()),
        ];
        for (role, mut expected) in table {
            let found: Vec<_> = Right::ALL.into_iter().filter(|right| role.may(*right)).collect();
            expected.sort();
            assert_eq!(found, expected, "{role}");
        }
    }

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        let told = "root".parse::<Role>().unwrap_err().to_string();
        assert_eq!(told, "`root` is no role; expected viewer, manager, integrator or admin");
    }
}
