//! JPEGs that a camera publishes over MQTT: the bytes themselves, or in base64 at a place in JSON.
//!
//! The broker's source hands over what came, at once; it is looked into here, and only when it is due.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;

use super::base64;
use super::eye::Eye;
use super::is_jpeg;
use super::slots::Content;
use super::trouble::Why;

/// Takes payloads until told to stop, or until the broker's source has gone for good.
pub(super) async fn watch(
    eye: &Arc<Eye>,
    payloads: &mut mpsc::Receiver<Vec<u8>>,
    json: Option<&str>,
) -> Result<(), Why> {
    loop {
        let next = eye.stop().run_until_cancelled_owned(payloads.recv()).await;
        let Some(Some(payload)) = next else { return Ok(()) };
        let pointer = json.map(str::to_owned);
        // Some megabytes of JSON take longer than anybody else should wait.
        let read = tokio::task::spawn_blocking(move || picture(payload, pointer.as_deref())).await;
        match read.unwrap_or(Err(Why::BrokeDown)) {
            Ok(jpeg) => eye.show(Content::Jpeg(jpeg)),
            Err(why) => eye.count(why),
        }
    }
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
