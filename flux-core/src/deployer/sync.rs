//! Syncs: look, observe, plan, apply.

use std::sync::Arc;

use super::{DeployError, Deployer, Look, generate::told, release::partial_cluster};
use crate::{
    backend::Progress,
    finding::Place,
    sync::{self, Desired, DesiredObject, SyncOptions, SyncPlan, SyncReport},
};

impl Deployer {
    /// Plans what makes the cluster equal to git, and stops there. Sends nothing to the cluster.
    ///
    /// # Errors
    /// [`DeployError`] if the repository or the cluster as a whole cannot be looked at.
    pub async fn plan_sync(&self, options: &SyncOptions) -> Result<SyncPlan, DeployError> {
        self.plan_sync_of(options).await.map(|(_, plan)| plan)
    }

    async fn plan_sync_of(&self, options: &SyncOptions) -> Result<(Arc<Look>, SyncPlan), DeployError> {
        let look = self.look().await?;
        let desired = desired(&look);
        let observed = self.cluster.observe(&desired.scope()).await?;
        let mut plan = sync::plan(&desired, &observed, options);
        let violations = sync::check(&plan, &desired, &observed, options);
        if !violations.is_empty() {
            return Err(DeployError::SyncViolations(violations));
        }
        plan.findings.extend(partial_cluster(&observed.completeness));
        told(&look.generated, &mut plan.findings);
        plan.findings.sort();
        plan.findings.dedup();
        Ok((look, plan))
    }

    /// Makes the cluster equal to git.
    ///
    /// # Errors
    /// As [`plan_sync`](Self::plan_sync). What fails for one object is told in the report and does not stop the others.
    pub async fn sync(
        &self,
        options: &SyncOptions,
        progress: &dyn Progress,
    ) -> Result<SyncReport, DeployError> {
        let (look, plan) = self.plan_sync_of(options).await?;
        self.apply_sync(&look, &plan, progress).await
    }

    /// Carries out a plan that was made earlier with the same options, perhaps by another process.
    ///
    /// What it was planned on is looked at again, and it is planned anew. Nothing is sent unless both plans take the
    /// same steps: see [`sync::outdated`].
    ///
    /// # Errors
    /// As [`plan_sync`](Self::plan_sync); [`DeployError::Outdated`] if the branch has moved since, and
    /// [`DeployError::SyncOutdated`] if the objects have.
    pub async fn carry_out_sync(
        &self,
        plan: &SyncPlan,
        options: &SyncOptions,
        progress: &dyn Progress,
    ) -> Result<SyncReport, DeployError> {
        let (look, anew) = self.plan_sync_of(options).await?;
        if let Some(planned) = plan.revision.as_ref().filter(|planned| **planned != look.revision) {
            return Err(DeployError::Outdated { planned: planned.clone(), head: look.revision.clone() });
        }
        let outdated = sync::outdated(plan, &anew);
        if !outdated.is_empty() {
            return Err(DeployError::SyncOutdated(outdated));
        }
        self.apply_sync(&look, &anew, progress).await
    }

    async fn apply_sync(
        &self,
        look: &Look,
        plan: &SyncPlan,
        progress: &dyn Progress,
    ) -> Result<SyncReport, DeployError> {
        let mut report = self.cluster.apply(plan, progress).await?;
        told(&look.generated, &mut report.findings);
        report.findings.sort();
        report.findings.dedup();
        Ok(report)
    }
}

/// What git says the cluster should have.
fn desired(look: &Look) -> Desired {
    let objects = look
        .manifests
        .resources()
        .filter(|located| !is_for_tools(&located.resource.api_version))
        .map(|located| DesiredObject {
            object: located.resource.object.clone(),
            place: Place {
                path: located.path.to_owned(),
                line: located.resource.line,
                column: located.resource.column,
            },
        })
        .collect();
    Desired { revision: Some(look.revision.clone()), objects, findings: look.findings.clone() }
}

/// Whether a document speaks to tools and is never sent to a cluster.
fn is_for_tools(api_version: &str) -> bool {
    api_version == "fluxcd.io/v1alpha1" || api_version.starts_with("kustomize.config.k8s.io/")
}
