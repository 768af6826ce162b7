//! [`ProcessGenerator`]: makes private copies of the repository.

use std::{collections::BTreeMap, path::PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use flux_core::{
    RepoPath,
    backend::{ConfigRepo, FileBody, Tree},
    generate::{Checkout, GenerateError, Generator},
};

use crate::{checkout::FolderCheckout, isolation::hide_this_process, limits::Limits};

/// The number of files that are read from the repository at a time.
const READ_BATCH: usize = 32;

/// A [`Generator`] that runs commands as processes of this machine.
///
/// Made by [`ProcessGenerator::builder`](Self::builder). It is used on a tokio runtime.
#[derive(Clone, Debug)]
pub struct ProcessGenerator {
    folder: Option<PathBuf>,
    limits: Limits,
}

impl ProcessGenerator {
    pub(crate) fn new(folder: Option<PathBuf>, limits: Limits) -> Self {
        Self { folder, limits }
    }
}

#[async_trait]
impl Generator for ProcessGenerator {
    async fn checkout(
        &self,
        repo: &dyn ConfigRepo,
        tree: &Tree,
        over: &BTreeMap<RepoPath, Bytes>,
    ) -> Result<Box<dyn Checkout>, GenerateError> {
        hide_this_process()?;
        let mut checkout = FolderCheckout::new(self.folder.as_deref(), self.limits)?;
        let read: Vec<_> = tree.files().filter(|(path, _)| !over.contains_key(*path)).collect();
        for batch in read.chunks(READ_BATCH) {
            let ids: Vec<_> = batch.iter().map(|(_, id)| (*id).clone()).collect();
            let bodies = repo.read(&ids, u64::MAX).await?;
            for ((path, _), body) in batch.iter().zip(bodies) {
                if let FileBody::Bytes(bytes) = body {
                    checkout.write(path, &bytes, tree.is_executable(path))?;
                }
            }
        }
        for (path, bytes) in over {
            checkout.write(path, bytes, tree.is_executable(path))?;
        }
        Ok(Box::new(checkout))
    }
}
