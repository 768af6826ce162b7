//! [`ConfigRepo`]: the repository that holds the desired state.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ContentId, Result, Revision, Tree};
use crate::repo_path::RepoPath;

/// The content of a file, as far as it was read.
///
/// Exhaustive: a reader must handle what was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileBody {
    /// All of it.
    Bytes(Bytes),
    /// Nothing, as it is larger than the limit given.
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
}

/// The author of a commit.
///
/// Exhaustive: callers and implementors make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The name.
    pub name: String,
    /// The address, possibly empty.
    pub email: String,
}

/// The content of one commit.
///
/// Exhaustive: callers make it, and an implementor must land all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// New contents by path.
    ///
    /// A file that the base revision has keeps its mode; another one is added as a plain file, with
    /// the folders that it needs.
    pub files: BTreeMap<RepoPath, Bytes>,
    /// The commit message.
    pub message: String,
    /// The author; the committer is the backend's identity, and the author too when this is none.
    pub author: Option<Author>,
    /// When it was made.
    pub time: Timestamp,
    /// A note to attach to the commit (git notes), landing together with it.
    pub note: Option<String>,
}

/// A range of commits.
///
/// Exhaustive: callers make it, and an implementor must heed all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Stop before this revision; `None` for the whole history.
    pub after: Option<Revision>,
    /// Start at this revision.
    pub upto: Revision,
    /// At most so many, the newest first.
    pub limit: usize,
}

/// A commit that touched the configured paths.
///
/// Exhaustive: implementors of a repository make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its revision.
    pub revision: Revision,
    /// The commits that it was made on: none for a first one, several for a merge.
    ///
    /// A parent that did not touch the configured paths is replaced by the commit from which it has
    /// them, if there is one.
    pub parents: Vec<Revision>,
    /// Its author.
    pub author: Author,
    /// When it was written.
    pub time: Timestamp,
    /// The whole message.
    pub message: String,
    /// The note that this library attached, if any.
    pub note: Option<String>,
}

/// The repository that holds the desired state, on one branch, under the configured paths.
///
/// To bring one of your own, implement the five methods and run
/// `flux_core::testing::config_repo_conformance!` (feature `testing`) over it.
///
/// ```
/// # futures::executor::block_on(async {
/// use flux_core::{backend::ConfigRepo, memory::MemoryRepo};
///
/// let repo = MemoryRepo::new([("shop/web.yaml", "kind: Deployment\n")]);
/// let tip = repo.head().await?;
/// assert!(repo.tree(&tip).await?.file("shop/web.yaml").is_some());
/// # Ok::<_, flux_core::backend::Error>(()) }).unwrap();
/// ```
///
/// # Contract
/// - [`head`](Self::head) asks upstream each time; it transfers nothing when upstream has not
///   moved.
/// - [`tree`](Self::tree) and [`read`](Self::read) work for every revision that `head`, `commit` or
///   `history` gave, parents of commits included.
/// - [`commit`](Self::commit) is a compare-and-swap: either the branch upstream goes from `base` to
///   the new revision with all files changed, or nothing changed and the error says why. It never
///   forces. Of several at once on one base, one lands and the others get
///   [`Moved`](super::ErrorKind::Moved).
#[async_trait]
pub trait ConfigRepo: fmt::Debug + Send + Sync {
    /// Returns the revision at the tip of the branch upstream, now.
    async fn head(&self) -> Result<Revision>;

    /// Returns the files at a revision, under the configured paths.
    async fn tree(&self, at: &Revision) -> Result<Tree>;

    /// Returns the contents of files, in the order of `ids`. A file of more than `limit` bytes is
    /// not read.
    async fn read(&self, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>>;

    /// Makes one commit on `base`, lands it upstream and returns its revision.
    ///
    /// # Errors
    /// [`Moved`](super::ErrorKind::Moved) if the branch upstream is no longer at `base`;
    /// [`Rejected`](super::ErrorKind::Rejected) if upstream's hooks or rights refuse;
    /// [`Invalid`](super::ErrorKind::Invalid) for a path outside of the configured ones, for one
    /// that leads through a file or a link or to something that is no file, and for a change that
    /// makes no difference: there are no empty commits.
    async fn commit(&self, base: &Revision, change: &Change) -> Result<Revision>;

    /// Returns the commits of a range that touched the configured paths, newest first.
    async fn history(&self, range: &Range) -> Result<Vec<Commit>>;
}
