//! The planner of a sync.

use crate::backend::{Observation, Observed};

use super::{Desired, SyncOptions, SyncPlan};

/// Plans what makes the cluster equal to git. Pure.
pub fn plan(_desired: &Desired, _observed: &Observation<Observed>, _options: &SyncOptions) -> SyncPlan {
    SyncPlan { revision: None, steps: Vec::new(), findings: Vec::new() }
}
