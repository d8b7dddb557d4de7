//! A bundle proves itself, or the one before comes back by itself.
//!
//! Whatever is put in the place of another is on trial until a gateway has run with it for a while and
//! was healthy; who looks at that is `gatehouse run`. That it runs is written down before anything of the
//! bundle is loaded, and taken out again by an orderly stop. So whoever finds at a start that it runs
//! knows that the gateway crashed, was killed, or lost its power with it: that counts against it.

use gatehouse_core::community::quantity::Text;
use gatehouse_core::reading::Timestamp;

use super::BundleError;
use super::installed::Installed;
use super::keys::Trust;
pub use super::state::Failed;
use super::state::{State, Trial};

/// The bundle that stands and has yet to prove itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnTrial {
    /// Its folder's name.
    pub id: String,
    /// A gateway has begun to run with it.
    pub is_running: bool,
}

impl Installed {
    /// Who is on trial; nobody where the state cannot be read, which whoever loads it will be told.
    pub fn trial(&self) -> Option<OnTrial> {
        let state = self.state().ok()?;
        let Trial { id, is_running } = state.trial()?.clone();
        Some(OnTrial { id, is_running })
    }

    /// A gateway is about to load it, or has stopped in good order.
    pub fn mark_trial(&self, is_running: bool) -> Result<(), BundleError> {
        if self.trial().is_none_or(|trial| trial.is_running == is_running) {
            return Ok(());
        }
        let _lock = self.lock()?;
        let mut state = self.state()?;
        if let Some(trial) = &mut state.trial {
            trial.is_running = is_running;
        }
        state.write(self.folder())
    }

    /// It has proven itself: no older one of its name is taken after it.
    pub fn prove(&self, id: &str, trust: &Trust) -> Result<(), BundleError> {
        let _lock = self.lock()?;
        let mut state = self.of_trial(id)?;
        if let Some(contents) = self.contents(id, trust) {
            state.proven.insert(contents.name, contents.version);
        }
        self.stand(&State { trial: None, failed: None, ..state })
    }

    /// It has not: what stood before is back, and what failed is removed. `why` is half a sentence, and
    /// what is back follows.
    pub fn fail(
        &self,
        id: &str,
        trust: &Trust,
        why: &Text,
        at: Timestamp,
    ) -> Result<Failed, BundleError> {
        let _lock = self.lock()?;
        let state = self.of_trial(id)?;
        let title = |id: &str| {
            self.contents(id, trust).map_or_else(|| id.to_owned(), |contents| contents.title())
        };
        let (title, back) = (title(id), state.previous.as_deref().map(title));
        let (zh, en) =
            back.as_deref().map_or(("配置文件原有内容", "no bundle"), |b| (b, b));
        let why = Text::new(
            format!("{title} 试运行未通过：{}；已恢复 {zh}", why.zh),
            format!("{title} has not stood its trial: {}; {en} is back", why.en),
        );
        let told = Failed { title, why, at, is_told: false };
        let (current, previous, promoted, trial) = (state.previous.clone(), None, None, None);
        let failed = Some(told.clone());
        self.stand(&State { current, previous, promoted, trial, failed, ..state })?;
        Ok(told)
    }

    /// The last one that has not stood its trial, until another one has.
    pub fn failed(&self) -> Option<Failed> {
        self.state().ok()?.failed
    }

    /// The event about it was given to the pipeline.
    pub fn mark_told(&self) -> Result<(), BundleError> {
        if self.failed().is_none_or(|failed| failed.is_told) {
            return Ok(());
        }
        let _lock = self.lock()?;
        let mut state = self.state()?;
        if let Some(failed) = &mut state.failed {
            failed.is_told = true;
        }
        state.write(self.folder())
    }

    fn of_trial(&self, id: &str) -> Result<State, BundleError> {
        let state = self.state()?;
        match state.trial() {
            Some(trial) if trial.id == id => Ok(state),
            Some(_) | None => Err(BundleError::Refused(format!("`{id}` is not on trial any more"))),
        }
    }
}
