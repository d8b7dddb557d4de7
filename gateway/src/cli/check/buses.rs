//! What is wrong with `[[bus]]`.

use std::collections::BTreeMap;

use gatehouse_core::community::document::Document;

use super::gateway::{check_name, check_unique};
use crate::config::GatewayConfig;

const KEYS: &str = "`i2c`, `spi`, `uart`, `one-wire`, `hwmon` and `gpio`";

pub(super) fn check<'c>(
    document: &mut Document,
    config: &'c GatewayConfig,
    ids: &mut BTreeMap<&'c str, usize>,
) {
    for (position, bus) in config.buses.iter().enumerate() {
        let path = format!("bus.{position}");
        check_name(document, &format!("{path}.id"), &bus.id);
        check_unique(document, &format!("{path}.id"), &bus.id, ids);
        match bus.ends().as_slice() {
            // Whether it is there is not asked: a box that is checked need not be the one that runs.
            [(kind, end)] if !end.is_absolute() => {
                let (key, end) = (kind.word(), end.display());
                let message = format!("`{end}` is not a whole path; expected one from `/` on");
                document.fault(&format!("{path}.{key}"), message, None);
            }
            [_] => {}
            [] => {
                let message = format!("a bus has one of {KEYS}, found none");
                document.fault(&path, message, Some("as in `i2c = \"/dev/i2c-1\"`".to_owned()));
            }
            [(first, _), (second, _), ..] => {
                let (first, second) = (first.word(), second.word());
                let message = format!("a bus has one of {KEYS}, found `{first}` and `{second}`");
                document.key_fault(&format!("{path}.{second}"), message, None);
            }
        }
    }
}
