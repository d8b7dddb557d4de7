//! What field names usually mean, in Chinese and English, and which texts stand for numbers. Suggestions:
//! the integrator sees and corrects them.

/// What a field of that name usually is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// The point's name, as the shipped scenes ask for it.
    pub name: &'static str,
    pub zh: &'static str,
    pub en: &'static str,
    /// As in [`crate::community::quantity`].
    pub unit: &'static str,
    /// What sensors of that kind can mean.
    pub range: Option<(f64, f64)>,
    /// Names of fields, in small letters without blanks, dashes and points.
    fields: &'static str,
}

/// What a text that a device sends stands for.
const MEANINGS: [(&str, &str); 8] = [
    ("off", "on"),
    ("closed", "open"),
    ("close", "open"),
    ("false", "true"),
    ("no", "yes"),
    ("free", "occupied"),
    ("normal", "alarm"),
    ("ok", "fault"),
];

/// What is known of a field of that name.
pub fn of_field(field: &str) -> Option<&'static Known> {
    let plain: String = field.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let has = |known: &&Known, wanted: &str| known.fields.split(' ').any(|name| name == wanted);
    let bare = plain.trim_end_matches(|c: char| c.is_ascii_digit());
    // Letters make short names by chance, characters do not.
    let is_long = |name: &str| name.chars().count() >= if name.is_ascii() { 4 } else { 2 };
    let within =
        |known: &&Known| known.fields.split(' ').any(|name| is_long(name) && plain.contains(name));
    KNOWN
        .iter()
        .find(|known| has(known, &plain))
        .or_else(|| KNOWN.iter().find(|known| !bare.is_empty() && has(known, bare)))
        .or_else(|| KNOWN.iter().find(within))
}

/// The two texts that such a field sends, as 0 and 1, spelt as this one is; none when it is not known.
pub fn meaning(text: &str) -> Vec<(String, f64)> {
    let small = text.to_lowercase();
    let spelt = |word: &str| {
        if text.chars().all(char::is_uppercase) {
            return word.to_uppercase();
        }
        let mut letters = word.chars();
        match letters.next().filter(|_| text.starts_with(char::is_uppercase)) {
            Some(first) => first.to_uppercase().chain(letters).collect(),
            None => word.to_owned(),
        }
    };
    let found = MEANINGS.iter().find(|(zero, one)| small == *zero || small == *one);
    found.map_or_else(Vec::new, |(zero, one)| vec![(spelt(zero), 0.0), (spelt(one), 1.0)])
}

const fn known(
    name: &'static str,
    (zh, en): (&'static str, &'static str),
    unit: &'static str,
    range: Option<(f64, f64)>,
    fields: &'static str,
) -> Known {
    Known { name, zh, en, unit, range, fields }
}

const PERCENT: Option<(f64, f64)> = Some((0.0, 100.0));
const SWITCH: Option<(f64, f64)> = Some((0.0, 1.0));

#[rustfmt::skip]
static KNOWN: [Known; 36] = [
    known("temperature", ("温度", "temperature"), "degC", Some((-40.0, 85.0)), "temperature temp t tmp tc 温度 气温 温度值 wendu"),
    known("humidity", ("湿度", "humidity"), "%", PERCENT, "humidity hum rh h 湿度 相对湿度 湿度值 shidu"),
    known("co2", ("二氧化碳", "CO2"), "ppm", Some((0.0, 10_000.0)), "co2 eco2 carbondioxide 二氧化碳"),
    known("co", ("一氧化碳", "carbon monoxide"), "ppm", Some((0.0, 1_000.0)), "co carbonmonoxide 一氧化碳"),
    known("pm2_5", ("PM2.5", "PM2.5"), "ug/m3", Some((0.0, 1_000.0)), "pm25 pm2p5 细颗粒物"),
    known("pm10", ("PM10", "PM10"), "ug/m3", Some((0.0, 2_000.0)), "pm10 可吸入颗粒物"),
    known("pm1", ("PM1", "PM1"), "ug/m3", Some((0.0, 1_000.0)), "pm1 pm1p0"),
    known("tvoc", ("总挥发性有机物", "volatile organic compounds"), "ppb", Some((0.0, 60_000.0)), "tvoc voc 挥发性有机物"),
    known("ch4", ("甲烷", "methane"), "%LEL", PERCENT, "ch4 methane gas lel 甲烷 燃气 可燃气体"),
    known("battery", ("电量", "battery"), "%", PERCENT, "battery batterylevel bat soc 电量 电池 电池电量"),
    known("voltage", ("电压", "voltage"), "V", Some((0.0, 500.0)), "voltage volt volts u v ua ub uc 电压"),
    known("current", ("电流", "current"), "A", Some((0.0, 1_000.0)), "current amps ampere ia ib ic 电流"),
    known("power_factor", ("功率因数", "power factor"), "1", Some((-1.0, 1.0)), "powerfactor pf cosphi 功率因数"),
    known("power", ("功率", "power"), "W", None, "power activepower p apower watt watts 功率 有功功率"),
    known("energy", ("电能", "energy"), "kW.h", None, "energy kwh totalenergy total 电能 电度 用电量"),
    known("frequency", ("频率", "frequency"), "Hz", Some((0.0, 100.0)), "frequency freq hz 频率"),
    known("noise", ("噪声", "noise"), "dB", Some((20.0, 140.0)), "noise sound db laeq leq spl 噪声 噪音 分贝"),
    known("illuminance", ("照度", "illuminance"), "lx", Some((0.0, 200_000.0)), "illuminance lux light lx 照度 光照"),
    known("pressure", ("压力", "pressure"), "kPa", None, "pressure press 压力 水压 气压"),
    known("level", ("液位", "level"), "m", Some((0.0, 20.0)), "level waterlevel depth 液位 水位 水深"),
    known("distance", ("距离", "distance"), "cm", None, "distance dist range 距离"),
    known("fill", ("满溢度", "fill"), "%", PERCENT, "fill filllevel fullness 满溢 满溢度 垃圾量"),
    known("weight", ("重量", "weight"), "kg", None, "weight mass 重量"),
    known("flow", ("流量", "flow"), "m3/h", None, "flow flowrate 流量 瞬时流量"),
    known("volume", ("累计水量", "volume"), "m3", None, "volume consumption totalflow 累计流量 用水量 用气量"),
    known("wind_speed", ("风速", "wind speed"), "m/s", Some((0.0, 60.0)), "windspeed wind 风速"),
    known("wind_direction", ("风向", "wind direction"), "deg", Some((0.0, 360.0)), "winddirection winddir 风向"),
    known("rain", ("雨量", "rain"), "mm", None, "rain rainfall precipitation 雨量 降雨量"),
    known("smoke", ("烟雾", "smoke"), "1", SWITCH, "smoke smokealarm 烟雾 烟感 烟雾报警"),
    known("leak", ("漏水", "leak"), "1", SWITCH, "leak waterleak flood 漏水 水浸"),
    known("occupied", ("占用", "occupied"), "1", SWITCH, "occupied occupancy parked presence 占用 车位状态"),
    known("open", ("打开", "open"), "1", SWITCH, "open contact door lid 门磁 门状态"),
    known("motion", ("有人移动", "motion"), "1", SWITCH, "motion pir 人体感应"),
    known("tilt", ("倾斜", "tilt"), "deg", Some((-180.0, 180.0)), "tilt angle inclination 倾角 倾斜"),
    known("tamper", ("防拆", "tamper"), "1", SWITCH, "tamper 防拆"),
    known("rssi", ("信号强度", "signal strength"), "dBm", Some((-150.0, 0.0)), "rssi 信号强度"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::community::quantity::is_unit;

    #[test]
    fn a_field_is_known_by_its_usual_names_in_both_languages() {
        for (field, name) in [
            ("Temperature", "temperature"),
            ("temp_1", "temperature"),
            ("环境温度", "temperature"),
            ("PM2.5", "pm2_5"),
            ("pm25", "pm2_5"),
            ("pm10", "pm10"),
            ("batteryLevel", "battery"),
            ("电压", "voltage"),
            ("room_humidity", "humidity"),
        ] {
            assert_eq!(of_field(field).map(|known| known.name), Some(name), "{field}");
        }
        for field in ["", "7", "seq", "foo"] {
            assert_eq!(of_field(field), None, "{field}");
        }
        assert!(KNOWN.iter().all(|known| is_unit(known.unit)));
    }

    #[test]
    fn a_text_of_a_pair_stands_for_nothing_or_one_as_it_is_spelt() {
        assert_eq!(meaning("OPEN"), [("CLOSED".to_owned(), 0.0), ("OPEN".to_owned(), 1.0)]);
        assert_eq!(meaning("Off"), [("Off".to_owned(), 0.0), ("On".to_owned(), 1.0)]);
        assert_eq!(meaning("warm"), []);
    }
}
