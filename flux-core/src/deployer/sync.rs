//! Syncs: load, observe, plan, apply.

use std::sync::PoisonError;

use super::{DeployError, Deployer, LoadedRepo};
use crate::{
    backend::{self, Progress},
    finding::{Code, Finding, Findings},
    manifest::ApiVersion,
    manifest_set::Located,
    policy::{Suspension, is_policy_document},
    release,
    sync::{self, AccessRule, Desired, DesiredObject, SyncOptions, SyncPlan, SyncReport},
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
        let (loaded, finding) = match self.load().await {
            Ok(loaded) => (loaded, None),
            Err(DeployError::Repo(error)) if error.is_retryable() => match self.loader.last() {
                Some(last) => {
                    let finding = unreachable(&error, &last);
                    (last, Some(finding))
                }
                None => return Err(DeployError::Repo(error)),
            },
            Err(error) => return Err(error),
        };
        self.plan_sync_of(&loaded, finding, options).await
    }

    /// Returns the least rights with which the account of a sync can do what git asks for: see
    /// [`sync::access`].
    ///
    /// # Errors
    /// [`DeployError`] if the repository cannot be read.
    pub async fn access(&self, options: &SyncOptions) -> Result<Vec<AccessRule>, DeployError> {
        Ok(sync::access(&desired(&*self.load().await?), options, &self.options.default_namespace))
    }

    /// Returns the rights that lists need beside those: see [`sync::access_of_lists`].
    ///
    /// # Errors
    /// [`DeployError`] if the repository cannot be read.
    pub async fn access_of_lists(&self, options: &SyncOptions) -> Result<Vec<AccessRule>, DeployError> {
        Ok(sync::access_of_lists(&desired(&*self.load().await?), options, &self.options.default_namespace))
    }

    async fn plan_sync_of(
        &self,
        loaded: &LoadedRepo,
        finding: Option<Finding>,
        options: &SyncOptions,
    ) -> Result<SyncPlan, DeployError> {
        let mut desired = desired(loaded);
        desired.findings.extend(finding);
        // A suspension that was misspelt must not go unnoticed.
        desired.findings.extend(release::document_findings(&loaded.manifests));
        self.keep_suspension(&mut desired);
        let mut observed =
            self.cluster.observe(&desired.scope_within(options)).await.map_err(DeployError::Cluster)?;
        observed.value.contests = self.contests.at(self.clock.now());
        let plan = sync::plan(&desired, &observed, options);
        let violations = sync::check(&plan, &desired, &observed, options);
        if violations.is_empty() { Ok(plan) } else { Err(DeployError::SyncViolations(violations)) }
    }

    /// Keeps the suspension that git had last while a file cannot be read: it may be the one that
    /// says so, broken in the haste of an incident.
    fn keep_suspension(&self, desired: &mut Desired) {
        let mut last = self.suspended.lock().unwrap_or_else(PoisonError::into_inner);
        let is_in_doubt = desired.findings.iter().any(|finding| finding.code.hides_objects());
        if desired.suspended.is_none() && is_in_doubt {
            desired.suspended.clone_from(&last);
        }
        last.clone_from(&desired.suspended);
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
        let plan = self.plan_sync(options).await?;
        self.apply(&plan, progress).await
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
        let plan = self.plan_sync_of(&loaded, None, options).await?;
        self.apply(&plan, progress).await
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
        let anew = self.plan_sync(options).await?;
        let outdated = sync::outdated(plan, &anew);
        if !outdated.is_empty() {
            return Err(DeployError::SyncOutdated(outdated));
        }
        self.apply(&anew, progress).await
    }

    async fn apply(&self, plan: &SyncPlan, progress: &dyn Progress) -> Result<SyncReport, DeployError> {
        let mut report = self.cluster.apply(plan, progress).await.map_err(DeployError::Cluster)?;
        self.contests.note(plan, &report, self.clock.now());
        report.findings = Findings::from(report.findings).into_vec();
        Ok(report)
    }
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

/// Returns the objects that git says the cluster should have.
pub(crate) fn desired(loaded: &LoadedRepo) -> Desired {
    let objects = sent(loaded)
        .map(|located| DesiredObject { object: located.resource.object.clone(), place: located.place() })
        .collect();
    let documents = loaded.manifests.resources().map(|located| located.resource);
    let mut policies = documents.filter(|document| is_policy_document(document));
    Desired {
        revision: Some(loaded.revision.clone()),
        objects,
        findings: loaded.findings.to_vec(),
        default_namespace: Some(loaded.manifests.default_namespace().to_owned()),
        suspended: policies.find_map(|policy| Suspension::of_document(&policy.object)),
    }
}

/// Returns the objects that are for the cluster.
pub(crate) fn sent(loaded: &LoadedRepo) -> impl Iterator<Item = Located<'_>> {
    loaded.manifests.resources().filter(|located| !is_for_tools(&located.resource.api_version))
}

/// Returns `true` if a document speaks to tools and is never sent to a cluster.
fn is_for_tools(api_version: &ApiVersion) -> bool {
    *api_version == "fluxcd.io/v1alpha1" || api_version.group() == "kustomize.config.k8s.io"
}
