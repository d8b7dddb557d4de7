//! Turns frames from devices into events people can act on.
//!
//! Nothing here opens a socket, reads a clock or touches a disk. A caller hands in inputs together
//! with the time and carries out the outputs it is asked for, so a whole night in a community
//! replays in a millisecond, the same way every time.
//!
//! The modules, in the order the data takes:
//!
//! 1. [`reading`]: the nouns that travel: frames, readings, qualities, time,
//! 2. [`community`]: what is configured: device types, devices, areas, scenes,
//! 3. [`decode`]: bytes and words of a frame become raw values, as the device type says,
//! 4. [`admission`]: raw values become readings with a quality, or are refused with a reason,
//! 5. [`window`]: what a point did lately, and its features,
//! 6. [`detect`]: rules and models turn readings into findings,
//! 7. [`event`]: findings become events: one per cause, graded, explained, until they clear,
//! 8. [`delivery`]: in which order records leave, and what is given up when too many wait,
//! 9. [`pipeline`]: the one state machine that holds all of the above together,
//! 10. [`story`]: a scene's worked examples, played through it,
//! 11. [`view`]: what the console may see of it,
//! 12. [`command`]: what the platform may ask for, read and judged by its form,
//! 13. [`statistics`]: what is kept of the past, to try other rules on,
//! 14. [`reasons`]: why a frame or a reading was turned away, in words for people,
//! 15. [`draft`]: a device type from what a sensor sent,
//! 16. [`report`]: what a month of events comes to, and what to change,
//! 17. [`alert`]: whom to tell of an event, when and in which words.

pub mod admission;
pub mod alert;
pub mod command;
pub mod community;
pub mod decode;
pub mod delivery;
pub mod detect;
pub mod draft;
pub mod event;
pub mod pipeline;
pub mod reading;
pub mod reasons;
pub mod report;
pub mod statistics;
pub mod story;
pub mod view;
pub mod window;
