//! Thirty days of a node at simulated time: nothing drifts, nothing is missed, nothing is made up.

use gatehouse_contract::common::{SENSOR_ERRORS, SUPPLY_LOWEST, UPTIME};
use gatehouse_contract::{NoData, bin, parking};
use gatehouse_node::bin::Bin;
use gatehouse_node::node::Job;
use gatehouse_node::parking::Parking;
use gatehouse_node::sense::{Measured, one};
use gatehouse_node::slave::crc16;
use gatehouse_node::{Errand, Made, Node, Quantity, SECOND, Sense};

const MADE: Made = Made {
    serial: 7,
    firmware: 1,
    cause: gatehouse_contract::common::ResetCause::PowerOn,
    switches: 0,
};
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
const ERASED: [u8; 64] = [0xFF; 64];

/// Chance, the same every time.
struct Chance(u32);

impl Chance {
    /// -1..1, by the generator of Numerical Recipes, 2nd edition, chapter 7.1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(self.0 >> 16).expect("16 bits are left")) / 32_768.0 - 1.0
    }
}

/// A bay on a street: sun, ageing, passing lorries, a neighbour, and cars.
struct Bay {
    now: u64,
    chance: Chance,
    measured: u64,
    has_distance: bool,
}

impl Bay {
    /// Two cars a day, one over lunch and one over night; none on Sundays.
    fn is_taken(now: u64) -> bool {
        let (day, hour) = (now / DAY, now % DAY / HOUR);
        day % 7 != 6 && ((11..14).contains(&hour) || hour >= 19 || day % 7 != 0 && hour < 7)
    }

    fn field(&mut self) -> [f32; 3] {
        let days = self.now as f32 / DAY as f32;
        // 3 uT of the sun, and half a uT of ageing a day: more than a threshold in a month.
        let sun = 3.0 * (days.fract() * core::f32::consts::TAU).sin();
        let age = 0.5 * days;
        let noise = 0.3;
        let mut field = [18.0 + sun + age, -3.5 + 0.5 * sun, 42.0 - 0.6 * age];
        if Self::is_taken(self.now) {
            field[0] += 9.0;
            field[2] -= 25.0;
        }
        let second = self.now % DAY / SECOND;
        // A lorry goes by once an hour, for a second and a half.
        if second % 3_600 == 1_800 || second % 3_600 == 1_801 && self.now.is_multiple_of(SECOND) {
            field[1] += 30.0;
        }
        // The next bay is taken in the afternoon.
        if (15 * 3_600..18 * 3_600).contains(&second) {
            field[1] += 6.0;
        }
        field.map(|axis| axis + noise * self.chance.next())
    }
}

impl Sense for Bay {
    fn measure(&mut self, what: Quantity) -> Measured {
        self.measured += 1;
        match what {
            Quantity::Field if self.measured.is_multiple_of(997) => Err(NoData::Timeout),
            Quantity::Field => Ok(self.field()),
            Quantity::Supply => Ok(one(12_000.0 + 20.0 * self.chance.next())),
            Quantity::Temperature => Ok(one(20.0)),
            Quantity::Distance if self.has_distance => {
                Ok(one(if Self::is_taken(self.now) { 280.0 } else { 2_600.0 }))
            }
            _ => Err(NoData::Absent),
        }
    }
}

/// A main loop without the waiting.
fn turn<J: Job>(node: &mut Node<J>, sense: &mut impl Sense, now: u64) {
    while let Some(what) = node.due(now) {
        let measured = sense.measure(what);
        node.take(what, measured, now);
    }
    while let Some(errand) = node.errand(now) {
        if matches!(errand, Errand::Save { .. }) {
            node.saved(true);
        }
    }
}

fn month(has_distance: bool) -> (Node<Parking>, Bay, u64, i32) {
    // It is switched on while the bay is empty.
    let start = 8 * HOUR;
    let mut node = Node::<Parking>::new([&ERASED, &ERASED], &MADE, start);
    let mut bay = Bay { now: start, chance: Chance(1), measured: 0, has_distance };
    if has_distance {
        write(&mut node, 17, 1_500, start);
    }
    let (mut wrong, mut arrivals, mut was_taken) = (0, 0, false);
    let mut changed_at = 0;
    while bay.now < start + 30 * DAY {
        let now = bay.now;
        turn(&mut node, &mut bay, now);
        let is_taken = Bay::is_taken(now);
        if is_taken != was_taken {
            (was_taken, changed_at) = (is_taken, now);
            arrivals += i32::from(is_taken);
        }
        let told = node.bank().counts(&parking::OCCUPIED);
        let is_settled = now >= changed_at + 10 * SECOND && now > start + 60 * SECOND;
        wrong += u64::from(is_settled && told != Ok(i32::from(is_taken)));
        bay.now += SECOND / 2;
    }
    (node, bay, wrong, arrivals)
}

#[test]
fn a_bay_is_told_right_for_thirty_days_of_sun_ageing_lorries_and_neighbours() {
    let (mut node, bay, wrong, arrivals) = month(false);

    assert_eq!(wrong, 0, "half seconds with a wrong state");
    assert_eq!(node.bank().counts(&parking::ARRIVALS), Ok(arrivals));
    // 30 days of half a second, a second, 10 s and a minute, to the very measurement.
    assert_eq!(bay.measured, 30 * (172_800 + 86_400 + 8_640 + 1_440));
    let drift = node.bank().value(&parking::DRIFT).expect("it is known");
    assert!(drift > 12.0, "the empty bay has wandered by {drift} uT, further than a car is");
    let errors = node.bank().counts(&SENSOR_ERRORS).expect("it is counted");
    assert!(errors > 5_000, "{errors} failed measurements on the way");
    assert!(node.bank().value(&SUPPLY_LOWEST).is_ok_and(|lowest| lowest < 11_990.0));
    ask(&mut node, &[1, 4, 0, 6, 0, 2], bay.now);
    assert_eq!(node.bank().counts(&UPTIME), Ok(30 * 86_400));
}

#[test]
fn a_distance_sensor_changes_nothing_on_a_good_day() {
    let (_, _, wrong, _) = month(true);

    assert_eq!(wrong, 0);
}

#[test]
fn a_node_switched_on_under_a_car_finds_out_by_its_distance_sensor() {
    // The car leaves at seven.
    let start = DAY + 5 * HOUR;
    let mut node = Node::<Parking>::new([&ERASED, &ERASED], &MADE, start);
    write(&mut node, 17, 1_500, start);
    let mut bay = Bay { now: start, chance: Chance(2), measured: 0, has_distance: true };
    while bay.now < DAY + 8 * HOUR {
        let now = bay.now;
        turn(&mut node, &mut bay, now);
        bay.now += SECOND / 2;
    }

    assert_eq!(node.bank().counts(&parking::OCCUPIED), Ok(0));
    assert!(node.bank().value(&parking::FIELD).is_ok_and(|field| field < 4.0), "learnt anew");
}

/// A bin that fills over the day and is emptied in the morning.
struct Street {
    now: u64,
    chance: Chance,
    is_lid_open: bool,
}

impl Street {
    fn share(&self) -> f32 {
        (self.now % DAY) as f32 / DAY as f32
    }
}

impl Sense for Street {
    fn measure(&mut self, what: Quantity) -> Measured {
        match what {
            // An echo in five comes from the bin's wall.
            Quantity::Distance if self.chance.next() > 0.6 => Ok(one(90.0)),
            Quantity::Distance if self.is_lid_open => Ok(one(4_000.0)),
            Quantity::Distance => Ok(one(1_000.0 - 850.0 * self.share())),
            Quantity::Load => Ok(one(84_000.0 + 1_200.0 * 60.0 * self.share())),
            Quantity::Temperature => Ok(one(24.0)),
            Quantity::Gravity if self.is_lid_open => Ok([9.8, 0.0, 0.5]),
            Quantity::Gravity => Ok([0.0, 0.3, 9.8]),
            Quantity::Supply => Ok(one(3_600.0)),
            _ => Err(NoData::Absent),
        }
    }
}

#[test]
fn a_bin_is_as_full_and_as_heavy_as_it_is_for_thirty_days() {
    let mut node = Node::<Bin>::new([&ERASED, &ERASED], &MADE, 0);
    let mut street = Street { now: 0, chance: Chance(3), is_lid_open: false };
    // Commissioning: empty it, then put a load of 60 kg on it.
    for (at, time_of_day, command) in [(1, 0, bin::TARE), (2, DAY - 1, bin::SPAN)] {
        for step in 0..20 {
            street.now = time_of_day;
            let now = at * 600 * SECOND + step * 10 * SECOND;
            turn(&mut node, &mut street, now);
        }
        let now = at * 600 * SECOND + 200 * SECOND;
        if command == bin::SPAN {
            write(&mut node, 18, 1_200, now);
        }
        write(&mut node, 4, command, now);
        turn(&mut node, &mut street, now);
    }
    let (mut worst_fill, mut worst_weight, mut lost) = (0.0_f32, 0.0_f32, 0);
    for minute in 60..30 * 1_440_u64 {
        for step in 0..6 {
            street.now = minute * 60 * SECOND + step * 10 * SECOND;
            let now = street.now;
            turn(&mut node, &mut street, now);
        }
        // After it was emptied the median is of both days.
        if minute % 1_440 < 2 {
            continue;
        }
        let weight = node.bank().value(&bin::WEIGHT).expect("it is calibrated");
        worst_weight = worst_weight.max((weight - 60.0 * street.share()).abs());
        match node.bank().value(&bin::FILL) {
            Ok(fill) if fill < 100.0 || street.share() > 0.95 => {
                worst_fill = worst_fill.max((fill - 100.0 * street.share()).abs());
            }
            // Three echoes in five from the wall.
            Ok(_) => lost += 1,
            Err(why) => panic!("no fill: {why:?}"),
        }
    }
    assert!(worst_fill < 5.0 && worst_weight < 0.2, "{worst_fill} %, {worst_weight} kg");
    assert!(lost < 30 * 1_440 / 10, "{lost} minutes");

    street.is_lid_open = true;
    for _ in 0..6 {
        street.now += 10 * SECOND;
        let now = street.now;
        turn(&mut node, &mut street, now);
    }
    assert_eq!(node.bank().value(&bin::FILL), Err(NoData::Absent), "the lid is open");
    assert!(node.bank().value(&bin::TILT).is_ok_and(|tilt| tilt > 80.0));
}

/// Puts a question and gives the answer, without its CRC.
fn ask<J: Job>(node: &mut Node<J>, content: &[u8], now: u64) -> Vec<u8> {
    for byte in content.iter().copied().chain(crc16(content).to_le_bytes()) {
        node.byte(byte, now);
    }
    let answer = node.answer(now + 5_000).expect("it answers");
    answer[..answer.len() - 2].to_vec()
}

fn write<J: Job>(node: &mut Node<J>, address: u16, word: u16, now: u64) {
    let ([a, b], [c, d]) = (address.to_be_bytes(), word.to_be_bytes());
    let question = [1, 6, a, b, c, d];
    assert_eq!(ask(node, &question, now), question);
}
