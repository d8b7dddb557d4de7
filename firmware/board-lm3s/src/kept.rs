//! What a reset leaves alone: the settings slots and the cause of the reset, in RAM that nobody clears.

use core::mem::MaybeUninit;
use core::ptr::{addr_of, addr_of_mut};

use gatehouse_node::contract::common::ResetCause;
use gatehouse_node::settings::RECORD;

/// Stands before the rest once it was written.
const WRITTEN: u32 = 0x4748_4B50;

struct Kept {
    mark: u32,
    cause: u32,
    slots: [[u8; RECORD]; 2],
}

#[unsafe(link_section = ".uninit.kept")]
static mut KEPT: MaybeUninit<Kept> = MaybeUninit::uninit();

/// Why the chip started; called once, before anything else here.
pub(crate) fn cause() -> ResetCause {
    let place = addr_of_mut!(KEPT).cast::<Kept>();
    // SAFETY: called once, from main, before interrupts; every bit pattern of these fields is a value.
    unsafe {
        if addr_of!((*place).mark).read_volatile() != WRITTEN {
            place.write(Kept { mark: WRITTEN, cause: 0, slots: [[0xFF; RECORD]; 2] });
            return ResetCause::PowerOn;
        }
    }
    let causes = [ResetCause::Watchdog, ResetCause::Command];
    // SAFETY: as above.
    let marked = unsafe { addr_of!((*place).cause).read_volatile() };
    mark(ResetCause::Pin);
    causes.into_iter().find(|cause| *cause as u32 == marked).unwrap_or(ResetCause::Pin)
}

/// Notes why the chip is going to start.
pub(crate) fn mark(cause: ResetCause) {
    let place = addr_of_mut!(KEPT).cast::<Kept>();
    // SAFETY: a word is written whole, and read at the next start alone.
    unsafe { addr_of_mut!((*place).cause).write_volatile(cause as u32) }
}

/// The slots as they were left; called once, after [`cause`].
pub(crate) fn slots() -> [&'static [u8]; 2] {
    let place = addr_of!(KEPT).cast::<Kept>();
    // SAFETY: initialised by `cause`; what is read of them is copied before anything is written.
    let slots = unsafe { &(*place).slots };
    [&slots[0], &slots[1]]
}

/// Writes a slot; says whether it stands there.
pub(crate) fn write(slot: usize, record: &[u8; RECORD]) -> bool {
    if slot > 1 {
        return false;
    }
    let place = addr_of_mut!(KEPT).cast::<Kept>();
    // SAFETY: the main loop alone writes slots, and nobody holds a reference to them any more.
    unsafe {
        let slot = addr_of_mut!((*place).slots[slot]);
        slot.write_volatile(*record);
        slot.read_volatile() == *record
    }
}
