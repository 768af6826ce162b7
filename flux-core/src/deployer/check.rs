//! Checking: everything that is wrong with what git describes, with no registry or cluster asked.

use std::{collections::BTreeMap, sync::Arc};

use super::{DeployError, Deployer, Look, generate::told};
use crate::{
    backend::FileBody,
    finding::{Finding, Severity},
    manifest, release,
};

/// What a check found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What was checked.
    pub look: Arc<Look>,
    /// Everything that is wrong with it, by place.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// How many findings are errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity() == Severity::Error).count()
    }
}

impl Deployer {
    /// Reads what git describes at the tip, and tells everything that is wrong with it: files, workloads, policies. Asks neither the
    /// registry nor the cluster.
    ///
    /// # Errors
    /// Those of [`ConfigRepo`](crate::backend::ConfigRepo).
    pub async fn check(&self) -> Result<Checked, DeployError> {
        let look = self.look().await?;
        let sources = self.policy_sources(&look).await?;
        let mut findings = look.findings.clone();
        findings
            .extend(release::policy_findings(&look.manifests, |path| sources.get(path).map(String::as_str)));
        told(&look.generated, &mut findings);
        findings.sort_by(|a, b| (&a.place, a).cmp(&(&b.place, b)));
        findings.dedup();
        Ok(Checked { look, findings })
    }

    /// The texts of the files that hold policy documents, by path: what is wrong with these is told at its line.
    async fn policy_sources(&self, look: &Look) -> Result<BTreeMap<String, String>, DeployError> {
        let mut paths: Vec<&str> = release::policy_documents(&look.manifests).collect();
        paths.dedup();
        let (paths, ids): (Vec<&str>, Vec<_>) =
            paths.into_iter().filter_map(|path| Some((path, look.files.get(path)?.clone()))).unzip();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let bodies = self.repo.read(&ids, manifest::MAX_FILE_BYTES).await?;
        let texts = paths.into_iter().zip(bodies).filter_map(|(path, body)| match body {
            FileBody::Bytes(bytes) => Some((path.to_owned(), String::from_utf8(bytes.to_vec()).ok()?)),
            FileBody::TooLarge { .. } => None,
        });
        Ok(texts.collect())
    }
}
