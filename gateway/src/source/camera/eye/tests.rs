//! When a camera is up and when it is down, at simulated time.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A camera that is looked at so often, and what stands where the sight thread and the pipeline would be.
struct Site {
    eye: Arc<Eye>,
    feedback: Feedback,
    inputs: mpsc::Receiver<Input>,
    _pipeline: mpsc::Sender<Input>,
}

impl Site {
    fn new(every: Duration) -> Self {
        let (pipeline, inputs) = mpsc::channel(256);
        let feedback = Feedback::default();
        let around = Surroundings {
            slots: Arc::new(Slots::new(1)),
            feedback: feedback.clone(),
            clock: Clock::new(1.0),
            inputs: pipeline.downgrade(),
            stop: CancellationToken::new(),
        };
        let eye = Eye::new("gate", CameraIndex(0), SourceIndex(0), every, None, around);
        let eye = Arc::new(eye);
        feedback.tell_to(&eye);
        eye.begin();
        Self { eye, feedback, inputs, _pipeline: pipeline }
    }

    /// A picture comes; what came of it is told, if anybody looks.
    fn comes(&self, outcome: Option<bool>) {
        self.eye.show(Content::Jpeg(vec![0]));
        match outcome {
            Some(true) => self.feedback.decoded(CameraIndex(0)),
            Some(false) => self.feedback.refused(CameraIndex(0), "truncated"),
            None => {}
        }
    }

    /// What was told of it since: whether it is up.
    fn told(&mut self) -> Vec<bool> {
        let told = std::iter::from_fn(|| self.inputs.try_recv().ok());
        let told = told.filter_map(|input| match input {
            Input::Source { down, .. } => Some(down.is_none()),
            _ => None,
        });
        told.collect()
    }

    /// How long pictures come, and what comes of each, until it is given up.
    async fn lasts(&self, mut outcomes: impl Iterator<Item = Option<bool>>) -> Option<u64> {
        let start = Instant::now();
        loop {
            self.comes(outcomes.next()?);
            if let Some(why) = self.eye.hopeless() {
                assert_eq!(why, Why::NotDecoded("truncated"));
                return Some(start.elapsed().as_secs());
            }
            tokio::time::sleep(self.eye.every()).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_camera_is_up_with_the_first_picture_that_can_be_decoded_and_not_before() {
    let mut site = Site::new(SECOND);

    site.comes(None);
    site.comes(Some(false));
    assert!(site.told().is_empty(), "nobody has decoded one");
    site.comes(Some(true));
    assert_eq!(site.told(), [true]);

    site.eye.lost(Why::HungUp);
    site.feedback.decoded(CameraIndex(0));
    assert_eq!(site.told(), [false], "that one came before it was lost");
    site.comes(Some(true));
    assert_eq!(site.told(), [true]);
}

#[tokio::test(start_paused = true)]
async fn a_camera_is_given_up_for_pictures_that_were_looked_at_and_for_nothing_else() {
    let minute = SECOND * 60;
    let bad = || std::iter::repeat_n(Some(false), 100);
    let one_in = |many: usize, outcome: Option<bool>, rest: Option<bool>| {
        (0..100).map(move |n| if n % many == 0 { outcome } else { rest })
    };

    assert_eq!(Site::new(SECOND).lasts(bad()).await, Some(11));
    assert_eq!(Site::new(minute).lasts(bad()).await, Some(120), "three looks");
    let good = one_in(9, Some(true), Some(false));
    assert_eq!(Site::new(SECOND).lasts(good).await, None, "some are good");
    let nobody = one_in(100, Some(false), None);
    assert_eq!(Site::new(SECOND).lasts(nobody).await, None, "nobody has looked since");
    let seldom = one_in(20, Some(false), None);
    assert_eq!(Site::new(SECOND).lasts(seldom).await, Some(40), "one look in twenty");
}
