//! Checking: everything that is wrong with what git describes, with no registry or cluster asked.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    deployer::{DeployError, Deployer, LoadedRepo, sent},
    finding::{Code, Finding, Severity},
    manifest_set::Located,
    object_checks::{ObjectChecks, Trees},
    parse_cache::read_texts,
    release,
    repo_path::RepoPath,
    sync,
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

/// Returns the findings about annotations of syncs that cannot be read, each at its value.
fn annotations_of_syncs(located: &Located<'_>) -> Vec<Finding> {
    let resource = located.resource;
    // Of a workload it is among the findings about policies.
    let is_known = |name: &str| name == "ignore" && resource.workload.is_some();
    let unreadable = sync::unreadable(&resource.object.value()).into_iter().filter(|one| !is_known(one.name));
    unreadable
        .map(|one| {
            let of = |(key, _): &(&str, _)| key.rsplit_once('/').is_some_and(|(_, name)| name == one.name);
            let written = resource.annotations.iter().find(of);
            let position = written.map_or(resource.position, |(_, annotation)| annotation.position);
            Finding {
                code: Code::InvalidPolicy,
                subject: located.workload_id().to_string(),
                place: Some(located.place_of(position)),
                evidence: one.evidence,
                remedy: one.remedy,
            }
        })
        .collect()
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
        let trees = Trees::of(&loaded.manifests, sent(&loaded.manifests));
        let objects = ObjectChecks::of(&trees);
        // The mistakes in policy documents and objects are reported at their lines.
        let documents = release::policy_documents(&loaded.manifests).chain(objects.paths());
        let documents: BTreeSet<&RepoPath> = documents.collect();
        let sources = read_texts(&*self.repo, |path| loaded.files.get(path).cloned(), documents).await?;
        let mut findings = loaded.findings.clone();
        findings.extend(release::policy_findings(&loaded.manifests, |path| {
            sources.get(path).map(String::as_str)
        }));
        findings.extend(objects.findings(&sources));
        findings.extend(sent(&loaded.manifests).flat_map(|located| annotations_of_syncs(&located)));
        Ok(CheckReport { loaded, findings: findings.by_place() })
    }
}
