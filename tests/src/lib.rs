//! Gatehouse against parts that nobody here wrote, on loopback. `cargo xtask test` installs them.

#[cfg(test)]
mod access;
#[cfg(test)]
mod aids;
#[cfg(test)]
mod alert;
#[cfg(test)]
mod api;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod aside;
#[cfg(test)]
mod backtest;
#[cfg(test)]
mod bays;
#[cfg(test)]
mod brownout;
#[cfg(test)]
mod cameras;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod console;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod drawing;
#[cfg(test)]
mod integrate;
#[cfg(test)]
mod mains;
#[cfg(test)]
mod masked;
#[cfg(test)]
mod modbus;
#[cfg(test)]
mod models;
#[cfg(test)]
mod mqtt;
#[cfg(test)]
mod node;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod phone;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod power;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod report;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod shadow;
#[cfg(test)]
mod siege;
#[cfg(test)]
mod sight;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod swap;
#[cfg(test)]
mod tiled;
#[cfg(test)]
mod timeless;
#[cfg(test)]
mod visit;
#[cfg(test)]
mod watched;
#[cfg(test)]
mod whole;
