//! Syncs: load, observe, plan, apply.

use super::{DeployError, Deployer, LoadedRepo, gather::partial_cluster};
use crate::{
    backend::Progress,
    sync::{self, Desired, DesiredObject, SyncOptions, SyncPlan, SyncReport},
};

impl Deployer {
    /// Plans what makes the cluster equal to git, and stops there. Sends nothing to the cluster.
    ///
    /// # Errors
    /// [`DeployError`] if the repository or the cluster as a whole cannot be looked at.
    pub async fn plan_sync(&self, options: &SyncOptions) -> Result<SyncPlan, DeployError> {
        let loaded = self.load().await?;
        let desired = desired(&loaded);
        let observed = self.cluster.observe(&desired.scope()).await?;
        let mut plan = sync::plan(&desired, &observed, options);
        plan.findings.extend(partial_cluster(&observed.completeness));
        plan.findings.sort();
        plan.findings.dedup();
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

    /// Carries out a plan of [`plan_sync`](Self::plan_sync) that was made earlier.
    ///
    /// # Errors
    /// [`DeployError::Outdated`] if the branch is no longer at the revision of the plan: nothing is
    /// sent to the cluster then. Else those of [`Cluster::apply`](crate::backend::Cluster::apply).
    pub async fn carry_out_sync(
        &self,
        plan: &SyncPlan,
        progress: &dyn Progress,
    ) -> Result<SyncReport, DeployError> {
        if let Some(planned) = &plan.revision {
            self.check_head(planned).await?;
        }
        self.apply(plan, progress).await
    }

    async fn apply(&self, plan: &SyncPlan, progress: &dyn Progress) -> Result<SyncReport, DeployError> {
        let mut report = self.cluster.apply(plan, progress).await?;
        report.findings.sort();
        report.findings.dedup();
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
    Desired { revision: Some(loaded.revision.clone()), objects, findings: loaded.findings.clone() }
}

/// Returns whether a document speaks to tools and is never sent to a cluster.
fn is_for_tools(api_version: &str) -> bool {
    api_version == "fluxcd.io/v1alpha1" || api_version.starts_with("kustomize.config.k8s.io/")
}
