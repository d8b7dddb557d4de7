//! What stands in for a UART in tests: embedded-hal-mock has none for embedded-io.

use core::convert::Infallible;
use std::collections::VecDeque;
use std::vec::Vec;

/// A wire on which everything has been said already.
pub(crate) struct Uart {
    said: VecDeque<u8>,
    /// What was written to the sensor.
    pub(crate) told: Vec<u8>,
}

impl Uart {
    pub(crate) fn new(said: &[u8]) -> Self {
        Self { said: said.iter().copied().collect(), told: Vec::new() }
    }
}

impl embedded_io::ErrorType for Uart {
    type Error = Infallible;
}

impl embedded_io::ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!self.said.is_empty())
    }
}

impl embedded_io::Read for Uart {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        let mut read = 0;
        for place in into {
            let Some(byte) = self.said.pop_front() else { break };
            *place = byte;
            read += 1;
        }
        Ok(read)
    }
}

impl embedded_io::Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.told.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(feature = "async")]
impl embedded_io_async::Read for Uart {
    /// Waits for ever when nothing more is said.
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        if self.said.is_empty() {
            core::future::pending::<()>().await;
        }
        embedded_io::Read::read(self, into)
    }
}

/// Runs what never has to wait for the world.
#[cfg(feature = "async")]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = core::pin::pin!(future);
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    loop {
        if let core::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// A clock that can be had twice and never waits: the mock's cannot be cloned.
#[derive(Clone)]
pub(crate) struct NoWait;

impl embedded_hal::delay::DelayNs for NoWait {
    fn delay_ns(&mut self, _ns: u32) {}
}

#[cfg(feature = "async")]
impl embedded_hal_async::delay::DelayNs for NoWait {
    async fn delay_ns(&mut self, _ns: u32) {}
}
