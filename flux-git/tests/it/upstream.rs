//! Upstreams for the conformance suite: bare repositories on this machine.
//!
//! Changes by others are made with libgit2 alone; the repository under test reaches the upstream in
//! the way that the test is about.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use flux_core::{
    backend::{ConfigRepo, Revision},
    testing::config_repo::{ConfigRepoFixture, Refusal, Seed, SeedKind, Upstream},
};
use flux_git::{GitRepo, GitRepoBuilder};
use git2::{Oid, Repository, RepositoryInitOptions, Signature};

/// Reaches the repository that lies at a path.
pub(crate) type Reach = dyn Fn(&Path) -> GitRepoBuilder + Send + Sync;

/// Makes bare repositories.
pub(crate) struct GitFixture {
    /// Creates an empty bare repository whose default branch is `main`, and returns its path.
    pub(crate) create: Box<dyn Fn() -> PathBuf + Send + Sync>,
    pub(crate) reach: Arc<Reach>,
    /// The way in which the pre-receive hook of such a repository refuses.
    pub(crate) refusal: Refusal,
}

/// A bare repository.
pub(crate) struct Bare {
    pub(crate) path: PathBuf,
    reach: Arc<Reach>,
    refusal: Refusal,
}

impl GitFixture {
    pub(crate) fn bare(&self, seeds: &[Seed]) -> Bare {
        let bare = Bare { path: (self.create)(), reach: Arc::clone(&self.reach), refusal: self.refusal };
        if !seeds.is_empty() {
            bare.seed(seeds);
        }
        bare
    }
}

impl Bare {
    /// Creates a repository that is reached by its path.
    pub(crate) fn at(path: PathBuf) -> Self {
        let reach: Arc<Reach> = Arc::new(|path| GitRepo::builder(path.to_str().unwrap()));
        Self { path, reach, refusal: Refusal::Silent }
    }

    pub(crate) fn repository(&self) -> Repository {
        Repository::open_bare(&self.path).unwrap()
    }

    pub(crate) fn seed(&self, seeds: &[Seed]) {
        let repo = self.repository();
        let mut index = git2::Index::new().unwrap();
        for seed in seeds {
            let mode = match seed.kind {
                SeedKind::Plain => 0o100_644,
                SeedKind::Executable => 0o100_755,
                SeedKind::Link => 0o120_000,
            };
            let id = repo.blob(seed.body.as_bytes()).unwrap();
            index.add(&index_entry(seed.path, id, mode)).unwrap();
        }
        // A submodule, which is no file either.
        let elsewhere = Oid::from_str("0123456789012345678901234567890123456789").unwrap();
        index.add(&index_entry("deploy/module", elsewhere, 0o160_000)).unwrap();
        let tree = index.write_tree_to(&repo).unwrap();
        self.commit(&repo, tree, "Initial commit");
    }

    /// Lands a tree on `main`, as somebody else would.
    pub(crate) fn commit(&self, repo: &Repository, tree: Oid, message: &str) -> Oid {
        let hand = Signature::now("Another Hand", "hand@example.com").unwrap();
        let tree = repo.find_tree(tree).unwrap();
        let tip = repo.refname_to_id("refs/heads/main").ok().map(|id| repo.find_commit(id).unwrap());
        let parents: Vec<_> = tip.iter().collect();
        repo.commit(Some("refs/heads/main"), &hand, &hand, message, &tree, &parents).unwrap()
    }

    /// Lands files on `main`, as somebody else would.
    pub(crate) fn write(&self, files: &[(&str, &str)], message: &str) -> Oid {
        let repo = self.repository();
        let mut index = git2::Index::new().unwrap();
        let tip = repo.refname_to_id("refs/heads/main").unwrap();
        index.read_tree(&repo.find_commit(tip).unwrap().tree().unwrap()).unwrap();
        for (path, body) in files {
            let mode = index.get_path(Path::new(path), 0).map_or(0o100_644, |entry| entry.mode);
            index.add(&index_entry(path, repo.blob(body.as_bytes()).unwrap(), mode)).unwrap();
        }
        let tree = index.write_tree_to(&repo).unwrap();
        self.commit(&repo, tree, message)
    }

    /// Installs an executable hook.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        let hooks = self.path.join("hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        std::fs::write(hooks.join(name), script).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(hooks.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    pub(crate) fn open(&self, with: impl FnOnce(GitRepoBuilder) -> GitRepoBuilder) -> GitRepo {
        with((self.reach)(&self.path)).open().unwrap()
    }
}

fn index_entry(path: &str, id: Oid, mode: u32) -> git2::IndexEntry {
    git2::IndexEntry {
        ctime: git2::IndexTime::new(0, 0),
        mtime: git2::IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.into(),
    }
}

/// Creates an empty bare repository with `main` as default branch.
pub(crate) fn init_bare(path: &Path) {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).initial_head("main").external_template(false);
    Repository::init_opts(path, &options).unwrap();
}

pub(crate) fn revision(id: Oid) -> Revision {
    Revision::new(id)
}

#[async_trait]
impl ConfigRepoFixture for GitFixture {
    async fn upstream(&self, seeds: &[Seed]) -> Option<Box<dyn Upstream>> {
        Some(Box::new(self.bare(seeds)))
    }
}

#[async_trait]
impl Upstream for Bare {
    async fn repo(&self, paths: &[&str]) -> Arc<dyn ConfigRepo> {
        Arc::new(self.open(|builder| builder.paths(paths.iter().copied())))
    }

    async fn repo_on(&self, branch: &str) -> Option<Arc<dyn ConfigRepo>> {
        Some(Arc::new(self.open(|builder| builder.branch(branch))))
    }

    async fn push(&self, files: &[(&str, &str)], message: &str) -> Revision {
        revision(self.write(files, message))
    }

    async fn rewind(&self, to: &Revision) -> bool {
        let id = Oid::from_str(to.as_str()).unwrap();
        self.repository().reference("refs/heads/main", id, true, "rewind").unwrap();
        true
    }

    async fn refuse(&self, words: &str) -> Refusal {
        self.hook("pre-receive", &format!("#!/bin/sh\necho '{words}' >&2\nexit 1\n"));
        self.refusal
    }

    async fn modes(&self, at: &Revision) -> Option<BTreeMap<String, u32>> {
        let repo = self.repository();
        let commit = repo.find_commit(Oid::from_str(at.as_str()).unwrap()).unwrap();
        let mut index = git2::Index::new().unwrap();
        index.read_tree(&commit.tree().unwrap()).unwrap();
        Some(
            index
                .iter()
                .map(|entry| (String::from_utf8_lossy(&entry.path).into_owned(), entry.mode))
                .collect(),
        )
    }
}
