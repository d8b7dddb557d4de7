//! JPEGs that a camera publishes over MQTT: the bytes themselves, or in base64 at a place in JSON.
//!
//! Heard on a connection that is the camera's own ([`Published`]), so that a flood of pictures keeps no sensor
//! waiting, and without a session, so that none waits at the broker or gets onto its disk. What comes is looked
//! into only when it is due.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::cost::Flow;
use super::eye::Eye;
use super::http::IDLE;
use super::slots::Content;
use super::trouble::{Why, shortened};
use super::{base64, is_jpeg};
use crate::source::{Published, Unheard};

/// Bytes of the largest message. A third of it is gone with base64. deploy/mosquitto.conf lets as much through.
pub const MOST_PUBLISHED: usize = 4 << 20;
/// How often it is asked whether what comes is of any use.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Takes what is published until told to stop.
pub(super) async fn watch(
    eye: &Arc<Eye>,
    there: &dyn Published,
    json: Option<&str>,
) -> Result<(), Why> {
    let (mut passing, stop, mut flow) = (there.open(), eye.stop(), Flow::new());
    let mut asking = interval(ASK_EVERY);
    asking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut spoilt) = (None::<Instant>, None::<Instant>);
    eye.begin();
    loop {
        let message = {
            // One future for the whole wait: dropped in the middle, it would begin its connection anew.
            let mut next = passing.next();
            loop {
                tokio::select! {
                    message = &mut next => break message.map_err(why)?,
                    () = stop.cancelled() => return Ok(()),
                    _ = asking.tick() => give_up(eye, heard)?,
                }
            }
        };
        let bytes = message.payload.len();
        if message.is_retained {
            // It comes with the subscription; what follows is judged by itself.
            eye.count(Why::Kept);
            eye.begin();
        } else {
            heard = Some(Instant::now());
            // One that cannot be used costs as much, and is no reason to look more often.
            let is_rested = spoilt.is_none_or(|at| at.elapsed() >= eye.every());
            if eye.is_due() && is_rested {
                match read(message.payload, json).await {
                    Ok(jpeg) => eye.show(Content::Jpeg(jpeg)),
                    Err(why) => {
                        spoilt = Some(Instant::now());
                        eye.count(why);
                    }
                }
            }
            give_up(eye, heard)?;
        }
        // What is left on the wire the broker would pile up in memory, without a bound at QoS 0 (mosquitto 2.0).
        if flow.came(bytes, Instant::now()).is_some() {
            return Err(Why::TooFast);
        }
    }
}

/// Ends a connection that brings messages of which none can be used. One that brings nothing goes on: many
/// cameras publish only when something happens.
fn give_up(eye: &Eye, heard: Option<Instant>) -> Result<(), Why> {
    let is_silent = heard.is_none_or(|heard| heard.elapsed() >= IDLE);
    match eye.hopeless() {
        None | Some(Why::NoPicture(_)) => Ok(()),
        Some(_) if is_silent => Ok(()),
        Some(why) => Err(why),
    }
}

fn why(error: Unheard) -> Why {
    match error {
        Unheard::TooLong(most) => Why::TooLarge(most),
        Unheard::Lost(why) => Why::Unreachable(shortened(&why)),
    }
}

async fn read(payload: Vec<u8>, json: Option<&str>) -> Result<Vec<u8>, Why> {
    let pointer = json.map(str::to_owned);
    // Some megabytes of JSON take longer than anybody else should wait.
    let read = tokio::task::spawn_blocking(move || picture(payload, pointer.as_deref())).await;
    read.unwrap_or(Err(Why::BrokeDown))
}

fn picture(payload: Vec<u8>, json: Option<&str>) -> Result<Vec<u8>, Why> {
    let jpeg = match json {
        None => payload,
        Some(pointer) => {
            let missing = || Why::NoPictureInJson(pointer.to_owned());
            let value: Value = serde_json::from_slice(&payload).map_err(|_| missing())?;
            let text = value.pointer(pointer).and_then(Value::as_str).ok_or_else(missing)?;
            // As browsers want it: `data:image/jpeg;base64,...`.
            let coded = text.strip_prefix("data:").and_then(|data| data.split_once(','));
            base64::decode(coded.map_or(text, |(_, coded)| coded)).ok_or_else(missing)?
        }
    };
    if is_jpeg(&jpeg) {
        Ok(jpeg)
    } else {
        Err(Why::NotAPicture("something else than a JPEG over MQTT".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: &[u8] = b"\xff\xd8\xff\xe0rest";

    #[test]
    fn a_picture_comes_as_it_is_or_in_json() {
        let coded = base64::encode(JPEG);
        let json = format!(r#"{{"after": {{"image": "{coded}"}}}}"#).into_bytes();
        let data = format!(r#"["data:image/jpeg;base64,{coded}"]"#).into_bytes();

        assert_eq!(picture(JPEG.to_vec(), None).unwrap(), JPEG);
        assert_eq!(picture(json, Some("/after/image")).unwrap(), JPEG);
        assert_eq!(picture(data, Some("/0")).unwrap(), JPEG);
    }

    #[test]
    fn anything_else_is_told_by_its_kind() {
        let cases: [(&[u8], Option<&str>, &str); 6] = [
            (b"", None, "not-a-picture"),
            (b"GIF89a", None, "not-a-picture"),
            (b"{", Some("/image"), "no-picture-in-json"),
            (b"{\"image\": 7}", Some("/image"), "no-picture-in-json"),
            (b"{\"image\": \"?\"}", Some("/image"), "no-picture-in-json"),
            (b"{\"image\": \"R0lG\"}", Some("/image"), "not-a-picture"),
        ];
        for (payload, json, expected) in cases {
            assert_eq!(picture(payload.to_vec(), json).unwrap_err().kind(), expected);
        }
    }
}
