//! The last sync, as far as it stands: the next one costs only the changes since.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::LoadedRepo;
use crate::{
    backend::{Cluster, Observation, Observed, Scope},
    finding::{Code, Finding},
    footprint::Footprint,
    manifest::ResourceId,
    sync::{self, Checked, Contest, Desired, Kept, SyncOptions, SyncPlan, SyncReport, Violation},
};

/// The memory of the syncs of a deployer, from one to the next.
#[derive(Default)]
pub(super) struct Standing(Mutex<State>);

#[derive(Default)]
struct State {
    kept: Kept,
    checked: Checked,
    /// The scope of the last observation, with what it was made for.
    scope: Option<(Arc<Desired>, SyncOptions, Arc<Scope>)>,
    /// The last sync, if there was nothing to do.
    idle: Option<Idle>,
}

/// A sync that had nothing to do, and all that it looked at.
struct Idle {
    on: LookedAt,
    report: SyncReport,
}

/// All that a sync looks at, by the addresses of it.
pub(super) struct LookedAt {
    pub(super) loaded: Arc<LoadedRepo>,
    pub(super) options: SyncOptions,
    pub(super) contests: BTreeMap<ResourceId, Contest>,
    /// The version of the cluster; `None` if it is not known, or if more was looked at than that.
    pub(super) version: Option<u64>,
}

impl Standing {
    fn state(&self) -> MutexGuard<'_, State> {
        // What is kept is compared with what is so now before it is used.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the report of the last sync, if it had nothing to do and all that it looked at is as
    /// it was.
    pub(super) fn report(&self, now: &LookedAt, cluster: &dyn Cluster) -> Option<SyncReport> {
        let state = self.state();
        let Idle { on, report } = state.idle.as_ref()?;
        let stands = Arc::ptr_eq(&on.loaded, &now.loaded)
            && on.options == now.options
            && on.contests == now.contests
            && on.version.is_some_and(|version| !cluster.has_changed_since(version));
        stands.then(|| report.clone())
    }

    /// Takes note of a sync, of which `report` says what became.
    pub(super) fn note(&self, on: LookedAt, plan: &SyncPlan, report: &SyncReport) {
        let is_idle = on.version.is_some() && plan.changes().next().is_none();
        self.state().idle = is_idle.then(|| Idle { on, report: report.clone() });
    }

    /// Returns what is kept of the decisions.
    pub(super) fn footprint(&self) -> Footprint {
        Footprint::of("decisions of the last sync", self.state().kept.footprint())
    }

    /// Returns the scope of an observation.
    pub(super) fn scope(&self, desired: &Arc<Desired>, options: &SyncOptions) -> Arc<Scope> {
        let mut state = self.state();
        if let Some((of, with, scope)) = &state.scope
            && Arc::ptr_eq(of, desired)
            && with == options
        {
            return scope.clone();
        }
        let scope = Arc::new(desired.scope_within(options));
        state.scope = Some((desired.clone(), options.clone(), scope.clone()));
        scope
    }

    /// Plans, and checks the plan.
    ///
    /// With `recheck` it is planned from nothing too. If that makes a difference, which is a fault
    /// of the planner, that plan counts, and a finding says so.
    pub(super) fn plan(
        &self,
        desired: &Desired,
        observed: &Observation<Observed>,
        options: &SyncOptions,
        recheck: bool,
    ) -> (SyncPlan, Vec<Violation>) {
        let mut state = self.state();
        let mut plan = state.kept.plan(desired, observed, options);
        let mut violations = state.checked.check(&plan, desired, observed, options);
        if recheck {
            let anew = sync::plan(desired, observed, options);
            let found = sync::check(&anew, desired, observed, options);
            if anew != plan || found != violations {
                (state.kept, state.checked) = (Kept::default(), Checked::default());
                (plan, violations) = (anew, found);
                plan.findings.push(differs());
                plan.findings.sort();
            }
        }
        (plan, violations)
    }
}

/// Returns the finding about a plan that differs from one that is made from nothing.
fn differs() -> Finding {
    Finding {
        code: Code::KeptPlanDiffers,
        subject: "sync".to_owned(),
        place: None,
        evidence: "the plan that was joined from earlier decisions is not the one that is made from nothing; the latter was used"
            .to_owned(),
        remedy: "Report it as a fault of the planner; until it is mended, keep rechecking.".to_owned(),
    }
}
