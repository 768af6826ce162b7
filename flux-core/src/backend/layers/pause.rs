//! [`Pause`]: a time until which somebody wants to be left alone.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// A time until which no requests are wanted, shared by all who make some.
///
/// It only ever grows: a shorter pause that is asked for while a longer one runs does not end that
/// one.
///
/// ```
/// use flux_core::backend::layers::Pause;
///
/// let (now, noon): (_, jiff::Timestamp) =
///     ("2026-03-01T11:00:00Z".parse()?, "2026-03-01T12:00:00Z".parse()?);
/// let pause = Pause::default();
/// pause.extend_to(noon);
/// pause.extend_to(now);
/// assert_eq!(pause.until(now), Some(noon));
/// assert_eq!(pause.until(noon), None);
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Pause(Mutex<Option<Timestamp>>);

impl Pause {
    /// Makes the pause last until `until`, if it does not last longer already.
    pub fn extend_to(&self, until: Timestamp) {
        let mut pause = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *pause = Some(pause.map_or(until, |already| already.max(until)));
    }

    /// Returns the end of the pause if it is not over at `now`.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let pause = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pause.filter(|until| *until > now)
    }
}
