//! A word of a peripheral.

/// Reads the register at an address.
pub(crate) fn read(address: usize) -> u32 {
    // SAFETY: only called with addresses of this chip's peripherals, which are always there.
    unsafe { (address as *const u32).read_volatile() }
}

/// Writes it.
pub(crate) fn write(address: usize, value: u32) {
    // SAFETY: as above; no register written here moves memory.
    unsafe { (address as *mut u32).write_volatile(value) }
}
