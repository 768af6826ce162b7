//! The files of a revision, some of them with other contents, or added.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Checkout, GenerateError, Generator};
use crate::{
    backend::{ConfigRepo, Error as BackendError, FileBody, Tree},
    manifest,
    repo_path::RepoPath,
};

/// New contents of files by their paths.
pub(crate) type Files = BTreeMap<RepoPath, Bytes>;

/// The files of a revision, those in `over` with these contents instead.
#[derive(Clone, Copy, Debug)]
pub(super) struct RevisionFiles<'a> {
    pub(super) repo: &'a dyn ConfigRepo,
    pub(super) tree: &'a Tree,
    pub(super) over: &'a Files,
}

impl<'a> RevisionFiles<'a> {
    /// Returns the same revision with other contents.
    pub(super) fn with(self, over: &'a Files) -> Self {
        Self { over, ..self }
    }

    /// Returns the paths of all files.
    pub(super) fn paths(self) -> impl Iterator<Item = &'a RepoPath> {
        self.tree.file_paths().chain(self.over.keys())
    }

    /// Reads a file; `None` if it is not there, or too large.
    pub(super) async fn read(self, path: &str) -> Result<Option<Bytes>, BackendError> {
        if let Some(bytes) = self.over.get(path) {
            return Ok(Some(bytes.clone()));
        }
        let Some(id) = self.tree.file(path) else { return Ok(None) };
        let bodies = self.repo.read(std::slice::from_ref(id), manifest::MAX_FILE_BYTES).await?;
        Ok(bodies.into_iter().next().and_then(|body| match body {
            FileBody::Bytes(bytes) => Some(bytes),
            FileBody::TooLarge { .. } => None,
        }))
    }

    /// Makes a private copy.
    ///
    /// That the repository cannot be read is an error of its own: nothing can be done then.
    pub(super) async fn checkout(
        self,
        generator: &dyn Generator,
    ) -> Result<Result<Box<dyn Checkout>, GenerateError>, BackendError> {
        match generator.checkout(self.repo, self.tree, self.over).await {
            Err(GenerateError::Repo(error)) => Err(error),
            other => Ok(other),
        }
    }
}
