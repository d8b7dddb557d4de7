//! Stories of events of a whole area: people are sent to where it is, not to where it began.

use super::*;
use crate::community::quantity::Text;

fn by_area() -> Community {
    let scene = HEAT.replace("> 10.0", "> 1000.0").replace("category", "per = \"area\"\ncategory");
    let mut community = Night::with_scenes(&[&scene]);
    for (device, block) in community.devices.iter_mut().zip(1..) {
        device.location = Some(Text::new(format!("{block}号楼"), format!("Block {block}")));
    }
    community
}

impl Night {
    /// The thermometers see these for so long.
    fn blocks(&mut self, seconds: u64, values: [f64; 2]) -> &mut Self {
        for _ in 0..seconds / 10 {
            for (device, t) in values.into_iter().enumerate() {
                self.frame(device, &format!(r#"{{"t": {t}}}"#));
            }
            self.frame(2, r#"{"t": 20}"#).wait(10);
        }
        self
    }

    fn places(&self) -> Vec<String> {
        let place = |message: Message| {
            let data = message.data;
            let word = message.kind.trim_start_matches("gatehouse.event.").to_owned();
            format!("{word} {} {}", data.device, data.location.en)
        };
        self.messages().into_iter().map(place).collect()
    }
}

#[test]
fn what_comes_back_in_another_block_is_told_of_that_block() {
    let mut night = Night::new(by_area());

    night.blocks(90, [45.0, 20.0]).blocks(120, [20.0, 20.0]).blocks(90, [20.0, 45.0]);

    assert_eq!(night.places(), ["opened t1 Block 1", "cleared t1 Block 1", "reopened t2 Block 2"]);
}

#[test]
fn what_goes_on_in_another_block_is_told_of_that_block() {
    let mut night = Night::new(by_area());

    night.blocks(120, [50.0, 45.0]).blocks(120, [20.0, 45.0]);
    let mut after = Night::resumed(by_area(), night.restored(), night.now);
    after.blocks(60, [20.0, 20.0]);

    assert_eq!(night.places(), ["opened t1 Block 1", "updated t2 Block 2"]);
    assert_eq!(after.places(), ["cleared t2 Block 2"]);
}

#[test]
fn what_joins_does_not_move_the_event() {
    let mut night = Night::new(by_area());

    night.blocks(90, [45.0, 20.0]).blocks(90, [45.0, 55.0]);

    assert!(night.places().iter().all(|told| told.ends_with("t1 Block 1")), "{:?}", night.places());
}
