//! The end of a wait, decided of the healths alone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::model::{Health, HealthStatus};
use crate::{manifest::ResourceId, revision::Revision};

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WaitOutcome {
    /// All are current.
    Healthy,
    /// At least one has failed.
    Failed,
    /// The time was over before all were current.
    TimedOut,
    /// A newer revision is in git; what becomes of it is another wait's matter.
    Superseded(Revision),
}

/// The state of a wait besides the healths.
///
/// Exhaustive: whoever waits makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitState {
    /// The tip of the branch, if it is another revision than the one waited for.
    pub newer: Option<Revision>,
    /// `true` if the time is over.
    pub is_overdue: bool,
    /// Ends the wait as soon as one has failed, instead of when nothing is in progress any more.
    pub fail_fast: bool,
}

/// Returns how a wait ends; `None` if it goes on.
///
/// That all are current counts before anything else, and a failure before a newer revision: it
/// tells more. Nothing to wait for is healthy.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use flux_core::health::{WaitOutcome, WaitState, verdict};
///
/// assert_eq!(verdict(&BTreeMap::new(), &WaitState::default()), Some(WaitOutcome::Healthy));
/// ```
pub fn verdict(healths: &BTreeMap<ResourceId, Health>, state: &WaitState) -> Option<WaitOutcome> {
    let count = |status| healths.values().filter(|health| health.status == status).count();
    let (current, failed) = (count(HealthStatus::Current), count(HealthStatus::Failed));
    if current == healths.len() {
        return Some(WaitOutcome::Healthy);
    }
    let is_settled = current + failed == healths.len();
    if failed > 0 && (state.fail_fast || is_settled) {
        return Some(WaitOutcome::Failed);
    }
    if let Some(newer) = &state.newer {
        return Some(WaitOutcome::Superseded(newer.clone()));
    }
    match (state.is_overdue, failed) {
        (false, _) => None,
        (true, 0) => Some(WaitOutcome::TimedOut),
        (true, _) => Some(WaitOutcome::Failed),
    }
}
