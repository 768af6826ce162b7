//! The fixture that the suite is run on, and parts that its cases share.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::backend::{Change, ConfigRepo, ErrorKind, FileBody, Result, Revision};

/// A file of the first commit of an upstream.
///
/// Exhaustive: a fixture must put all of it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Its path.
    pub path: &'static str,
    /// Its content; for a link, where it points.
    pub body: &'static str,
    /// Its kind.
    pub kind: SeedKind,
}

/// The kinds of seeded files.
///
/// Exhaustive: a fixture must put every kind there, or leave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedKind {
    /// A file.
    Plain,
    /// A file with the executable bit.
    Executable,
    /// A symbolic link.
    ///
    /// Fixtures without links leave it out.
    Link,
}

/// Makes upstreams for the suite.
#[async_trait]
pub trait ConfigRepoFixture: Send + Sync {
    /// Returns a new upstream of its own, whose default branch holds one commit with these files;
    /// with no files, one without any commit.
    ///
    /// `None` if there is no such thing as an empty upstream.
    async fn upstream(&self, seeds: &[Seed]) -> Option<Box<dyn Upstream>>;
}

/// An upstream, seen by the suite as by another person who works on it.
#[async_trait]
pub trait Upstream: Send + Sync {
    /// Returns the repository under test, on the default branch, under these paths (none:
    /// everything).
    ///
    /// Each call gives one that knows nothing yet.
    async fn repo(&self, paths: &[&str]) -> Arc<dyn ConfigRepo>;

    /// Returns the same on another branch.
    ///
    /// `None` if there are no branches.
    async fn repo_on(&self, branch: &str) -> Option<Arc<dyn ConfigRepo>>;

    /// Lands a commit on the default branch by another hand, writing these files; gives the new
    /// tip.
    async fn push(&self, files: &[(&str, &str)], message: &str) -> Revision;

    /// Puts the default branch back to a revision, by force.
    ///
    /// False if that cannot be.
    async fn rewind(&self, to: &Revision) -> bool;

    /// From now on refuses whatever is pushed.
    async fn refuse(&self, words: &str) -> Refusal;

    /// Returns the modes of all files at a revision, as git counts them (`0o100644`).
    ///
    /// `None` if there are no modes.
    async fn modes(&self, at: &Revision) -> Option<BTreeMap<String, u32>>;
}

/// How an upstream refuses what is pushed.
///
/// Exhaustive: implementors of a fixture choose one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It can't.
    Unsupported,
    /// It refuses without the words.
    Silent,
    /// It says the words, and the error has to repeat them.
    Spoken,
}

/// The files of the first commit of most cases.
pub(super) const SHOP: [Seed; 6] = [
    Seed { path: "README.md", body: "# shop\n", kind: SeedKind::Plain },
    Seed { path: "deploy/web.yaml", body: "image: web:1\n", kind: SeedKind::Plain },
    Seed { path: "deploy/db/claims/data.yaml", body: "size: 1Gi\n", kind: SeedKind::Plain },
    Seed { path: "deploy/render.sh", body: "#!/bin/sh\n", kind: SeedKind::Executable },
    Seed { path: "deploy/latest.yaml", body: "web.yaml", kind: SeedKind::Link },
    Seed {
        path: "deployment/other.yaml",
        body: "a: neighbour whose name begins alike\n",
        kind: SeedKind::Plain,
    },
];

pub(super) async fn shop(fixture: &dyn ConfigRepoFixture) -> Box<dyn Upstream> {
    let upstream = fixture.upstream(&SHOP).await;
    good("making the upstream", upstream.ok_or("a fixture makes an upstream with files"))
}

/// Returns the content of a file at a revision.
pub(super) async fn body(repo: &dyn ConfigRepo, at: &Revision, path: &str) -> String {
    let tree = good("tree", repo.tree(at).await);
    let id = good("finding the file", tree.file(path).ok_or(path));
    match good("read", repo.read(std::slice::from_ref(id), u64::MAX).await).pop() {
        Some(FileBody::Bytes(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        other => format!("not bytes: {other:?}"),
    }
}

pub(super) fn change(files: &[(&str, &str)]) -> Change {
    Change {
        files: files
            .iter()
            .map(|(path, body)| (good("a path", path.parse()), Bytes::copy_from_slice(body.as_bytes())))
            .collect(),
        message: "Release\n".into(),
        author: None,
        time: Timestamp::constant(1_700_000_000, 0),
        note: None,
    }
}

/// Returns `true` if it failed in this way, with these words in the message.
pub(super) fn is<T>(outcome: &Result<T>, kind: ErrorKind, words: &str) -> bool {
    outcome.as_ref().is_err_and(|error| error.kind() == kind && error.message().contains(words))
}

/// Returns a revision of the same form that is not there.
pub(super) fn unknown(like: &Revision) -> Revision {
    let turned: String = like.as_str().chars().rev().collect();
    Revision::new(turned)
}

#[expect(clippy::panic, reason = "a conformance suite tells its verdict as tests do")]
#[track_caller]
pub(super) fn good<T, E: fmt::Debug>(what: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error:?}"),
    }
}
