//! A repository on this machine, used in place.
//!
//! Nothing is fetched or copied, and landing is moving a reference under its lock.
//!
//! libgit2's own push to a path overwrites a branch that moved meanwhile and skips all hooks. This
//! one compares under git's lock, and refuses a repository with hooks that could reject the push.
//! Hooks that are only notified afterwards (`post-…`) are not run.

use std::path::{Path, PathBuf};

use flux_core::backend::{Error, Result};
use git2::{ErrorCode, Oid, Repository};

use crate::{
    errors::git_error,
    objects,
    session::Cancel,
    store::{Loan, Store},
    upstream::{ATTEMPTS, Landing, Upstream, pause},
    url::RepoUrl,
};

/// The hooks that may refuse a push.
const DECIDING_HOOKS: [&str; 4] = ["pre-receive", "update", "reference-transaction", "proc-receive"];

#[derive(Debug)]
pub(crate) struct Local {
    url: RepoUrl,
    store: Store,
    branch: Option<String>,
    notes_ref: String,
}

impl Local {
    pub(crate) fn new(url: RepoUrl, path: &Path, branch: Option<String>, notes_ref: String) -> Self {
        Self { url, store: Store::new(path), branch, notes_ref }
    }

    /// Returns the full name of the branch: the configured one, or that of `HEAD`.
    fn branch_ref(&self, repo: &Repository) -> Result<String> {
        if let Some(branch) = &self.branch {
            return Ok(format!("refs/heads/{branch}"));
        }
        let head = repo.find_reference("HEAD").map_err(|error| self.failed(&error))?;
        match head.symbolic_target() {
            Ok(Some(name)) => Ok(name.to_owned()),
            _ => {
                let text = format!("HEAD of {} names no branch; say which branch to use", self.url);
                Err(Error::invalid(&self.url, text))
            }
        }
    }

    fn failed(&self, error: &git2::Error) -> Error {
        git_error(error, "reading", &self.url)
    }

    fn tip(&self, repo: &Repository, branch_ref: &str) -> Result<Oid> {
        match repo.refname_to_id(branch_ref) {
            Ok(tip) => Ok(tip),
            Err(error) if error.code() == ErrorCode::NotFound => Err(no_branch(&self.url, branch_ref)),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn refuse_what_a_push_would(&self, repo: &Repository, branch_ref: &str) -> Result<()> {
        let head = repo.find_reference("HEAD").ok();
        let checked_out = head.as_ref().and_then(|head| head.symbolic_target().ok().flatten());
        if !repo.is_bare() && checked_out == Some(branch_ref) {
            let text = format!(
                "{} is a working copy with {branch_ref} checked out, which would not follow; use a bare repository, or check out another branch there",
                self.url
            );
            return Err(Error::rejected(&self.url, text));
        }
        let configured = repo.config().ok().and_then(|config| config.get_path("core.hooksPath").ok());
        let folder =
            configured.map_or_else(|| repo.commondir().join("hooks"), |path| repo.commondir().join(path));
        match DECIDING_HOOKS.iter().map(|name| folder.join(name)).find(is_executable) {
            None => Ok(()),
            Some(hook) => {
                let text = format!(
                    "{} has a hook that decides what is pushed ({}), which is not run for a path; reach the repository over ssh or http",
                    self.url,
                    hook.display()
                );
                Err(Error::rejected(&self.url, text))
            }
        }
    }

    /// Moves both references, each under its lock, the branch only from the base.
    fn swap<'l>(&'l self, repo: &Repository, branch_ref: &'l str, landing: &Landing<'_>) -> Result<Swap<'l>> {
        let failed = |error: git2::Error| git_error(&error, "moving the branch of", &self.url);
        let mut transaction = repo.transaction().map_err(failed)?;
        for name in [Some(branch_ref), landing.note.map(|_| self.notes_ref.as_str())].into_iter().flatten() {
            match transaction.lock_ref(name) {
                Ok(()) => {}
                Err(error) if error.code() == ErrorCode::Locked => return Ok(Swap::Held(name)),
                Err(error) => return Err(failed(error)),
            }
        }
        let tip = self.tip(repo, branch_ref)?;
        if tip == landing.commit {
            // It is the same commit in every bit: it landed before, and the answer got lost.
            return Ok(Swap::Done);
        }
        if tip != landing.base {
            return Err(Error::moved(&objects::revision(landing.base)));
        }
        let note = landing.attach_note(repo, self.notes_tip(repo)).unwrap_or_else(|error| {
            self.note_is_lost(landing, error.message());
            None
        });
        transaction.set_target(branch_ref, landing.commit, None, "flux: commit").map_err(failed)?;
        if let Some(note) = note {
            transaction.set_target(&self.notes_ref, note, None, "flux: note").map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        Ok(Swap::Done)
    }

    /// Logs that a note is lost.
    ///
    /// The branch decides: nothing about notes fails a release.
    fn note_is_lost(&self, landing: &Landing<'_>, why: &str) {
        tracing::warn!(url = %self.url, commit = %landing.commit, why, "the note of the commit is lost");
    }
}

/// The outcome of an attempt to move references.
enum Swap<'l> {
    /// They are where they should be.
    Done,
    /// Somebody else holds the lock of this one.
    Held(&'l str),
}

impl Upstream for Local {
    fn store(&self) -> Result<Loan<'_>> {
        self.store.open().map_err(|error| git_error(&error, "opening", &self.url))
    }

    fn head(&self, _: &Cancel) -> Result<Oid> {
        let repo = self.store()?;
        self.tip(&repo, &self.branch_ref(&repo)?)
    }

    fn branch(&self, _: &Cancel) -> Result<String> {
        self.branch_ref(&*self.store()?)
    }

    fn notes_tip(&self, repo: &Repository) -> Option<Oid> {
        repo.refname_to_id(&self.notes_ref).ok()
    }

    fn land(&self, landing: &Landing<'_>, cancel: &Cancel) -> Result<()> {
        let repo = self.store()?;
        let branch_ref = self.branch_ref(&repo)?;
        self.refuse_what_a_push_would(&repo, &branch_ref)?;
        let mut landing = *landing;
        let mut held = branch_ref.as_str();
        for attempt in 0..ATTEMPTS {
            if cancel.is_cancelled() {
                break;
            }
            held = match self.swap(&repo, &branch_ref, &landing)? {
                Swap::Done => return Ok(()),
                Swap::Held(held) => held,
            };
            if held == self.notes_ref && attempt >= ATTEMPTS / 2 {
                self.note_is_lost(&landing, "another program holds the lock of the notes");
                landing.note = None;
            }
            pause(attempt);
        }
        let text = format!(
            "{held} of {} stays locked by another program; if none runs, remove the `.lock` file beside the reference",
            self.url
        );
        Err(Error::unavailable(&self.url, text))
    }

    fn repair(&self, _: &Cancel) -> Result<()> {
        // It is not ours to repair; but it may have been packed anew since it was opened.
        self.store.forget();
        Ok(())
    }
}

/// Returns the error for a branch that upstream doesn't have.
pub(crate) fn no_branch(url: &RepoUrl, branch_ref: &str) -> Error {
    let branch = branch_ref.strip_prefix("refs/heads/").unwrap_or(branch_ref);
    let text =
        format!("{url} has no branch `{branch}`, or no commit on it; push one there, or name another branch");
    Error::not_found(url, text)
}

fn is_executable(file: &PathBuf) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    {
        file.is_file()
    }
}
