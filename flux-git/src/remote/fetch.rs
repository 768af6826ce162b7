//! Fetches from upstream into the mirror.
//!
//! Upstream is asked for its tip each time, and a tip that moved is fetched.

use std::sync::{Mutex, PoisonError};

use flux_core::backend::{Error, ErrorKind, Result};
use git2::{
    AutotagOption, Direction, FetchOptions, ObjectType, Oid, ProxyOptions, RemoteConnection, Repository,
};

use crate::{
    credentials::Credentials,
    errors::git_error,
    local::no_branch,
    mirror::Mirror,
    session::{Cancel, Session},
    url::RepoUrl,
};

#[derive(Debug)]
pub(crate) struct Remote {
    pub(super) url: RepoUrl,
    pub(super) mirror: Mirror,
    pub(super) credentials: Credentials,
    branch: Option<String>,
    pub(super) notes_ref: String,
    /// Of the URL: sets the references of several upstreams in one mirror apart.
    pub(super) key: String,
    /// The full name of the branch that was last found, when none is configured.
    found_branch: Mutex<Option<String>>,
}

/// The references of upstream that matter.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    pub(super) branch_ref: String,
    pub(super) tip: Oid,
    pub(super) notes: Option<Oid>,
}

/// The reason why upstream could not be read.
#[derive(Debug)]
pub(super) enum RefreshError {
    /// Because of upstream, or of the way there.
    Upstream(Error),
    /// Upstream was there, but the mirror could not take in what it has.
    Mirror(Error),
}

impl From<Error> for RefreshError {
    fn from(error: Error) -> Self {
        Self::Upstream(error)
    }
}

impl From<RefreshError> for Error {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Upstream(error) | RefreshError::Mirror(error) => error,
        }
    }
}

impl Remote {
    pub(crate) fn new(
        url: RepoUrl,
        mirror: Mirror,
        credentials: Credentials,
        branch: Option<String>,
        notes_ref: String,
    ) -> Self {
        let key = Oid::hash_object(ObjectType::Blob, url.transport().as_bytes())
            .map_or_else(|_| "upstream".to_owned(), |id| id.to_string()[..12].to_owned());
        Self { url, mirror, credentials, branch, notes_ref, key, found_branch: Mutex::default() }
    }

    /// Returns the mirror's copy of a reference upstream.
    pub(super) fn tracking(&self, name: &str) -> String {
        format!("refs/flux/{}/{}", self.key, name.strip_prefix("refs/").unwrap_or(name))
    }

    /// Asks upstream; fetches with the same connection what is not here yet.
    pub(super) fn refresh(&self, repo: &Repository, cancel: &Cancel) -> Result<Heads, RefreshError> {
        let session = Session::new(&self.url, &self.credentials, cancel);
        let failed = |error: git2::Error| session.error(&error, "fetching from");
        let broken = |error: git2::Error| match failed(error) {
            error if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound) => {
                RefreshError::Mirror(error)
            }
            error => RefreshError::Upstream(error),
        };
        let mut remote = repo.remote_anonymous(&self.url.transport()).map_err(failed)?;
        let mut connection = remote
            .connect_auth(Direction::Fetch, Some(session.callbacks()), Some(proxy()))
            .map_err(failed)?;
        let heads = self.pick(&connection)?;
        *self.found_branch.lock().unwrap_or_else(PoisonError::into_inner) = Some(heads.branch_ref.clone());
        if self.is_here(repo, &heads) {
            return Ok(heads);
        }
        let guard = self.mirror.lock()?;
        // Another process may have fetched while we waited, or pushed what we are about to fetch.
        if self.adopt(repo, &heads).map_err(broken)? {
            return Ok(heads);
        }
        let mut specs = vec![format!("+{0}:{1}", heads.branch_ref, self.tracking(&heads.branch_ref))];
        if heads.notes.is_some() {
            specs.push(format!("+{0}:{1}", self.notes_ref, self.tracking(&self.notes_ref)));
        }
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(session.callbacks())
            .proxy_options(proxy())
            .download_tags(AutotagOption::None)
            .update_fetchhead(false);
        tracing::debug!(url = %self.url, tip = %heads.tip, "fetching");
        connection.remote().fetch(&specs, Some(&mut options), None).map_err(broken)?;
        self.mirror.tidy(repo, &guard);
        Ok(heads)
    }

    fn pick(&self, connection: &RemoteConnection<'_, '_, '_>) -> Result<Heads> {
        let list =
            connection.list().map_err(|error| git_error(&error, "listing the references of", &self.url))?;
        let id_of = |name: &str| list.iter().find(|head| head.name() == name).map(git2::RemoteHead::oid);
        let branch_ref = match &self.branch {
            Some(branch) => format!("refs/heads/{branch}"),
            None => default_branch(list, &self.url)?,
        };
        let tip = id_of(&branch_ref).ok_or_else(|| no_branch(&self.url, &branch_ref))?;
        Ok(Heads { tip, notes: id_of(&self.notes_ref), branch_ref })
    }

    /// Returns `true` if the mirror has everything that upstream's references name.
    fn is_here(&self, repo: &Repository, heads: &Heads) -> bool {
        let at = |name: &str, id: Oid| repo.refname_to_id(&self.tracking(name)).is_ok_and(|here| here == id);
        at(&heads.branch_ref, heads.tip)
            && repo.find_commit(heads.tip).and_then(|commit| commit.tree()).is_ok()
            && self.mirrored_notes_tip(repo) == heads.notes
    }

    /// Moves the mirror's references to what upstream's name, if the mirror has it all. A commit is
    /// here only with all that it needs: packs arrive whole, and what we make ourselves stands on
    /// what is here.
    fn adopt(&self, repo: &Repository, heads: &Heads) -> Result<bool, git2::Error> {
        let here = |id: Oid| repo.find_commit(id).and_then(|commit| commit.tree()).is_ok();
        if heads.notes.is_none()
            && let Ok(mut notes) = repo.find_reference(&self.tracking(&self.notes_ref))
        {
            notes.delete()?;
        }
        if !here(heads.tip) || !heads.notes.is_none_or(here) {
            return Ok(false);
        }
        repo.reference(&self.tracking(&heads.branch_ref), heads.tip, true, "flux: upstream")?;
        if let Some(notes) = heads.notes {
            repo.reference(&self.tracking(&self.notes_ref), notes, true, "flux: upstream")?;
        }
        Ok(true)
    }

    /// Calls [`refresh`](Self::refresh), on a new mirror if the one that is there is in its way.
    pub(super) fn refresh_or_repair(&self, cancel: &Cancel) -> Result<Heads> {
        let looked = {
            let repo = self.mirror.open()?;
            self.refresh(&repo, cancel)
        };
        match looked {
            Err(RefreshError::Mirror(error)) => {
                tracing::warn!(url = %self.url, %error, "the mirror is damaged and is made anew");
                self.mirror.make_anew(&self.mirror.lock()?)?;
                Ok(self.refresh(&*self.mirror.open()?, cancel)?)
            }
            looked => Ok(looked?),
        }
    }

    /// Returns the tip of the notes' history as far as it is in the mirror.
    pub(super) fn mirrored_notes_tip(&self, repo: &Repository) -> Option<Oid> {
        repo.refname_to_id(&self.tracking(&self.notes_ref)).ok()
    }

    pub(super) fn branch_ref(&self, cancel: &Cancel) -> Result<String> {
        if let Some(branch) = &self.branch {
            return Ok(format!("refs/heads/{branch}"));
        }
        let found = self.found_branch.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match found {
            Some(found) => Ok(found),
            None => Ok(self.refresh_or_repair(cancel)?.branch_ref),
        }
    }
}

/// Returns the branch of upstream's `HEAD`.
///
/// For servers that don't say, it is the one that is where `HEAD` is.
fn default_branch(list: &[git2::RemoteHead<'_>], url: &RepoUrl) -> Result<String> {
    let branches = || list.iter().filter(|head| head.name().starts_with("refs/heads/"));
    let head = list.iter().find(|head| head.name() == "HEAD");
    let named = head.and_then(|head| head.symref_target()).map(ToOwned::to_owned);
    let guessed = || {
        let mut same = branches().filter(|branch| head.is_some_and(|head| head.oid() == branch.oid()));
        same.next().map(|branch| branch.name().to_owned())
    };
    named.or_else(guessed).ok_or_else(|| {
        if branches().next().is_none() {
            Error::not_found(url, format!("{url} is empty; push a first commit to it"))
        } else {
            Error::not_found(url, format!("HEAD of {url} names no branch; say which branch to use"))
        }
    })
}

pub(super) fn proxy() -> ProxyOptions<'static> {
    let mut options = ProxyOptions::new();
    options.auto();
    options
}
