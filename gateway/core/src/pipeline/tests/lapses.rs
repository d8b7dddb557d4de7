//! Stories of what must not happen: what was disproved does not come back, what is old proves
//! nothing, and what lasts is not forgotten while others talk.

use super::*;
use crate::community::Address;
use crate::community::camera::{CameraIndex, Drawing, Sight};

fn slow() -> String {
    HEAT.replace("> 10.0", "> 1000.0")
}

#[test]
fn a_short_peak_is_nobodys_business() {
    let mut night = Night::new(Night::with_scenes(&[&HEAT.replace("> 10.0", "> 1000.0")]));

    night.talk(60, 20.0).talk(50, 45.0).talk(600, 20.0);

    assert_eq!(night.transcript, "");
}

#[test]
fn a_delay_that_was_disproved_does_not_come_back_after_a_restart() {
    let scene = slow();
    let mut before = Night::new(Night::with_scenes(&[&scene]));
    before.frame(0, r#"{"t": 45}"#).wait(20).frame(0, r#"{"t": 20}"#);

    let mut after = Night::resumed(Night::with_scenes(&[&scene]), before.restored(), before.now);
    after.wait(600);

    assert!(!after.transcript.contains("too hot"), "{}", after.transcript);
}

#[test]
fn what_lasts_is_graded_anew_while_others_talk() {
    let scene = slow().replace("over > 0.5", "lasted > 300.0");
    let mut night = Night::new(Night::with_scenes(&[&scene]));

    night.talk(60, 20.0).talk(420, 45.0);

    assert_eq!(
        night.transcript,
        "\
00:02:00  opened 3 too hot: temperature 45 °C, above 40 °C
00:07:00  updated 2 too hot: temperature 45 °C, above 40 °C
"
    );
}

#[test]
fn a_value_that_has_grown_old_proves_nothing() {
    let scene = slow().replace("on-delay = \"1 min\"", "on-delay = \"6 min\"");
    let mut night = Night::new(Night::with_scenes(&[&scene]));

    night.frame(0, r#"{"t": 45}"#);
    for _ in 0..60 {
        // It goes on talking, but not of temperature.
        night.frame(0, r#"{"h": 50}"#).wait(10);
    }

    assert!(!night.transcript.contains("too hot"), "{}", night.transcript);
}

#[test]
fn a_sensor_that_lost_one_point_does_not_flap_between_open_and_unknown() {
    let mut night = Night::new(Night::with_scenes(&[&slow()]));
    night.talk(120, 45.0);
    night.transcript.clear();

    for _ in 0..120 {
        night.frame(0, r#"{"h": 50}"#).frame(1, r#"{"t": 21}"#).frame(2, r#"{"t": 21}"#).wait(10);
    }

    assert_eq!(night.transcript.matches("unknown 3 too hot").count(), 1, "{}", night.transcript);
    assert_eq!(night.transcript.matches("updated 3 too hot").count(), 0, "{}", night.transcript);
}

#[test]
fn a_device_that_moves_takes_no_event_of_its_old_area_along() {
    let scene = slow().replace("category", "per = \"area\"\ncategory");
    let mut night = Night::new(Night::with_scenes(&[&scene]));
    night.talk(120, 45.0);
    night.transcript.clear();

    let mut moved = Night::with_scenes(&[&scene]);
    let west = crate::community::site::Area { id: "west".into(), ..moved.areas[0].clone() };
    moved.areas.push(west);
    moved.devices[0].area = 1;
    night.handle(Input::Config(Arc::new(moved)));

    assert!(night.transcript.contains("cleared 3 too hot"), "{}", night.transcript);
}

#[test]
fn a_scene_on_trial_is_told_to_nobody() {
    let scene = slow().replace("category", "status = \"pilot\"\ncategory");
    let mut night = Night::new(Night::with_scenes(&[&scene]));

    night.talk(300, 45.0);

    assert_eq!(night.transcript, "");
    assert_eq!(night.pipeline.view(night.now).counts.records["withheld"], 1);
}

#[test]
fn a_camera_that_sees_nothing_is_no_device_that_sends_bad_data_and_one_that_sees_nonsense_is() {
    let told = |is_camera: bool, values: [f64; 2]| {
        let mut community = community();
        if is_camera {
            let (camera, drawing) = (CameraIndex(0), Drawing::default());
            let sight = Sight { camera, drawing, overruled: None };
            community.devices[0].address = Address::Camera(Box::new(sight));
        }
        let mut night = Night::new(community);
        for _ in 0..600 {
            let body = Body::Values { at: night.now, values: values.to_vec() };
            let frame = Frame { device: DeviceIndex(0), ticket: None, body };
            night.handle(Input::Frame(frame)).wait(1);
        }
        night.transcript.contains("Device sends bad data")
    };

    // Dark or covered: nothing is counted there.
    assert!(!told(true, [f64::NAN, f64::NAN]));
    assert!(told(true, [f64::NAN, 1000.0]));
    assert!(told(false, [f64::NAN, f64::NAN]));
}
