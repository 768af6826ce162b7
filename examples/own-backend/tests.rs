//! The conformance suite of registries, on the build log.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::Write as _,
    sync::atomic::{AtomicUsize, Ordering},
};

use flux::{
    image::{ArtifactKind, Digest},
    testing::registry::{Build, RegistryFixture},
};

use super::*;

#[derive(Debug)]
struct Server {
    log: BuildLog,
    names: AtomicUsize,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("builds.jsonl");
        fs::write(&path, "").unwrap();
        Self { log: BuildLog { path }, names: AtomicUsize::new(0), _folder: folder }
    }
}

#[async_trait]
impl RegistryFixture for Server {
    fn registry(&self) -> &dyn Registry {
        &self.log
    }

    fn name(&self, hint: &str) -> ImageName {
        format!("{hint}-{}", self.names.fetch_add(1, Ordering::Relaxed)).parse().unwrap()
    }

    fn aliases(&self, name: &ImageName) -> Vec<ImageName> {
        vec![format!("docker.io/library/{name}").parse().unwrap()]
    }

    async fn push(&self, name: &ImageName, tag: &Tag, builds: &[Build]) -> Digest {
        let mut hash = DefaultHasher::new();
        format!("{builds:?}").hash(&mut hash);
        let digest: Digest = format!("sha256:{:064x}", hash.finish()).parse().unwrap();
        let newest = builds.iter().max_by_key(|build| build.created).unwrap();
        let info = ImageInfo {
            digest: Some(digest.clone()),
            created: Some(newest.created),
            first_seen: None,
            labels: newest.labels.clone(),
            platforms: builds.iter().map(|build| build.platform.clone()).collect(),
        };
        let line = Line { image: name.clone(), tag: tag.clone(), info };
        let mut log = fs::File::options().append(true).open(&self.log.path).unwrap();
        writeln!(log, "{}", serde_json::to_string(&line).unwrap()).unwrap();
        digest
    }

    async fn push_artifact(&self, _: &ImageName, _: &Tag, _: ArtifactKind) -> bool {
        // The build server makes images only.
        false
    }
}

flux::testing::registry_conformance!(async || Some(Server::start()));
