//! The settings slots: the last two pages of the flash.

use gatehouse_node::settings::RECORD;
use stm32f1xx_hal::flash::{FlashSize, Parts, SectorSize};

/// RM0008, section 3.3.3: pages 62 and 63 of 1 KiB.
const SLOTS: [u32; 2] = [62 * 1_024, 63 * 1_024];
const FLASH: usize = 0x0800_0000;

/// As they stand there; read at the start, before anything is written.
pub(crate) fn slots() -> [&'static [u8]; 2] {
    SLOTS.map(|offset| {
        let start = (FLASH + offset as usize) as *const u8;
        // SAFETY: flash that the linker has left alone (memory.x).
        unsafe { core::slice::from_raw_parts(start, RECORD) }
    })
}

/// Erases and writes a slot; the writer reads back what it wrote.
pub(crate) fn write(flash: &mut Parts, slot: usize, record: &[u8; RECORD]) -> bool {
    let Some(offset) = SLOTS.get(slot) else { return false };
    let mut writer = flash.writer(SectorSize::Sz1K, FlashSize::Sz64K);
    writer.page_erase(*offset).and_then(|()| writer.write(*offset, record)).is_ok()
}
