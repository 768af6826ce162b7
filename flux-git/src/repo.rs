//! [`GitRepo`]: the [`ConfigRepo`] over git.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use flux_core::backend::{
    Author, Change, Commit, ConfigRepo, ContentId, Error, ErrorKind, FileBody, Range, Result, Revision, Tree,
};
use git2::{Oid, Repository};

use crate::{
    changed, history, objects,
    paths::Paths,
    session::{Cancel, CancelOnDrop},
    upstream::{Landing, Upstream},
    url::RepoUrl,
};

/// How many trees are kept. A daemon looks at the newest and at the last one synced.
const TREES_KEPT: usize = 4;

/// One branch of a git repository, under some of its paths.
///
/// A repository on this machine is used in place; one behind a server is mirrored, in a folder
/// given or a temporary one. There is no checkout: trees and files are read from git's objects, and
/// commits are made of them.
///
/// Made by [`GitRepo::builder`]. Its work is done on the blocking threads of a tokio runtime.
/// Dropping a future stops a fetch; a push that was not sent yet is not sent then.
///
/// ```no_run
/// # async fn example() -> flux_core::backend::Result<()> {
/// use flux_core::backend::ConfigRepo as _;
/// use flux_git::{Credentials, GitRepo};
///
/// let repo = GitRepo::builder("git@git.example.com:shop/config.git")
///     .branch("main")
///     .paths(["deploy/prod"])
///     .mirror("/var/cache/flux/mirror")
///     .credentials(
///         Credentials::none().ssh_identity("/etc/flux/identity").known_hosts("/etc/flux/known_hosts"),
///     )
///     .open()?;
/// let tip = repo.head().await?;
/// println!("{} files at {}", repo.tree(&tip).await?.files().count(), tip.short());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct GitRepo {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) url: RepoUrl,
    pub(crate) paths: Paths,
    pub(crate) committer: Author,
    pub(crate) upstream: Box<dyn Upstream>,
    /// Newest last.
    pub(crate) trees: Mutex<VecDeque<(Oid, Tree)>>,
}

impl GitRepo {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Returns the address, without its secrets.
    pub fn url(&self) -> String {
        self.inner.url.to_string()
    }

    /// Returns the name of the branch: the one given, or that of upstream's `HEAD`, which is asked
    /// for if nothing was asked yet.
    ///
    /// # Errors
    /// Those of [`head`](flux_core::backend::ConfigRepo::head).
    pub async fn branch(&self) -> Result<String> {
        let branch = self.work(|inner, cancel| inner.upstream.branch(cancel)).await?;
        Ok(branch.strip_prefix("refs/heads/").unwrap_or(&branch).to_owned())
    }

    /// Does blocking work, which is signalled when nobody waits for it any more.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner, &Cancel) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        let waiting = CancelOnDrop::default();
        let cancel = waiting.0.clone();
        match tokio::task::spawn_blocking(move || work(&inner, &cancel)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::unavailable(&self.inner.url, "the tokio runtime is shutting down")),
            },
        }
    }
}

impl fmt::Debug for GitRepo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitRepo").field("url", &self.inner.url).field("paths", &self.inner.paths).finish()
    }
}

impl Inner {
    /// Works in the store, and once more in a new one if the store is at fault.
    ///
    /// It is at fault if it is damaged, or lacks objects that upstream has.
    fn in_store<T>(&self, cancel: &Cancel, work: impl Fn(&Repository) -> Result<T>) -> Result<T> {
        let may_be_the_store = |error: &Error| {
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::Unavailable)
        };
        let first = work(&*self.upstream.store()?);
        match first {
            Err(error) if may_be_the_store(&error) => {
                self.upstream.repair(cancel)?;
                work(&*self.upstream.store()?)
            }
            other => other,
        }
    }

    fn tree(&self, at: &Revision, cancel: &Cancel) -> Result<Tree> {
        let kept = || self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = objects::full_id(at.as_str()).and_then(|id| {
            let trees = kept();
            trees.iter().find(|(of, _)| *of == id).map(|(_, tree)| tree.clone())
        });
        if let Some(tree) = cached {
            return Ok(tree);
        }
        let newest = kept().back().cloned();
        let (id, tree) = self.in_store(cancel, |repo| {
            let id = objects::find_commit(repo, at)?.id();
            let changed = newest.as_ref().and_then(|(of, tree)| {
                // What cannot be compared is listed.
                changed::since(repo, (*of, tree), id, &self.paths).ok().flatten()
            });
            match changed {
                Some(tree) => Ok((id, tree)),
                None => Ok((id, objects::list(repo, id, &self.paths)?)),
            }
        })?;
        let mut trees = kept();
        if trees.len() == TREES_KEPT {
            trees.pop_front();
        }
        trees.push_back((id, tree.clone()));
        Ok(tree)
    }

    fn commit(&self, base: &Revision, change: &Change, cancel: &Cancel) -> Result<Revision> {
        let (base, commit) = self.in_store(cancel, |repo| {
            let base = objects::find_commit(repo, base)?.id();
            Ok((base, objects::build(repo, base, change, &self.paths, &self.committer)?))
        })?;
        let landing = Landing {
            base,
            commit,
            note: change.note.as_deref(),
            committer: &self.committer,
            time: change.time,
        };
        self.upstream.land(&landing, cancel)?;
        Ok(objects::revision(commit))
    }
}

#[async_trait]
impl ConfigRepo for GitRepo {
    async fn head(&self) -> Result<Revision> {
        self.work(|inner, cancel| inner.upstream.head(cancel).map(objects::revision)).await
    }

    async fn tree(&self, at: &Revision) -> Result<Tree> {
        let at = at.clone();
        self.work(move |inner, cancel| inner.tree(&at, cancel)).await
    }

    async fn read(&self, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = ids.to_vec();
        self.work(move |inner, cancel| inner.in_store(cancel, |repo| objects::read(repo, &ids, limit))).await
    }

    async fn commit(&self, base: &Revision, change: &Change) -> Result<Revision> {
        let (base, change) = (base.clone(), change.clone());
        self.work(move |inner, cancel| inner.commit(&base, &change, cancel)).await
    }

    async fn history(&self, range: &Range) -> Result<Vec<Commit>> {
        let range = range.clone();
        self.work(move |inner, cancel| {
            inner.in_store(cancel, |repo| {
                history::history(repo, &range, &inner.paths, inner.upstream.notes_tip(repo))
            })
        })
        .await
    }
}
