//! The suite on the repository in memory, and on what is laid around it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

use super::fixture::{ConfigRepoFixture, Refusal, Seed, SeedKind, Upstream};
use crate::{
    backend::{ConfigRepo, Revision},
    memory::MemoryRepo,
};

/// Makes the repository under test of the one in memory.
type Wrap = fn(MemoryRepo) -> Arc<dyn ConfigRepo>;

/// The fixture of [`MemoryRepo`], and of a layer around it.
#[derive(Clone, Copy)]
pub struct MemoryFixture {
    wrap: Wrap,
}

impl MemoryFixture {
    /// Makes the fixture of the repository in memory itself.
    pub fn new() -> Self {
        Self::around(|repo| Arc::new(repo))
    }

    /// Makes the fixture of something around the repository in memory.
    pub fn around(wrap: Wrap) -> Self {
        Self { wrap }
    }
}

impl Default for MemoryFixture {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFixture").finish_non_exhaustive()
    }
}

struct MemoryUpstream {
    repo: MemoryRepo,
    wrap: Wrap,
}

#[async_trait]
impl ConfigRepoFixture for MemoryFixture {
    async fn upstream(&self, seeds: &[Seed]) -> Option<Box<dyn Upstream>> {
        if seeds.is_empty() {
            return None;
        }
        let files = seeds.iter().filter(|seed| seed.kind != SeedKind::Link);
        let executable = seeds.iter().filter(|seed| seed.kind == SeedKind::Executable);
        let repo = MemoryRepo::new(files.map(|seed| (seed.path, seed.body)));
        let repo = repo.with_executables(executable.map(|seed| seed.path));
        Some(Box::new(MemoryUpstream { repo, wrap: self.wrap }))
    }
}

#[async_trait]
impl Upstream for MemoryUpstream {
    async fn repo(&self, paths: &[&str]) -> Arc<dyn ConfigRepo> {
        (self.wrap)(self.repo.clone().with_paths(paths))
    }

    async fn repo_on(&self, _: &str) -> Option<Arc<dyn ConfigRepo>> {
        None
    }

    async fn push(&self, files: &[(&str, &str)], message: &str) -> Revision {
        let body = |body: &str| Some(Bytes::copy_from_slice(body.as_bytes()));
        self.repo.push(files.iter().map(|(path, text)| (*path, body(text))), message)
    }

    async fn rewind(&self, _: &Revision) -> bool {
        false
    }

    async fn refuse(&self, _: &str) -> Refusal {
        Refusal::Unsupported
    }

    async fn modes(&self, at: &Revision) -> Option<BTreeMap<String, u32>> {
        let tree = self.repo.clone().with_paths::<&str>([]).tree(at).await.ok()?;
        let mode = |path: &str| if tree.is_executable(path) { 0o100_755 } else { 0o100_644 };
        Some(tree.file_paths().map(|path| (path.to_string(), mode(path))).collect())
    }
}

#[cfg(test)]
mod tests {
    crate::config_repo_conformance!(async || Some(super::MemoryFixture::new()));
}
