//! Checking: everything that is wrong with what git describes, with no registry or cluster asked.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    deployer::{DeployError, Deployer, LoadedRepo, sent},
    finding::{Finding, Severity},
    object_checks::ObjectChecks,
    parse_cache::read_texts,
    release,
    repo_path::RepoPath,
};

/// The result of a check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckReport {
    /// The repository that was checked.
    pub loaded: Arc<LoadedRepo>,
    /// The findings about it, by place.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Returns how many findings are errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity() == Severity::Error).count()
    }
}

impl Deployer {
    /// Checks what git describes at the tip: files, workloads, policies, and objects that the API
    /// server will refuse.
    ///
    /// Asks neither the registry nor the cluster. Objects are held against the kinds of one version
    /// of Kubernetes, and against the definitions among the manifests.
    ///
    /// # Errors
    /// Those of [`ConfigRepo`](crate::backend::ConfigRepo).
    pub async fn check(&self) -> Result<CheckReport, DeployError> {
        let loaded = self.load().await?;
        let objects = ObjectChecks::of(&loaded.manifests, sent(&loaded));
        // The mistakes in policy documents and objects are reported at their lines.
        let documents = release::policy_documents(&loaded.manifests).chain(objects.paths());
        let documents: BTreeSet<&RepoPath> = documents.collect();
        let sources = read_texts(&*self.repo, |path| loaded.files.get(path).cloned(), documents).await?;
        let mut findings = loaded.findings.clone();
        findings.extend(release::policy_findings(&loaded.manifests, |path| {
            sources.get(path).map(String::as_str)
        }));
        findings.extend(objects.findings(&sources));
        Ok(CheckReport { loaded, findings: findings.by_place() })
    }
}
