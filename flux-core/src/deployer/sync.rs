//! Syncs: load, observe, plan, apply.

use std::sync::{Arc, PoisonError};

use super::{DeployError, Deployer, LoadedRepo, standing::LookedAt};
use crate::{
    backend::{self, Progress},
    finding::{Code, Finding, Findings},
    policy::Suspension,
    sync::{self, AccessRule, Desired, SyncOptions, SyncPlan, SyncReport},
};

impl Deployer {
    /// Plans what makes the cluster equal to git, and stops there.
    ///
    /// Sends nothing to the cluster. While the repository cannot be reached, the plan is made of
    /// the revision that was loaded last, and a finding says so.
    ///
    /// # Errors
    /// [`DeployError`] if the repository was never reached, or the cluster as a whole cannot be
    /// looked at.
    pub async fn plan_sync(&self, options: &SyncOptions) -> Result<SyncPlan, DeployError> {
        let (loaded, finding) = self.load_or_last().await?;
        Ok(self.plan_sync_of(&loaded, finding, options).await?.plan)
    }

    /// Loads the tip, or returns what was loaded last with a finding that says so.
    async fn load_or_last(&self) -> Result<(Arc<LoadedRepo>, Option<Finding>), DeployError> {
        match self.load().await {
            Ok(loaded) => Ok((loaded, None)),
            Err(DeployError::Repo(error)) if error.is_retryable() => match self.loader.last() {
                Some(last) => {
                    let finding = unreachable(&error, &last);
                    Ok((last, Some(finding)))
                }
                None => Err(DeployError::Repo(error)),
            },
            Err(error) => Err(error),
        }
    }

    /// Returns the least rights with which the account of a sync can do what git asks for: see
    /// [`sync::access`].
    ///
    /// # Errors
    /// [`DeployError`] if the repository cannot be read.
    pub async fn access(&self, options: &SyncOptions) -> Result<Vec<AccessRule>, DeployError> {
        Ok(sync::access(self.load().await?.desired(), options, &self.options.default_namespace))
    }

    /// Returns the rights that lists need beside those: see [`sync::access_of_lists`].
    ///
    /// # Errors
    /// [`DeployError`] if the repository cannot be read.
    pub async fn access_of_lists(&self, options: &SyncOptions) -> Result<Vec<AccessRule>, DeployError> {
        Ok(sync::access_of_lists(self.load().await?.desired(), options, &self.options.default_namespace))
    }

    async fn plan_sync_of(
        &self,
        loaded: &Arc<LoadedRepo>,
        finding: Option<Finding>,
        options: &SyncOptions,
    ) -> Result<PlannedSync, DeployError> {
        let mut desired = loaded.desired().clone();
        let suspended = self.kept_suspension(&desired);
        // What else speaks for the plan than what was loaded.
        let is_plain = finding.is_none() && suspended == desired.suspended;
        if !is_plain {
            let desired = Arc::make_mut(&mut desired);
            desired.findings.extend(finding);
            desired.suspended = suspended;
        }
        let scope = self.standing.scope(loaded.desired(), options);
        let mut observed = self.cluster.observe(&scope).await.map_err(DeployError::Cluster)?;
        let contests = self.contests.at(self.clock.now());
        observed.value.contests.clone_from(&contests);
        let (plan, violations) = self.standing.plan(&desired, &observed, options, self.options.recheck);
        if !violations.is_empty() {
            return Err(DeployError::SyncViolations(violations));
        }
        let version = observed.value.version.filter(|_| is_plain);
        let on = LookedAt { loaded: loaded.clone(), options: options.clone(), contests, version };
        Ok(PlannedSync { plan, on })
    }

    /// Syncs what was loaded, if that or the cluster has changed.
    async fn sync_loaded(
        &self,
        loaded: &Arc<LoadedRepo>,
        finding: Option<Finding>,
        options: &SyncOptions,
        progress: &dyn Progress,
    ) -> Result<SyncReport, DeployError> {
        if finding.is_none() && !self.options.recheck {
            let contests = self.contests.at(self.clock.now());
            let now = LookedAt { loaded: loaded.clone(), options: options.clone(), contests, version: None };
            if let Some(report) = self.standing.report(&now, &*self.cluster) {
                return Ok(report);
            }
        }
        let planned = self.plan_sync_of(loaded, finding, options).await?;
        self.apply(planned, progress).await
    }

    /// Keeps the suspension that git had last while a file cannot be read: it may be the one that
    /// says so, broken in the haste of an incident.
    fn kept_suspension(&self, desired: &Desired) -> Option<Suspension> {
        let mut last = self.suspended.lock().unwrap_or_else(PoisonError::into_inner);
        let is_in_doubt = desired.findings.iter().any(|finding| finding.code.hides_objects());
        if desired.suspended.is_some() || !is_in_doubt {
            last.clone_from(&desired.suspended);
        }
        last.clone()
    }

    /// Makes the cluster equal to git.
    ///
    /// # Errors
    /// As [`plan_sync`](Self::plan_sync). Failures of single objects are in the report and do not
    /// stop the others.
    pub async fn sync(
        &self,
        options: &SyncOptions,
        progress: &dyn Progress,
    ) -> Result<SyncReport, DeployError> {
        let (loaded, finding) = self.load_or_last().await?;
        self.sync_loaded(&loaded, finding, options, progress).await
    }

    /// Makes the cluster equal to what git said when it was loaded last, without asking whether it
    /// has moved.
    ///
    /// So repairing what others change needs no git server. If nothing was loaded yet, this is
    /// [`sync`](Self::sync).
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub async fn repair(
        &self,
        options: &SyncOptions,
        progress: &dyn Progress,
    ) -> Result<SyncReport, DeployError> {
        let Some(last) = self.loader.last() else { return self.sync(options, progress).await };
        // What failed when it was loaded is tried again.
        let loaded = self.load_at(&last.revision).await.unwrap_or(last);
        self.sync_loaded(&loaded, None, options, progress).await
    }

    /// Carries out a plan that was made earlier with the same options, perhaps by another process.
    ///
    /// The branch and the cluster are looked at again, and the sync is planned anew. Nothing is
    /// sent unless both plans take the same steps: see [`sync::outdated`].
    ///
    /// # Errors
    /// Those of [`plan_sync`](Self::plan_sync); [`DeployError::Outdated`] if the branch has moved
    /// since, and [`DeployError::SyncOutdated`] if the objects have.
    pub async fn carry_out_sync(
        &self,
        plan: &SyncPlan,
        options: &SyncOptions,
        progress: &dyn Progress,
    ) -> Result<SyncReport, DeployError> {
        if let Some(planned) = &plan.revision {
            self.check_head(planned).await?;
        }
        let (loaded, finding) = self.load_or_last().await?;
        let anew = self.plan_sync_of(&loaded, finding, options).await?;
        let outdated = sync::outdated(plan, &anew.plan);
        if !outdated.is_empty() {
            return Err(DeployError::SyncOutdated(outdated));
        }
        self.apply(anew, progress).await
    }

    async fn apply(&self, planned: PlannedSync, progress: &dyn Progress) -> Result<SyncReport, DeployError> {
        let PlannedSync { plan, on } = planned;
        let mut report = self.cluster.apply(&plan, progress).await.map_err(DeployError::Cluster)?;
        self.contests.note(&plan, &report, self.clock.now());
        report.findings = Findings::from(report.findings).into_vec();
        self.standing.note(on, &plan, &report);
        Ok(report)
    }
}

/// A plan, with what it was made on.
struct PlannedSync {
    plan: SyncPlan,
    on: LookedAt,
}

/// Returns the finding about a repository that cannot be reached.
fn unreachable(error: &backend::Error, last: &LoadedRepo) -> Finding {
    Finding {
        code: Code::RepositoryUnavailable,
        subject: "git".to_owned(),
        place: None,
        evidence: format!(
            "{error}; the cluster is held against {}, which was loaded last",
            last.revision.short()
        ),
        remedy: "See that the git server can be reached; until then changes in git are not seen.".to_owned(),
    }
}
