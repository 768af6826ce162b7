//! Syncs: load, observe, plan, apply.

use super::{DeployError, Deployer, LoadedRepo};
use crate::{
    backend::Progress,
    finding::Findings,
    manifest::ApiVersion,
    sync::{self, Desired, DesiredObject, SyncOptions, SyncPlan, SyncReport},
};

impl Deployer {
    /// Plans what makes the cluster equal to git, and stops there.
    ///
    /// Sends nothing to the cluster.
    ///
    /// # Errors
    /// [`DeployError`] if the repository or the cluster as a whole cannot be looked at.
    pub async fn plan_sync(&self, options: &SyncOptions) -> Result<SyncPlan, DeployError> {
        let loaded = self.load().await?;
        let desired = desired(&loaded);
        let observed = self.cluster.observe(&desired.scope()).await.map_err(DeployError::Cluster)?;
        let mut plan = sync::plan(&desired, &observed, options);
        let violations = sync::check(&plan, &desired, &observed, options);
        if !violations.is_empty() {
            return Err(DeployError::SyncViolations(violations));
        }
        let unseen = observed.completeness.cluster_findings();
        plan.findings = plan.findings.into_iter().chain(unseen).collect::<Findings>().into_vec();
        Ok(plan)
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
        report.findings = Findings::from(report.findings).into_vec();
        Ok(report)
    }
}

/// Returns the objects that git says the cluster should have.
fn desired(loaded: &LoadedRepo) -> Desired {
    let objects = loaded
        .manifests
        .resources()
        .filter(|located| !is_for_tools(&located.resource.api_version))
        .map(|located| DesiredObject { object: located.resource.object.clone(), place: located.place() })
        .collect();
    Desired { revision: Some(loaded.revision.clone()), objects, findings: loaded.findings.to_vec() }
}

/// Returns `true` if a document speaks to tools and is never sent to a cluster.
fn is_for_tools(api_version: &ApiVersion) -> bool {
    *api_version == "fluxcd.io/v1alpha1" || api_version.group() == "kustomize.config.k8s.io"
}
