//! The identity of a document among all files.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::repo_path::RepoPath;

/// The identity of a document: its file, and its place among the objects of the file.
///
/// Exhaustive: it is an identity, and two are equal if all of it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocumentId {
    /// The file's path.
    pub path: RepoPath,
    /// The document's index in [`ParsedFile::resources`](super::ParsedFile::resources).
    pub index: usize,
}

impl DocumentId {
    /// Names a document of a file.
    pub fn new(path: RepoPath, index: usize) -> Self {
        Self { path, index }
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "object {} of {}", self.index + 1, self.path)
    }
}
