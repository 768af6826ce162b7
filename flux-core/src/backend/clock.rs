//! [`Clock`]: where the time comes from.

use std::fmt;

use jiff::Timestamp;

/// Where the time comes from.
///
/// Planners take a [`Timestamp`]; only the deployer and the daemon hold a clock.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the time now.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still: for tests, and for asking "what would have happened at …".
///
/// Exhaustive: it is its time and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}
