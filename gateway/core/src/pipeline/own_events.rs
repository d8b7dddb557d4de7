//! The gateway's own events: when they begin, and when they are over.
//!
//! Refusals and clocks come from [`super::intake`], silences from [`super::telling`], the store's
//! troubles and withdrawn bundles from the shell. What has no end of its own (a damage that happened, a
//! clock that was set) ends after a while.

use std::collections::BTreeMap;
use std::time::Duration;

use super::boundary::{Damage, Withdrawn};
use super::concern::health_concern;
use super::health::{Health, told_channel, told_damage, told_refusals, told_span};
use super::{Pipeline, TICK};
use crate::alert::standing::Trouble;
use crate::community::quantity::Text;
use crate::event::{Finding, Key};
use crate::reading::{DeviceIndex, Timestamp};

/// A clock that went back is told for this long.
const CLOCK_TOLD_FOR: Duration = Duration::from_mins(10);

/// What happened to the gateway itself is told for this long, over restarts.
const TOLD_FOR: Duration = Duration::from_hours(24);

impl Pipeline {
    pub(super) fn has_own_events(&self) -> bool {
        !self.refusing.is_empty() || !self.went_back.is_empty() || !self.happened.is_empty()
    }

    /// Ends what has been quiet for long enough.
    pub(super) fn look_at_own(&mut self, now: Timestamp) {
        for index in self.refusing.clone() {
            if self.devices[index.0].refusals.handle_timeout(now) {
                self.refusing.remove(&index);
                self.drop_health(Health::DeviceRefused, &self.community.device(index).id.clone());
            } else if !self.devices[index.0].refusals.by_reason().is_empty() {
                // After a restart nobody knows the reasons yet: what was told stands.
                self.raise_refusals(index, now);
            }
        }
        let over: Vec<DeviceIndex> = self
            .went_back
            .extract_if(.., |_, at| now >= *at + CLOCK_TOLD_FOR)
            .map(|(i, _)| i)
            .collect();
        for index in over {
            self.drop_health(Health::ClockWentBack, &self.community.device(index).id.clone());
        }
        let told: Vec<Health> = self
            .happened
            .extract_if(.., |_, since| now >= *since + TOLD_FOR)
            .map(|(health, _)| health)
            .collect();
        for health in told {
            self.drop_health(health, &self.community.gateway.clone());
        }
    }

    pub(super) fn raise_refusals(&mut self, index: DeviceIndex, now: Timestamp) {
        self.refusing.insert(index);
        self.tick.get_or_insert(now + TICK);
        let why = told_refusals(self.devices[index.0].refusals.by_reason());
        let device = self.community.device(index).id.clone();
        self.raise_health(Health::DeviceRefused, &device, index, Vec::new(), why, now, now);
    }

    /// A device's clock was set back and goes on from there.
    pub(super) fn raise_clock_went_back(
        &mut self,
        index: DeviceIndex,
        by: Duration,
        now: Timestamp,
    ) {
        self.went_back.insert(index, now);
        self.tick.get_or_insert(now + TICK);
        let device = self.community.device(index);
        let (span, name) = (told_span(by), &device.title);
        let mut why = Text::new(
            format!("{}的时钟回拨了约 {}", name.zh, span.zh),
            format!("the clock of {} went back by about {}", name.en, span.en),
        );
        if self.devices[index.0].gate.is_doubted() {
            why.zh.push_str("；在其校准之前，读数按网关时间记录");
            why.en.push_str("; until it is right, its readings are dated by the gateway's clock");
        }
        let id = device.id.clone();
        self.raise_health(Health::ClockWentBack, &id, index, Vec::new(), why, now, now);
    }

    pub(super) fn handle_store_failed(&mut self, why: &str, now: Timestamp) {
        if self.community.devices.is_empty() {
            return;
        }
        let why = Text::new(format!("写入失败：{why}"), format!("writing failed: {why}"));
        let subject = self.community.gateway.clone();
        self.raise_health(Health::StoreFailed, &subject, DeviceIndex(0), Vec::new(), why, now, now);
    }

    pub(super) fn handle_disk_full(&mut self, why: Option<String>, now: Timestamp) {
        self.is_disk_full = why.is_some();
        match why {
            Some(why) => self.handle_store_failed(&why, now),
            None => self.handle_store_works(),
        }
    }

    pub(super) fn handle_store_works(&mut self) {
        if self.is_disk_full {
            return;
        }
        let subject = self.community.gateway.clone();
        self.drop_health(Health::StoreFailed, &subject);
    }

    pub(super) fn handle_models_missing(&mut self, why: Option<Text>, now: Timestamp) {
        self.handle_condition(Health::ModelsMissing, why, now);
    }

    /// Something about the gateway itself that holds for as long as there is a reason.
    pub(super) fn handle_condition(&mut self, health: Health, why: Option<Text>, now: Timestamp) {
        let subject = self.community.gateway.clone();
        match why.filter(|_| !self.community.devices.is_empty()) {
            Some(why) => {
                self.raise_health(health, &subject, DeviceIndex(0), Vec::new(), why, now, now);
            }
            None => self.drop_health(health, &subject),
        }
    }

    /// One event for each channel to people that is down.
    pub(super) fn handle_channels(&mut self, down: &BTreeMap<String, Trouble>, now: Timestamp) {
        let up: Vec<String> = self
            .channels_down
            .extract_if(.., |id, _| !down.contains_key(id))
            .map(|(id, _)| id)
            .collect();
        for channel in up {
            self.drop_health(Health::ChannelDown, &channel);
        }
        if self.community.devices.is_empty() {
            return;
        }
        for (channel, trouble) in down {
            if self.channels_down.insert(channel.clone(), Some(*trouble)) != Some(Some(*trouble)) {
                let (why, affected) = (told_channel(channel, *trouble), vec![channel.clone()]);
                let at = DeviceIndex(0);
                self.raise_health(Health::ChannelDown, channel, at, affected, why, now, now);
            }
        }
    }

    /// The store had lost something before this start.
    pub(super) fn raise_damage(&mut self, damage: &Damage, now: Timestamp) {
        self.raise_happened(Health::StoreDamaged, told_damage(damage), now);
    }

    /// A bundle broke its budget.
    pub(super) fn handle_withdrawn(
        &mut self,
        Withdrawn { was_live, why }: Withdrawn,
        now: Timestamp,
    ) {
        let health = if was_live { Health::BundleWithdrawn } else { Health::CandidateStopped };
        // Another one is told anew, though the one before may still be open.
        self.drop_health(health, &self.community.gateway.clone());
        self.finish(None, now);
        self.raise_happened(health, why, now);
    }

    pub(super) fn raise_happened(&mut self, health: Health, why: Text, now: Timestamp) {
        if self.community.devices.is_empty() {
            return;
        }
        self.happened.insert(health, now);
        self.tick.get_or_insert(now + TICK);
        let subject = self.community.gateway.clone();
        self.raise_health(health, &subject, DeviceIndex(0), Vec::new(), why, now, now);
    }

    #[expect(clippy::too_many_arguments, reason = "every one of them is a word of the sentence")]
    pub(super) fn raise_health(
        &mut self,
        health: Health,
        subject: &str,
        at_device: DeviceIndex,
        affected: Vec<String>,
        why: Text,
        since: Timestamp,
        now: Timestamp,
    ) {
        let key = Key { scene: health.id().to_owned(), subject: subject.to_owned() };
        let device = if health.is_of_the_gateway() {
            self.community.gateway.clone()
        } else {
            self.community.device(at_device).id.clone()
        };
        let finding = Finding {
            device: device.clone(),
            since,
            evidence: health.evidence(why),
            affected,
            is_silent: false,
        };
        let community = &self.community;
        self.book.raise(key, finding, BTreeMap::new(), || {
            let mut concern = health_concern(community, at_device, health, now);
            if health.is_of_the_gateway() {
                concern.data.location = Text::new("网关", "the gateway");
            }
            concern.data.device = device;
            concern
        });
    }

    pub(super) fn drop_health(&mut self, health: Health, subject: &str) {
        let key = Key { scene: health.id().to_owned(), subject: subject.to_owned() };
        self.book.drop_all(&key);
    }
}
