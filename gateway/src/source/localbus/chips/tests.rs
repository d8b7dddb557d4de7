//! Every chip of the table, on a bus that only says what it was told to say.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use embedded_hal_mock::eh1::delay::NoopDelay;
use embedded_hal_mock::eh1::digital::{Mock as Pin, State, Transaction as PinTransaction};
use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
use embedded_hal_mock::eh1::spi::{Mock as Spi, Transaction as SpiTransaction};
use gatehouse_core::community::localbus::{BusKind, Gas};
use gatehouse_core::community::quantity::Period;

use super::*;

/// A clock that can be had twice; the mock's cannot.
#[derive(Clone)]
struct NoWait;

impl DelayNs for NoWait {
    fn delay_ns(&mut self, ns: u32) {
        NoopDelay.delay_ns(ns);
    }
}

#[test]
fn a_thermometer_on_i2c_says_what_stands_in_the_table() {
    // Datasheet SHT3x, section 4.12: 0xBEEF has the checksum 0x92.
    let mut i2c = Mock::new(&[
        Transaction::write(0x44, vec![0xFD]),
        Transaction::read(0x44, vec![0xBE, 0xEF, 0x92, 0xBE, 0xEF, 0x92]),
    ]);
    let mut read = on_i2c(&of(Chip::Sht4x), 0x44, &[], i2c.clone(), NoWait).unwrap();

    let said = read().unwrap();

    assert_eq!(names(&said), table(Chip::Sht4x));
    assert!((said[0].1 - 85.523).abs() < 0.001, "{said:?}");
    i2c.done();
}

#[test]
fn a_chip_that_was_silent_is_started_anew() {
    let start = [
        Transaction::write(0x62, vec![0x3F, 0x86]),
        Transaction::write(0x62, vec![0x36, 0x82]),
        Transaction::read(0x62, vec![0xF8, 0x96, 0x31, 0x9F, 0x07, 0xC2, 0x3B, 0xBE, 0x89]),
        Transaction::write(0x62, vec![0x21, 0xB1]),
    ];
    let nothing_new = [
        Transaction::write(0x62, vec![0xE4, 0xB8]),
        Transaction::read(0x62, vec![0x80, 0x00, 0xA2]),
    ];
    let gone = embedded_hal::i2c::ErrorKind::Other;
    let lost = [Transaction::write(0x62, vec![0xE4, 0xB8]).with_error(gone)];
    let ready = [
        Transaction::write(0x62, vec![0xE4, 0xB8]),
        Transaction::read(0x62, vec![0x80, 0x06, 0x04]),
        Transaction::write(0x62, vec![0xEC, 0x05]),
        // Datasheet SCD4x, section 3.6.2: 500 ppm, 25 degC, 37 %.
        Transaction::read(0x62, vec![0x01, 0xF4, 0x33, 0x66, 0x67, 0xA2, 0x5E, 0xB9, 0x3C]),
    ];
    let all = [&start[..], &nothing_new, &lost, &start, &ready].concat();
    let mut i2c = Mock::new(&all);
    let mut read = on_i2c(&of(Chip::Scd4x), 0x62, &[], i2c.clone(), NoWait).unwrap();

    assert_eq!(read(), Err(Trouble::NotYet));
    assert!(matches!(read(), Err(Trouble::Silent(_))));
    let said = read().unwrap();

    assert_eq!(names(&said), table(Chip::Scd4x));
    assert!((said[0].1 - 500.0).abs() < f64::EPSILON, "{said:?}");
    i2c.done();
}

#[test]
fn a_current_that_says_failure_is_no_data_and_the_other_inputs_go_on() {
    // 165 ohm: 12 mA is 1.98 V, 15840 counts; 2 mA, a broken wire, 2640 counts.
    let mut i2c = Mock::new(&[range(), conversion(0xC3, 2_640), conversion(0xE3, 15_840)].concat());
    let wired = Localbus { shunt_ohm: Some(165.0), ..of(Chip::CurrentLoop) };
    let wanted = ["a0".to_owned(), "a2".to_owned()];
    let mut read = on_i2c(&wired, 0x48, &wanted, i2c.clone(), NoWait).unwrap();

    let said = read().unwrap();

    assert_eq!(names(&said), ["a2"]);
    assert!((said[0].1 - 12.0).abs() < 0.001, "{said:?}");
    i2c.done();
}

#[test]
fn a_gas_sensor_says_parts_per_million_by_its_own_calibration() {
    // 20000 counts are 2.5 V, half of the supply. `a0` showed that in 5000 ppm, `a1` shows more than it did then.
    let all = [range(), conversion(0xC3, 20_000), conversion(0xD3, 20_000), conversion(0xE3, 32)];
    let mut i2c = Mock::new(&all.concat());
    let wired = Localbus { gas: Some(methane()), ..of(Chip::Gas) };
    let wanted = ["a0", "a1", "a2"].map(str::to_owned);
    let mut read = on_i2c(&wired, 0x48, &wanted, i2c.clone(), NoWait).unwrap();

    let said = read().unwrap();

    // 0 V: the sensor of `a2` or its heater is off.
    assert_eq!(names(&said), ["a0", "a1"]);
    assert!((said[0].1 - 5_000.0).abs() < 1.0, "{said:?}");
    // Rs is 0.6 of what it was in 3000 ppm, which the maker gives for 9000 ppm.
    assert!((said[1].1 - 9_000.0).abs() < 2.0, "{said:?}");
    i2c.done();
}

#[test]
fn an_adc_on_spi_is_asked_for_the_wanted_inputs_alone() {
    let all = [transfer([0x06, 0x40], 0x0800), transfer([0x07, 0xC0], 0x0FFF)].concat();
    let mut spi = Spi::new(&all);
    let wired = Localbus { reference_volt: Some(3.3), ..of(Chip::Mcp3208) };
    let wanted = ["a7".to_owned(), "a1".to_owned()];
    let mut read = on_spi(&wired, &wanted, spi.clone()).unwrap();

    let said = read().unwrap();

    // `a7` is beyond the reference.
    assert_eq!(names(&said), ["a1"]);
    assert!((said[0].1 - 1.65).abs() < 1e-6, "{said:?}");
    spi.done();
}

#[test]
fn a_wire_of_spi_that_nobody_drives_is_silence() {
    let mut spi = Spi::new(&transfer([0x06, 0x00], 0xFFFF));
    let wired = Localbus { reference_volt: Some(3.3), ..of(Chip::Mcp3208) };
    let mut read = on_spi(&wired, &["a0".to_owned()], spi.clone()).unwrap();

    assert!(matches!(read(), Err(Trouble::Silent(_))));
    spi.done();
}

#[test]
fn a_current_is_measured_on_spi_as_well() {
    // 2048 of 4096 counts at 3.6 V are 1.8 V: 12 mA across 150 ohm; 0 V is a broken wire.
    let all = [transfer([0x06, 0x00], 0x0800), transfer([0x06, 0x40], 0x0000)].concat();
    let mut spi = Spi::new(&all);
    let chip = of(Chip::CurrentLoopMcp3208);
    let wired = Localbus { shunt_ohm: Some(150.0), reference_volt: Some(3.6), ..chip };
    let mut read = on_spi(&wired, &["a0".to_owned(), "a1".to_owned()], spi.clone()).unwrap();

    let said = read().unwrap();

    assert_eq!(names(&said), ["a0"]);
    assert!((said[0].1 - 12.0).abs() < 1e-4, "{said:?}");
    spi.done();
}

#[test]
fn a_magnetometer_is_asked_who_it_is_once() {
    let mut i2c = Mock::new(&[
        Transaction::write_read(0x1C, vec![0x0F], vec![0x3D]),
        Transaction::write(0x1C, vec![0xA0, 0xF0, 0x00, 0x00, 0x0C, 0x40]),
        Transaction::write_read(0x1C, vec![0x27], vec![0x08]),
        Transaction::write_read(0x1C, vec![0xA8], vec![0xBA, 0x1A, 0, 0, 0, 0]),
        Transaction::write_read(0x1C, vec![0xAE], vec![0, 0]),
    ]);
    let mut read = on_i2c(&of(Chip::Lis3mdl), 0x1C, &[], i2c.clone(), NoWait).unwrap();

    let said = read().unwrap();

    assert_eq!(names(&said), table(Chip::Lis3mdl));
    assert!((said[0].1 - 100.0).abs() < 0.001, "{said:?}");
    i2c.done();

    let mut other = Mock::new(&[Transaction::write_read(0x1C, vec![0x0F], vec![0x33])]);
    let mut read = on_i2c(&of(Chip::Lis3mdl), 0x1C, &[], other.clone(), NoWait).unwrap();
    assert!(matches!(read(), Err(Trouble::Silent(why)) if why.contains("0x0033")));
    other.done();
}

#[test]
fn sensors_on_a_uart_say_what_stands_in_the_table() {
    let sum = |frame: &[u8]| frame.iter().fold(0_u16, |sum, byte| sum + u16::from(*byte));
    let mut luna = vec![0x59, 0x59, 250, 0, 0x20, 0x03, 0xC8, 0x08];
    luna.push(sum(&luna).to_le_bytes()[0]);
    let mut pms = vec![0x42, 0x4D, 0, 28];
    for word in [0_u16, 0, 0, 18, 27, 30, 9, 8, 7, 6, 5, 4, 0] {
        pms.extend(word.to_be_bytes());
    }
    pms.extend(sum(&pms).to_be_bytes());
    let cases = [
        (Chip::A02yyuw, vec![0xFF, 0x07, 0xA1, 0xA7], vec![1_953.0]),
        (Chip::TfLuna, luna, vec![2_500.0, 800.0, 25.0]),
        (Chip::Pms5003, pms, vec![18.0, 27.0, 30.0]),
    ];
    for (chip, wire, expected) in cases {
        let mut read = on_uart(chip, Uart(wire.into()), NoWait).unwrap();

        let said = read().unwrap();

        assert_eq!(names(&said), table(chip));
        assert_eq!(said.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), expected);
        assert!(matches!(read(), Err(Trouble::Silent(_))), "nobody talks any more");
    }
}

#[test]
fn a_pin_tells_both_of_its_sides() {
    let mut pin = Pin::new(&[PinTransaction::get(State::High), PinTransaction::get(State::Low)]);
    let mut read = on_pin(pin.clone());

    let sides = |said: Said| said.into_iter().map(|(_, value)| value).collect::<Vec<_>>();
    assert_eq!(read().map(sides), Ok(vec![1.0, 0.0]));
    assert_eq!(read().map(sides), Ok(vec![0.0, 1.0]));
    pin.done();
}

#[test]
fn every_chip_of_the_table_is_read_on_its_own_bus_alone() {
    for chip in Chip::ALL {
        let (mut i2c, mut spi) = (Mock::new(&[]), Spi::new(&[]));
        let address = chip.addresses().first().copied().unwrap_or(0x44);
        let (shunt_ohm, reference_volt, gas) = (Some(150.0), Some(3.3), Some(methane()));
        let wired = Localbus { shunt_ohm, reference_volt, gas, ..of(chip) };
        let on_spi = on_spi(&wired, &[], spi.clone());
        let on_i2c = on_i2c(&wired, address, &[], i2c.clone(), NoWait);
        let on_uart = on_uart(chip, Uart(VecDeque::new()), NoWait);

        assert_eq!(on_i2c.is_some(), chip.bus() == BusKind::I2c, "{chip:?}");
        assert_eq!(on_uart.is_some(), chip.bus() == BusKind::Uart, "{chip:?}");
        assert_eq!(on_spi.is_some(), chip.bus() == BusKind::Spi, "{chip:?}");
        i2c.done();
        spi.done();
    }
}

fn of(chip: Chip) -> Localbus {
    Localbus::new(chip, Period(Duration::from_secs(5)))
}

/// Figaro's figures for the TGS2611, and two sensors that were calibrated.
fn methane() -> Gas {
    // 0.6 of the resistance that `a1` had in 3000 ppm is as much as the load.
    let ratio: f64 = 0.60;
    let in_5000 = (5.0_f64 / 3.0).powf(ratio.ln() / 3.0_f64.ln());
    let a1 = 5.0 / (1.0 + in_5000 / ratio);
    Gas {
        supply_volt: 5.0,
        from_ppm: 3_000.0,
        to_ppm: 9_000.0,
        ratio,
        least_ppm: 500.0,
        most_ppm: 10_000.0,
        calibration_ppm: 5_000.0,
        calibration_volt: [("a0".to_owned(), 2.5), ("a1".to_owned(), a1), ("a2".to_owned(), 2.5)]
            .into(),
    }
}

/// An ADS1115 at 0x48 is set to 4.096 V ...
fn range() -> Vec<Transaction> {
    vec![Transaction::write(0x48, vec![0x01, 0x83, 0x83])]
}

/// ... and converts one input.
fn conversion(high: u8, counts: u16) -> Vec<Transaction> {
    vec![
        Transaction::write_read(0x48, vec![0x01], vec![0x83, 0x83]),
        Transaction::write(0x48, vec![0x01, high, 0x83]),
        Transaction::write_read(0x48, vec![0x01], vec![0x83, 0x83]),
        Transaction::write_read(0x48, vec![0x00], counts.to_be_bytes().to_vec()),
    ]
}

/// An MCP3208 is asked for one input, and answers with these two bytes.
fn transfer(asked: [u8; 2], answer: u16) -> Vec<SpiTransaction<u8>> {
    let [high, low] = answer.to_be_bytes();
    vec![
        SpiTransaction::transaction_start(),
        SpiTransaction::transfer_in_place(vec![asked[0], asked[1], 0], vec![0xFF, high, low]),
        SpiTransaction::transaction_end(),
    ]
}

fn names(said: &Said) -> Vec<&str> {
    said.iter().map(|(name, _)| name.as_str()).collect()
}

fn table(chip: Chip) -> Vec<&'static str> {
    chip.channels().iter().map(|(name, _)| *name).collect()
}

/// A wire on which everything has been said already.
struct Uart(VecDeque<u8>);

impl embedded_io::ErrorType for Uart {
    type Error = Infallible;
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.is_empty())
    }
}

impl embedded_io::Read for Uart {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        let mut read = 0;
        for (place, byte) in into.iter_mut().zip(self.0.pop_front()) {
            *place = byte;
            read += 1;
        }
        Ok(read)
    }
}
