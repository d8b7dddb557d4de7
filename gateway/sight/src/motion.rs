//! Whether anything moves: what a model need not be asked about again.
//!
//! A slow mean of each cell of the small picture is what usually stands there; a cell that differs from it
//! by more than light and noise do has changed. The light of the whole picture may change (a cloud, a lamp):
//! it is taken out first.

use crate::thumb::Thumb;

/// A cell has changed when it differs by this much brightness (of 255) from what is usual.
const CHANGED: f32 = 12.0;
/// How much of a new picture goes into what is usual.
const SHARE: f32 = 0.05;

/// What usually stands before one camera.
#[derive(Default)]
pub struct Motion {
    usual: Vec<f32>,
}

impl Motion {
    /// The share of cells that changed, 0..1; everything, for the first picture.
    pub fn look(&mut self, thumb: &Thumb) -> f32 {
        let now = thumb.cells();
        if self.usual.len() != now.len() {
            self.usual = now.to_vec();
            return 1.0;
        }
        // The middle difference is the light's; a thing that moves fills less than half of the picture.
        let mut steps: Vec<f32> =
            now.iter().zip(&self.usual).map(|(now, usual)| now - usual).collect();
        let middle = steps.len() / 2;
        let (_, light, _) = steps.select_nth_unstable_by(middle, f32::total_cmp);
        let light = *light;
        let mut changed = 0_usize;
        for (now, usual) in now.iter().zip(&mut self.usual) {
            let step = now - *usual;
            changed += usize::from((step - light).abs() > CHANGED);
            *usual += SHARE * step;
        }
        changed as f32 / now.len() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thumb::tests::yard;

    #[test]
    fn noise_and_a_cloud_are_no_motion() {
        let mut motion = Motion::default();
        motion.look(&Thumb::of(&yard(0, 1.0, 1)));
        for look in 2..30_u8 {
            let light = 1.0 - f32::from(look % 3) * 0.03;
            let share = motion.look(&Thumb::of(&yard(0, light, look.into())));
            assert!(share < 0.002, "{share} at look {look}");
        }
    }

    #[test]
    fn somebody_who_walks_in_is_motion_and_what_stays_is_not_for_long() {
        let mut motion = Motion::default();
        for look in 1..10 {
            motion.look(&Thumb::of(&yard(0, 1.0, look)));
        }
        let with = |noise| {
            let mut yard = yard(0, 1.0, noise);
            for y in 100..160 {
                yard.pixels_mut()[y * 320 + 140..y * 320 + 165].fill([5; 4]);
            }
            Thumb::of(&yard)
        };
        let share = motion.look(&with(10));
        assert!((0.01..0.05).contains(&share), "{share}");
        for look in 0..100 {
            motion.look(&with(11 + look));
        }
        assert!(motion.look(&with(200)) < 0.002);
    }
}
