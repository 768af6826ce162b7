//! The interface to the upstream repository.
//!
//! It is a repository on this machine, used in place, or one behind a server, mirrored.

use std::{fmt, time::Duration};

use flux_core::backend::{Author, Result};
use git2::{Oid, Repository};
use jiff::Timestamp;

use crate::{notes, objects::Stamp, session::Cancel, store::Loan};

/// A commit made in the object database, to become the tip of the branch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Landing<'a> {
    pub(crate) base: Oid,
    pub(crate) commit: Oid,
    pub(crate) note: Option<&'a str>,
    pub(crate) committer: &'a Author,
    pub(crate) time: Timestamp,
}

impl Landing<'_> {
    /// Returns the commit of the notes' history on `tip` that holds the note, if there is one to
    /// land.
    pub(crate) fn attach_note(
        &self,
        repo: &Repository,
        tip: Option<Oid>,
    ) -> Result<Option<Oid>, git2::Error> {
        let stamp = Stamp { who: self.committer, when: self.time };
        self.note.map(|note| notes::attach(repo, tip, self.commit, note, &stamp)).transpose()
    }
}

/// The repository that has the branch. All methods block.
pub(crate) trait Upstream: fmt::Debug + Send + Sync {
    /// Returns the objects that are here already.
    fn store(&self) -> Result<Loan<'_>>;

    /// Returns the tip of the branch, now; its objects are in the store then.
    fn head(&self, cancel: &Cancel) -> Result<Oid>;

    /// Returns the full name of the branch: the configured one, or that of upstream's `HEAD`.
    fn branch(&self, cancel: &Cancel) -> Result<String>;

    /// Returns the tip of the notes' history as far as it is in the store.
    fn notes_tip(&self, repo: &Repository) -> Option<Oid>;

    /// Moves the branch from the base to the commit, which is in the store, and the notes with it.
    ///
    /// The branch decides: a note that can't be landed is logged and lost, its commit is not.
    fn land(&self, landing: &Landing<'_>, cancel: &Cancel) -> Result<()>;

    /// Does what there is to do about a store that disappointed: opens it anew, and makes it anew
    /// if it is damaged.
    fn repair(&self, cancel: &Cancel) -> Result<()>;
}

/// How often something that others hold just now is tried again.
pub(crate) const ATTEMPTS: u32 = 12;

/// Waits before another attempt: 5 ms doubling to 320 ms, under 3 s in all.
///
/// The wait depends on process and attempt, so that two who met part.
pub(crate) fn pause(attempt: u32) {
    let jitter = Duration::from_millis(u64::from(std::process::id() % 7));
    std::thread::sleep(Duration::from_millis(5 << attempt.min(6)) + jitter);
}
