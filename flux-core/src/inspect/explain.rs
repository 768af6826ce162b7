//! Explanations of why an image was not released.

use std::collections::BTreeMap;

use crate::{
    deployer::{DeployError, Deployer},
    listing::Listing,
    release::{self, ExplainRequest, Explanation, Snapshot},
};

impl Deployer {
    /// Explains, for the containers that are asked about, what speaks for or against every known
    /// tag.
    ///
    /// # Errors
    /// [`DeployError`] if the repository as a whole cannot be loaded.
    pub async fn explain(&self, inquiry: &ExplainRequest) -> Result<Listing<Explanation>, DeployError> {
        let loaded = self.load().await?;
        let now = self.clock.now();
        let mut snapshot = Snapshot {
            past: Some(BTreeMap::new()),
            ..Snapshot::new(loaded.revision.clone(), loaded.manifests.clone())
        };
        self.gather(&loaded, &mut snapshot, |snapshot| release::explain_needs(snapshot, inquiry, now))
            .await?;
        let (entries, mut findings) = release::explain(&snapshot, inquiry, now);
        findings.extend(loaded.findings.iter().cloned());
        Ok(Listing { entries, findings })
    }
}
