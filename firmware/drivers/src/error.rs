//! Why a chip gave no measurement. A node and the gateway treat each differently.

use core::fmt;

/// What kept a measurement from being one. `E` is the bus' own error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error<E> {
    /// The bus failed, or nobody acknowledged: look at wiring, address and supply.
    Bus(E),
    /// An answer came, damaged; what it said is not used. Ask again.
    Checksum,
    /// No answer, or no measurement, within the time that the chip needs at most.
    Silent,
    /// Somebody else answers at this address.
    WrongIdentity { expected: u16, found: u16 },
    /// The chip answers and says that it could not measure: too far, too weak, saturated.
    NoMeasurement,
}

impl<E> Error<E> {
    /// The same reason with the bus' error told in another way.
    pub fn map_bus<F>(self, f: impl FnOnce(E) -> F) -> Error<F> {
        match self {
            Self::Bus(error) => Error::Bus(f(error)),
            Self::Checksum => Error::Checksum,
            Self::Silent => Error::Silent,
            Self::WrongIdentity { expected, found } => Error::WrongIdentity { expected, found },
            Self::NoMeasurement => Error::NoMeasurement,
        }
    }
}

impl<E: fmt::Debug> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bus(error) => write!(f, "the bus failed or nobody is at this address: {error:?}"),
            Self::Checksum => f.write_str("the answer is damaged (checksum)"),
            Self::Silent => f.write_str("no answer in time"),
            Self::WrongIdentity { expected, found } => {
                write!(f, "another chip answers: identity {found:#06x}, expected {expected:#06x}")
            }
            Self::NoMeasurement => f.write_str("the sensor answers that it could not measure"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Error<E> {}
