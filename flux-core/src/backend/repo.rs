//! [`ConfigRepo`]: the repository that holds the desired state.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::path::is_under;

/// A revision of the repository: for git, the full hex id of a commit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(pub Arc<str>);

impl Revision {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven characters, as people quote revisions.
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl From<&str> for Revision {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address of a file's content: for git, the blob's id. Equal ids have equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentId(pub Arc<str>);

impl From<&str> for ContentId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The files under the configured paths at a revision: path from the root of the repository (`/` between the parts) → address.
///
/// Symbolic links and submodules are no files; they are told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The files.
    pub files: BTreeMap<String, ContentId>,
    /// Configured paths that the revision does not have.
    pub missing: Vec<String>,
    /// The configured paths, without slashes around them: what is outside of them is not told of. None for the whole repository.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The files that can be run, where the repository keeps that (for git, mode 100755).
    #[serde(default)]
    pub executable: BTreeSet<String>,
    /// Symbolic links and submodules, where the repository has such. What they lead to is not followed.
    #[serde(default)]
    pub links: BTreeSet<String>,
    /// Files and folders whose names are not UTF-8, with `\u{fffd}` for what is not, folders with a slash at the end. They are left out, and all
    /// that is in them.
    #[serde(default)]
    pub misnamed: BTreeSet<String>,
    /// Files and folders that are there and cannot be read, with the reason, folders with a slash at the end. They are left out, and all that is
    /// in them. A repository whose contents stand in a database of its own has none.
    #[serde(default)]
    pub unreadable: BTreeMap<String, String>,
}

impl Tree {
    /// Whether the tree would tell of a path, if it were there.
    pub fn covers(&self, path: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|root| is_under(path, root))
    }

    /// Whether something is at a path whose contents the tree does not tell of: a link, a submodule, or what cannot be read.
    pub fn hides(&self, path: &str) -> bool {
        self.links.contains(path)
            || self.unreadable.contains_key(path)
            || self.unreadable.contains_key(&format!("{path}/"))
    }

    /// Why a commit cannot add a file here, if it cannot: see [`ConfigRepo::commit`].
    pub fn refuses(&self, path: &str) -> Option<String> {
        if let Some(why) = invalid_path(path) {
            return Some(format!("the path `{path}` {why}"));
        }
        if !self.covers(path) {
            return Some(format!("{path} is outside of the configured paths"));
        }
        let below = format!("{path}/");
        if self.files.range(below.clone()..).next().is_some_and(|(file, _)| file.starts_with(&below)) {
            return Some(format!("{path} is a folder"));
        }
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        let is_file = |folder: &&str| self.files.contains_key(*folder) || self.links.contains(*folder);
        if let Some(file) = folders.into_iter().find(is_file) {
            return Some(format!("{file} is a file or a link, no folder"));
        }
        self.links.contains(path).then(|| format!("{path} is a link or a submodule"))
    }
}

/// What is read of a file.
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

/// Who wrote a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The name.
    pub name: String,
    /// The address, possibly empty.
    pub email: String,
}

/// What one commit is to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// New contents by path. A file that the base revision has keeps its mode; another one is added as a plain file, with the folders that it needs.
    pub files: BTreeMap<String, Bytes>,
    /// The commit message.
    pub message: String,
    /// The author; the committer is the backend's identity, and the author too when this is none.
    pub author: Option<Author>,
    /// When it was made.
    pub time: Timestamp,
    /// A note to attach to the commit (git notes), landing together with it.
    pub note: Option<String>,
}

/// Why nothing can be written to a path, whatever the repository has there: it leads out, or no checkout could have it. None if it can be.
pub fn invalid_path(path: &str) -> Option<&'static str> {
    let part = |part: &str| match part {
        "" => Some("is absolute, ends in a slash or has two in a row"),
        "." | ".." => Some("has a step `.` or `..`"),
        // As git has it: file systems take some of these for the same.
        part if part.trim_end_matches(['.', ' ']).eq_ignore_ascii_case(".git") => Some("leads into `.git`"),
        part if part.eq_ignore_ascii_case("git~1") => Some("leads into `.git`"),
        part if part.contains(['\0', '\\']) => Some("has a NUL or a backslash"),
        _ => None,
    };
    path.split('/').find_map(part)
}

/// Which commits to tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Stop before this revision; none for the whole history.
    pub after: Option<Revision>,
    /// Start at this revision.
    pub upto: Revision,
    /// Tell of at most so many, newest first.
    pub limit: usize,
}

/// A commit that touched the configured paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its revision.
    pub revision: Revision,
    /// Who wrote it.
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
/// # Contract
/// - [`head`](Self::head) asks upstream each time; it transfers nothing when upstream has not moved.
/// - [`tree`](Self::tree) and [`read`](Self::read) work for every revision that `head`, `commit` or `history` gave.
/// - [`commit`](Self::commit) is a compare-and-swap: either the branch upstream goes from `base` to the new revision with all files
///   changed, or nothing changed and the error says why. It never forces. Of several at once on one base, one lands and
///   the others get [`Moved`](super::ErrorKind::Moved).
#[async_trait]
pub trait ConfigRepo: fmt::Debug + Send + Sync {
    /// The revision at the tip of the branch upstream, now.
    async fn head(&self) -> Result<Revision>;

    /// The files at a revision, under the configured paths.
    async fn tree(&self, at: &Revision) -> Result<Tree>;

    /// The contents of files, in the order of `ids`. A file of more than `limit` bytes is not read.
    async fn read(&self, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>>;

    /// Makes one commit on `base` and lands it upstream.
    ///
    /// # Errors
    /// [`Moved`](super::ErrorKind::Moved) if the branch upstream is no longer at `base`; [`Rejected`](super::ErrorKind::Rejected) if upstream's hooks or rights refuse;
    /// [`Invalid`](super::ErrorKind::Invalid) for a path outside of the configured ones or of the repository, for one that leads through a file or a link or
    /// to something that is no file (see [`invalid_path`]), and for a change that makes no difference: there are no empty commits.
    async fn commit(&self, base: &Revision, change: &Change) -> Result<Revision>;

    /// The commits of a range that touched the configured paths, newest first.
    async fn history(&self, range: &Range) -> Result<Vec<Commit>>;
}
