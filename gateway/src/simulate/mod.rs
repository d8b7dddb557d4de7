//! A community that does not exist: what `demo` and `simulate` put in front of the gateway.
//!
//! The first three rooms are pure: seed and time in, values and truth out. The others speak on real
//! wires, as the devices and the platform of a real community would; the gateway cannot tell.
//!
//! 1. [`behaviour`]: what one point shows on an ordinary day, from a seed and the time alone,
//! 2. [`world`]: every device of a `community.toml`, ordinary or in the middle of an anomaly,
//! 3. [`plan`]: the anomalies unrolled over time, and what the platform saw judged against them,
//! 4. [`play`]: what everything below is given, and what it counts,
//! 5. [`broker`]: an MQTT broker within the process,
//! 6. [`connect`]: how the two ends below reach a broker,
//! 7. [`devices`]: the MQTT devices,
//!    (and [`sights`]: what is seen through cameras; [`feed`]: one of them, in pictures),
//! 8. [`publish`]: their messages on the wire; what was not confirmed is sent again,
//! 9. [`modbus`]: the Modbus devices, behind a server per line,
//! 10. [`platform`]: a township that reads events,
//! 11. [`telling`]: what it reads as lines for a person,
//! 12. [`shipped`], [`scratch`], [`summary`]: what `demo` begins with, works in and ends with.

pub mod behaviour;
pub mod broker;
pub mod connect;
pub mod devices;
pub mod feed;
pub mod modbus;
pub mod plan;
pub mod platform;
pub mod play;
pub mod publish;
#[cfg(test)]
mod sample;
pub mod scratch;
pub mod shipped;
pub mod sights;
pub mod summary;
pub mod telling;
pub mod world;

/// People in China read local time, which is eight hours ahead of UTC all year round.
const LOCAL_AHEAD_MS: i64 = 8 * 60 * 60 * 1_000;
