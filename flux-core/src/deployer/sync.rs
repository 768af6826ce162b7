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
        let observed = self.cluster.observe(&desired.scope()).await.map_err(DeployError::Cluster)?;
        let mut plan = sync::plan(&desired, &observed, options);
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
        let mut report = self.cluster.apply(&plan, progress).await.map_err(DeployError::Cluster)?;
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
