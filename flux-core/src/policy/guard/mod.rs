//! Guards: what keeps a release back although a tag would be newer.
//!
//! Data, and pure questions to it.

mod age;
mod cron;
mod freeze;
mod platforms;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::image::Platform;

pub use age::parse_duration;
pub use freeze::{Freeze, Frozen};
pub(super) use platforms::lacking;
pub use platforms::parse_platforms;

/// The guards of one workload.
///
/// The default is what holds with no annotation: never downgrade, and nothing else.
///
/// Exhaustive: to overlook a guard would be to release what it keeps back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// `allow-downgrade`: whether automation may go to something older than what runs.
    pub allow_downgrade: bool,
    /// `min-age`: how long ago an image must have been built.
    pub min_age: Option<SignedDuration>,
    /// `freeze`: when nothing is released.
    pub freeze: Option<Freeze>,
    /// `hold`: automation waits until it is lifted.
    pub hold: Option<Hold>,
    /// `platforms`: what an image must have been built for; all of them.
    pub platforms: Vec<Platform>,
    /// `pin-digest`: whether digests are written beside tags, and followed when a tag moves.
    pub pin_digest: bool,
    /// `group`: the workloads of one group move together or not at all.
    pub group: Option<String>,
}

/// A hold: automation waits.
///
/// Exhaustive: to overlook a part of it would be to release what it keeps back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Why, from `hold_msg`.
    pub message: Option<String>,
}
