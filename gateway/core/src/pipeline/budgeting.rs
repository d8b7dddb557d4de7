//! What a scene's models may raise: its budget of false alarms, divided among its points.
//!
//! `budget/<scene>` keeps what was used of it, written every hour ([`super::remembering`]).

use super::Pipeline;
use crate::detect::anomaly::budget::{Budget, State};
use crate::reading::{DeviceIndex, Timestamp};

impl Pipeline {
    /// Divides each scene's budget among the points that its models look at. What was used stays.
    pub(super) fn divide_budgets(&mut self) {
        let bounds = || self.devices.iter().flat_map(|device| &device.bounds);
        let points = |scene: usize| -> usize {
            let of_scene = bounds().filter(|b| self.compiled[b.detector].scene == scene);
            of_scene.map(|bound| bound.series.len()).sum()
        };
        self.budgets = self
            .community
            .scenes
            .iter()
            .enumerate()
            .map(|(i, scene)| {
                let rate = scene.head.false_alarms?.per_second();
                Some(Budget::new(rate, points(i)))
            })
            .collect();
    }

    /// A detector counts; a model's uses the budget.
    pub(super) fn note_against_budget(
        &mut self,
        index: DeviceIndex,
        position: usize,
        now: Timestamp,
    ) {
        let bound = &self.devices[index.0].bounds[position];
        let scene = self.compiled[bound.detector].scene;
        if let Some(budget) = self.budgets[scene].as_mut().filter(|_| !bound.series.is_empty()) {
            budget.note_event(now);
        }
    }

    /// Writes down what was used.
    pub(super) fn keep_budgets(&mut self) {
        for (scene, budget) in self.community.scenes.iter().zip(&self.budgets) {
            let Some(budget) = budget else { continue };
            let json = serde_json::to_vec(&budget.state()).ok();
            self.batch
                .states
                .extend(json.map(|json| (format!("budget/{}", scene.head.id), Some(json))));
        }
    }

    /// Takes up what was used; false when the scene has no budget.
    pub(super) fn restore_budget(&mut self, scene: &str, json: &[u8]) -> bool {
        let Ok(state) = serde_json::from_slice::<State>(json) else { return false };
        let position = self.community.scenes.iter().position(|s| s.head.id == scene);
        let budget = position.and_then(|position| self.budgets[position].as_mut());
        budget.is_some_and(|budget| {
            budget.recall(state);
            true
        })
    }
}
