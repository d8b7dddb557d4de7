//! What is told of `[[bus]]`.

use super::{GATEWAY, told_of_gateway};

#[test]
fn a_bus_that_contradicts_itself_is_told_with_its_place() {
    let line = GATEWAY.lines().count() + 1;
    let cases = [
        ("i2c = \"/dev/i2c-1\"", vec![]),
        ("", vec![format!("{line}:1 a bus has one of `i2c`, `spi`, `uart`")]),
        (
            "i2c = \"/dev/i2c-1\"\ngpio = \"/dev/gpiochip0\"",
            vec![format!("{}:1 a bus has one of `i2c`, `spi`, `uart`", line + 3)],
        ),
        ("spi = \"/dev/spidev0.0\"", vec![]),
        ("spi = \"spidev0.0\"", vec![format!("{}:7 `spidev0.0` is not a whole path", line + 2)]),
        (
            "i2c = \"/dev/i2c-1\"\nspi = \"/dev/spidev0.0\"",
            vec![format!(
                "{}:1 a bus has one of `i2c`, `spi`, `uart`, `one-wire`, `hwmon` and `gpio`, found `i2c` and `spi`",
                line + 3
            )],
        ),
        (
            "spi = \"/dev/spidev0.0\"\n[[bus]]\nid = \"again\"\nspi = \"/dev/spidev0.0\"",
            vec![format!("{}:7 `inside` is at this end already", line + 5)],
        ),
        ("spi = \"/dev/spidev0.0\"\n[[bus]]\nid = \"again\"\nspi = \"/dev/spidev0.1\"", vec![]),
        ("i2c = \"i2c-1\"", vec![format!("{}:7 `i2c-1` is not a whole path", line + 2)]),
        (
            "i2c = \"/dev/i2c-1\"\n[[bus]]\nid = \"again\"\ni2c = \"/dev/i2c-1\"",
            vec![format!("{}:7 `inside` is at this end already", line + 5)],
        ),
    ];
    for (keys, expected) in cases {
        let last = GATEWAY.lines().last().unwrap_or_default();
        let told = told_of_gateway(last, &format!("{last}\n[[bus]]\nid = \"inside\"\n{keys}\n"));
        assert_eq!(told.len(), expected.len(), "{keys}: {told:?}");
        for (told, expected) in told.iter().zip(&expected) {
            assert!(told.starts_with(expected), "{told}: {expected}");
        }
    }
}
