//! The shell around [`gatehouse_core`]: wires, disk, clock, models, pages.
//!
//! In the order the data takes:
//!
//! 1. [`config`], [`clock`]: what this box is told, and what time it is,
//! 2. [`source`]: frames from brokers and Modbus lines,
//! 3. [`engine`]: owns the pipeline and carries out its outputs,
//! 4. [`infer`]: asks models,
//! 5. [`store`]: journal and outbox on disk,
//! 6. [`uplink`]: records to the township, [`downlink`]: its commands,
//! 7. [`desk`]: what people say of events, [`writes`]: values for devices, on their way to the engine,
//! 8. [`journal`]: the records, for those who ask on this box,
//! 9. [`console`]: pages, stream and metrics for people, with [`accounts`] (who may do what) and
//!    [`audit`] (who did what),
//! 10. [`bundle`]: signed models and configuration; [`overlay`]: settings made on the console; [`origins`]:
//!     who says what,
//! 11. [`shadow`]: a candidate bundle beside the live one,
//! 12. [`backtest`], [`heat`]: what is kept of the past,
//! 13. [`service`]: the world built from all of these, and its end; [`supervisor`]: systemd, which hears of both,
//! 14. [`simulate`]: a community that does not exist, for `demo` and `simulate`,
//! 15. [`cli`]: one file per command,
//! 16. [`workshop`]: device types and devices that integrators make on the console,
//! 17. [`alert`]: records to people, by their channels,
//! 18. [`evidence`]: masked stills of events, [`stills`]: masked stills now,
//! 19. [`backup`]: all of it in one file, for another box.
//!
//! Made on demand from the journal, for pages and commands: [`report`].
//!
//! Shared by those that hold a connection: [`tls`] (whom to believe), [`retry`] (when to try again),
//! `web` (how HTTP is asked), [`wear`] (what the flash takes) and [`pace`] (how often to look); by those that show counts, `resident` (what the process holds of
//! the memory).

pub mod accounts;
pub mod alert;
pub mod audit;
pub mod backtest;
pub mod backup;
mod bays;
pub mod bundle;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod desk;
pub mod downlink;
pub mod engine;
pub mod evidence;
pub mod heat;
pub mod infer;
pub mod journal;
pub mod lookout;
pub mod origins;
pub mod overlay;
pub mod pace;
mod replace;
pub mod report;
mod resident;
pub mod retry;
#[cfg(test)]
mod sample;
pub mod service;
pub mod shadow;
pub mod sight;
pub mod simulate;
pub mod source;
mod stage;
pub mod stills;
pub mod store;
pub mod supervisor;
pub mod tls;
pub mod uplink;
pub mod wear;
mod web;
pub mod workshop;
pub mod writes;
