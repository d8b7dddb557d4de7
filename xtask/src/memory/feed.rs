//! Devices that send what ordinary devices send, over an MQTT connection that can do nothing else.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

use crate::crowd::{self, POINTS};

/// Between two frames of a device, by its own clock, in ms.
const STEP: u64 = 600_000;
const DAY: f64 = 86_400_000.0;

/// A connection to the broker, and what the devices send next.
pub(super) struct Feed {
    stream: TcpStream,
    devices: usize,
    /// The devices' clock, in ms since 1970.
    at: u64,
    noise: u32,
}

impl Feed {
    /// `rounds` of frames will end about now.
    pub(super) fn connect(port: u16, devices: usize, rounds: usize) -> Result<Self> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        // MQTT 3.1.1: CONNECT with a clean session, no keep-alive, client id `feed`.
        stream.write_all(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04feed")?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        if answer != [0x20, 2, 0, 0] {
            bail!("the broker answered {answer:?} to CONNECT");
        }
        // What it acknowledges is counted at the other end.
        let mut acknowledged = stream.try_clone()?;
        thread::spawn(move || std::io::copy(&mut acknowledged, &mut std::io::sink()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let at = u64::try_from(now)?.saturating_sub((rounds as u64 + 2) * STEP);
        Ok(Self { stream, devices, at, noise: 1 })
    }

    /// One frame of every device; how many there were.
    pub(super) fn round(&mut self) -> Result<usize> {
        self.at += STEP;
        let mut bytes = Vec::with_capacity(self.devices * 96);
        for number in 0..self.devices {
            let payload = self.payload(number);
            let topic = format!("sense/crowd/{}", crowd::name(number));
            // PUBLISH, QoS 1; packet ids begin anew with each round.
            bytes.push(0x32);
            let mut left = 2 + topic.len() + 2 + payload.len();
            while left > 127 {
                bytes.push(u8::try_from(left % 128)? | 0x80);
                left /= 128;
            }
            bytes.push(u8::try_from(left)?);
            bytes.extend(u16::try_from(topic.len())?.to_be_bytes());
            bytes.extend(topic.as_bytes());
            bytes.extend(u16::try_from(number % 65_535 + 1)?.to_be_bytes());
            bytes.extend(payload.as_bytes());
        }
        self.stream.write_all(&bytes)?;
        Ok(self.devices)
    }

    /// A day's rhythm and noise, to a tenth.
    fn payload(&mut self, number: usize) -> String {
        let turn = (self.at as f64 / DAY + number as f64 / 7.0) * std::f64::consts::TAU;
        let mut payload = format!("{{\"ts\":{}", self.at);
        for (i, (point, [low, high])) in POINTS.into_iter().enumerate() {
            let (low, span) = (f64::from(low), f64::from(high - low));
            self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(self.noise >> 8) / f64::from(1 << 24) - 0.5;
            let share = 0.4 + 0.1 * (turn + i as f64).sin() + 0.04 * noise;
            let _ = write!(payload, ",\"{point}\":{:.1}", low + span * share);
        }
        payload + "}"
    }
}
