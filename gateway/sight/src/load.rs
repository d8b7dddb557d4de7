//! Whose picture is looked at next, when there is less time than there are pictures.
//!
//! Every camera has a target (a picture at most so often) and a share of one core that it may use. Of those
//! that have a picture and are due, the one that has used least for its share comes first, so that one
//! camera with a slow model or large pictures takes time from itself alone. What a camera sends meanwhile
//! is shed where it waits, the older picture first; here is only whose turn it is.

/// Time over which a share holds, in ms: a camera may use what it did not use in as long.
const WINDOW: f64 = 10_000.0;
/// Busy from this share of the time on, and no more below the other.
const BUSY: f64 = 0.85;
const AT_EASE: f64 = 0.6;

/// What one camera may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// A picture at most so often, in ms.
    pub every: i64,
    /// Of one core, 0..1; `None` = a fair part of what there is.
    pub share: Option<f64>,
}

#[derive(Debug, Clone)]
struct Meter {
    target: Target,
    /// When its last picture was begun, in ms.
    begun: Option<i64>,
    /// What it used, in ms, fading over [`WINDOW`].
    used: f64,
    /// Pictures that were looked at.
    looks: u64,
}

/// How much the cameras use of the thread that looks at their pictures.
#[derive(Debug, Clone)]
pub struct Load {
    cameras: Vec<Meter>,
    at: Option<i64>,
    is_busy: bool,
}

impl Load {
    pub fn new(targets: impl IntoIterator<Item = Target>) -> Self {
        let meter = |target| Meter { target, begun: None, used: 0.0, looks: 0 };
        Self { cameras: targets.into_iter().map(meter).collect(), at: None, is_busy: false }
    }

    /// Of the cameras that have a picture waiting, the one whose turn it is now; else in how many ms one
    /// of them may be due.
    pub fn next(&self, now: i64, waiting: impl IntoIterator<Item = usize>) -> Result<usize, i64> {
        let (mut best, mut soonest) = (None::<(f64, usize)>, i64::MAX);
        for camera in waiting {
            let Some(meter) = self.cameras.get(camera) else { continue };
            let wait = self.wait(meter, now);
            if wait > 0 {
                soonest = soonest.min(wait);
            } else {
                let used = meter.used / meter.target.share.unwrap_or(1.0).max(0.001);
                if best.is_none_or(|(least, _)| used < least) {
                    best = Some((used, camera));
                }
            }
        }
        best.map(|(_, camera)| camera).ok_or(soonest)
    }

    /// Until a camera is due, in ms.
    fn wait(&self, meter: &Meter, now: i64) -> i64 {
        let pace = meter.begun.map_or(0, |begun| begun.saturating_add(meter.target.every) - now);
        let over = meter.target.share.map_or(0, |share| {
            // What it used fades by a window's part each ms; so long until it is within its share.
            let used = self.faded(meter.used, now) - share * WINDOW;
            #[expect(clippy::cast_possible_truncation, reason = "saturates")]
            let wait = (used / share.max(0.001)).ceil() as i64;
            wait
        });
        pace.max(over).max(0)
    }

    fn faded(&self, used: f64, now: i64) -> f64 {
        let passed = self.at.map_or(0, |at| now.saturating_sub(at).max(0));
        used * (-(passed as f64) / WINDOW).exp()
    }

    /// A camera's picture was begun at `begun` and took so long, both in ms.
    pub fn charge(&mut self, camera: usize, begun: i64, took: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        let now = begun.saturating_add(took.ceil() as i64);
        for i in 0..self.cameras.len() {
            self.cameras[i].used = self.faded(self.cameras[i].used, now);
        }
        self.at = Some(now.max(self.at.unwrap_or(now)));
        if let Some(meter) = self.cameras.get_mut(camera) {
            meter.used += took;
            meter.begun = Some(begun);
            meter.looks += 1;
        }
        let part = self.cameras.iter().map(|meter| meter.used).sum::<f64>() / WINDOW;
        self.is_busy = part > if self.is_busy { AT_EASE } else { BUSY };
    }

    /// There is more to look at than time: sources should decode less.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// What a camera uses of one core, 0..1, and how many of its pictures were looked at.
    pub fn of(&self, camera: usize) -> (f64, u64) {
        self.cameras.get(camera).map_or((0.0, 0), |meter| (meter.used / WINDOW, meter.looks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets cameras whose pictures cost so many ms always have one waiting, for a while; gives the looks.
    fn play(targets: &[Target], costs: &[f64], seconds: i64) -> (Vec<u64>, Load) {
        let mut load = Load::new(targets.iter().copied());
        let mut now = 0;
        while now < seconds * 1000 {
            match load.next(now, 0..targets.len()) {
                Ok(camera) => {
                    load.charge(camera, now, costs[camera]);
                    #[expect(clippy::cast_possible_truncation, reason = "small")]
                    let took = costs[camera] as i64;
                    now += took;
                }
                Err(wait) => now += wait,
            }
        }
        ((0..targets.len()).map(|camera| load.of(camera).1).collect(), load)
    }

    const SECOND: Target = Target { every: 1000, share: None };

    #[test]
    fn cameras_that_fit_all_have_their_rate() {
        let (looks, load) = play(&[SECOND; 4], &[50.0; 4], 60);
        assert!(looks.iter().all(|looks| *looks >= 59), "{looks:?}");
        assert!(!load.is_busy());
    }

    #[test]
    fn a_slow_model_keeps_nobody_waiting_for_more_than_one_picture() {
        let eager = Target { every: 10, share: None };
        let (looks, load) = play(&[eager, SECOND, SECOND], &[900.0, 40.0, 40.0], 120);
        // A picture that was begun is finished: the others wait for one, never for two.
        assert!(looks[1] >= 60 && looks[2] >= 60 && looks[0] >= 100, "{looks:?}");
        assert!(load.is_busy());
    }

    #[test]
    fn too_many_alike_are_served_alike() {
        let (looks, _) = play(&[SECOND; 20], &[200.0; 20], 100);
        let (least, most) = (looks.iter().min().unwrap(), looks.iter().max().unwrap());
        assert!(most - least <= 2 && *least >= 24, "{looks:?}");
    }

    #[test]
    fn a_budget_holds_whatever_is_asked() {
        let capped = Target { every: 1, share: Some(0.2) };
        let (looks, _) = play(&[capped], &[100.0], 100);
        // 20 % of 100 s at 100 ms, and what a window allows at the start.
        assert!((190..=260).contains(&looks[0]), "{looks:?}");
    }

    #[test]
    fn nobody_waiting_is_nobody_to_look_at() {
        let load = Load::new([SECOND]);
        assert_eq!(load.next(0, []), Err(i64::MAX));
        assert_eq!(load.next(0, [7]), Err(i64::MAX));
    }
}
