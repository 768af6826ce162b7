//! The suite on the registry in memory, and on what is laid around it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::fixture::{Build, RegistryFixture};
use crate::{
    backend::Registry,
    image::{ArtifactKind, Digest, ImageInfo, ImageName, Tag},
    memory::MemoryRegistry,
};

/// The fixture of [`MemoryRegistry`], and of a layer around it.
#[derive(Debug)]
pub struct MemoryFixture<R = Arc<MemoryRegistry>> {
    memory: Arc<MemoryRegistry>,
    registry: R,
    names: AtomicUsize,
}

impl MemoryFixture {
    /// Makes the fixture of the registry in memory itself.
    pub fn new() -> Self {
        Self::around(|registry| registry)
    }
}

impl Default for MemoryFixture {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> MemoryFixture<R> {
    /// Makes the fixture of something around the registry in memory.
    pub fn around(wrap: impl FnOnce(Arc<MemoryRegistry>) -> R) -> Self {
        let memory = Arc::new(MemoryRegistry::new());
        Self { registry: wrap(Arc::clone(&memory)), memory, names: AtomicUsize::new(0) }
    }

    /// Returns what is under test.
    pub fn under_test(&self) -> &R {
        &self.registry
    }
}

#[async_trait]
impl<R: Registry + fmt::Debug> RegistryFixture for MemoryFixture<R> {
    fn registry(&self) -> &dyn Registry {
        &self.registry
    }

    #[expect(clippy::expect_used, reason = "a suite fails by panicking")]
    fn name(&self, hint: &str) -> ImageName {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        format!("{hint}-{number}").parse().expect("the suite's hints are names")
    }

    fn aliases(&self, name: &ImageName) -> Vec<ImageName> {
        let prefixes = ["library/", "docker.io/", "index.docker.io/library/"];
        prefixes.iter().filter_map(|prefix| format!("{prefix}{name}").parse().ok()).collect()
    }

    #[expect(clippy::expect_used, reason = "a suite fails by panicking")]
    async fn push(&self, name: &ImageName, tag: &Tag, builds: &[Build]) -> Digest {
        let hash = Sha256::digest(format!("{builds:?}"));
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let digest: Digest = format!("sha256:{hex}").parse().expect("a hash is a digest");
        let newest = builds.iter().max_by_key(|build| build.created);
        let info = ImageInfo {
            digest: Some(digest.clone()),
            created: newest.map(|build| build.created),
            first_seen: None,
            labels: newest.map(|build| build.labels.clone()).unwrap_or_default(),
            platforms: builds.iter().map(|build| build.platform.clone()).collect(),
        };
        self.memory.push(name, tag.clone(), info);
        digest
    }

    async fn push_artifact(&self, name: &ImageName, tag: &Tag, kind: ArtifactKind) -> bool {
        self.memory.push_artifact(name, tag.clone(), kind);
        true
    }
}

#[cfg(test)]
mod tests {
    crate::registry_conformance!(async || Some(super::MemoryFixture::new()));
}
