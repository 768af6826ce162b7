//! The object database on disk, used from many threads.
//!
//! A libgit2 repository can be sent to another thread but not shared, so each piece of work borrows
//! one of its own and gives it back.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use git2::Repository;

/// A repository on disk, opened as often as it is used at once.
pub(crate) struct Store {
    path: PathBuf,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// Goes up when what was opened before is of no use any more.
    generation: u64,
    repositories: Vec<Repository>,
}

impl Store {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), idle: Mutex::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a repository for the caller alone.
    pub(crate) fn open(&self) -> Result<Loan<'_>, git2::Error> {
        let (generation, idle) = {
            let mut idle = self.lock();
            (idle.generation, idle.repositories.pop())
        };
        let repository = match idle {
            Some(repository) => repository,
            None => Repository::open(&self.path)?,
        };
        Ok(Loan { store: self, generation, repository: Some(repository) })
    }

    /// Closes what is open, as the repository is made anew.
    pub(crate) fn forget(&self) {
        let mut idle = self.lock();
        idle.generation += 1;
        idle.repositories.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.path.display())
    }
}

/// A repository that goes back to its store when dropped.
pub(crate) struct Loan<'s> {
    store: &'s Store,
    generation: u64,
    /// `None` only while dropping.
    repository: Option<Repository>,
}

impl Deref for Loan<'_> {
    type Target = Repository;

    #[expect(clippy::expect_used, reason = "it is only taken out when the loan is dropped")]
    fn deref(&self) -> &Repository {
        self.repository.as_ref().expect("a loan holds its repository until it is dropped")
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut idle = self.store.lock();
        if idle.generation == self.generation {
            idle.repositories.extend(self.repository.take());
        }
    }
}
