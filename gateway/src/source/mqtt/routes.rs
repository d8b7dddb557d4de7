//! Which devices a topic belongs to.

use std::collections::HashMap;

use gatehouse_core::reading::DeviceIndex;

/// Topics found through wildcards that are remembered; more are matched each time.
const REMEMBERED: usize = 10_000;

/// Exact topics in a map, wildcard filters in a list whose finds are remembered.
#[derive(Debug, Default)]
pub(super) struct Routes {
    exact: HashMap<String, Box<[DeviceIndex]>>,
    wild: Vec<(String, DeviceIndex)>,
    remembered: HashMap<String, Box<[DeviceIndex]>>,
    filters: Vec<String>,
}

impl Routes {
    pub(super) fn new(routes: Vec<(DeviceIndex, String)>) -> Self {
        let mut filters: Vec<String> = routes.iter().map(|(_, filter)| filter.clone()).collect();
        filters.sort();
        filters.dedup();
        let is_wild = |filter: &str| filter.contains(['+', '#']);
        let (wild, exact): (Vec<_>, Vec<_>) =
            routes.into_iter().map(|(d, f)| (f, d)).partition(|(f, _)| is_wild(f));
        let mut found: HashMap<String, Vec<DeviceIndex>> = HashMap::new();
        for (topic, device) in exact {
            found.entry(topic).or_default().push(device);
        }
        let mut routes = Self { wild, filters, ..Self::default() };
        for (topic, mut devices) in found {
            devices.extend(routes.by_wildcard(&topic));
            routes.exact.insert(topic, devices.into());
        }
        routes
    }

    /// What to subscribe to.
    pub(super) fn filters(&self) -> &[String] {
        &self.filters
    }

    /// The devices whose filter matches; none when the topic is nobody's.
    pub(super) fn find(&mut self, topic: &str) -> &[DeviceIndex] {
        if let Some(devices) = self.exact.get(topic) {
            return devices;
        }
        if !self.remembered.contains_key(topic) {
            let devices: Box<[DeviceIndex]> = self.by_wildcard(topic).collect();
            if devices.is_empty() {
                return &[];
            }
            if self.remembered.len() >= REMEMBERED {
                self.remembered.clear();
            }
            self.remembered.insert(topic.to_owned(), devices);
        }
        self.remembered.get(topic).map_or(&[], |devices| devices)
    }

    fn by_wildcard(&self, topic: &str) -> impl Iterator<Item = DeviceIndex> {
        let wild = self.wild.iter();
        wild.filter(move |(filter, _)| matches(topic, filter)).map(|(_, device)| *device)
    }
}

/// MQTT 3.1.1, section 4.7. (rumqttc's own panics on topics that begin with a Chinese character.)
pub(super) fn matches(topic: &str, filter: &str) -> bool {
    if topic.starts_with('$') != filter.starts_with('$') {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_finds_every_device_that_listens_to_it() {
        let routes = [
            (5, "#"),
            (0, "sense/a/1"),
            (1, "sense/a/2"),
            (2, "sense/a/2"),
            (3, "sense/+/2"),
            (4, "zigbee/#"),
        ];
        let mut routes = Routes::new(routes.map(|(d, f)| (DeviceIndex(d), f.to_owned())).to_vec());

        let cases: [(&str, &[usize]); 8] = [
            ("sense/a/1", &[0, 5]),
            ("sense/a/2", &[1, 2, 5, 3]),
            ("sense/b/2", &[5, 3]),
            ("sense/b/2", &[5, 3]),
            ("zigbee/x/y", &[5, 4]),
            ("zigbee", &[5, 4]),
            ("\u{6e29}\u{5ea6}/2", &[5]),
            ("$SYS/broker", &[]),
        ];
        for (topic, expected) in cases {
            let expected: Vec<DeviceIndex> = expected.iter().copied().map(DeviceIndex).collect();
            assert_eq!(routes.find(topic), expected, "{topic}");
        }
        assert_eq!(routes.filters(), ["#", "sense/+/2", "sense/a/1", "sense/a/2", "zigbee/#"]);
    }

    #[test]
    fn topics_that_a_stranger_makes_up_do_not_pile_up() {
        let mut routes = Routes::new(vec![(DeviceIndex(0), "zigbee/#".into())]);

        for n in 0..3 * REMEMBERED {
            assert_eq!(routes.find(&format!("zigbee/{n}")), [DeviceIndex(0)]);
        }

        assert!(routes.remembered.len() <= REMEMBERED);
    }
}
