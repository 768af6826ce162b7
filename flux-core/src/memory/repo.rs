//! [`MemoryRepo`]: a [`ConfigRepo`] in memory, with a linear history of whole trees.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    backend::{
        Author, Change, Commit, ConfigRepo, ContentId, Entry as TreeEntry, Error, FileBody, Range, Result,
        Revision, Tree,
    },
    repo_path::{RepoPath, is_under},
};

/// A [`ConfigRepo`] in memory.
///
/// It is upstream and mirror in one: [`push_file`](Self::push_file) is what somebody else's `git
/// push` is to a real one. Clones share the repository. Contents are addressed by the hex SHA-256
/// of their bytes and revisions by that of all that they hold, so equal calls give equal revisions.
///
/// As in git, a file may be pushed under a path that no checkout could have, as `.git/config`. In
/// its [`tree`](ConfigRepo::tree) that is [misnamed](TreeEntry::Misnamed).
///
/// ```
/// # futures::executor::block_on(async {
/// use flux_core::{backend::ConfigRepo as _, memory::MemoryRepo};
///
/// let repo = MemoryRepo::new([("shop/web.yaml", "kind: Deployment\n")]);
/// let first = repo.head().await?;
/// let second = repo.push_file("shop/web.yaml", "kind: DaemonSet\n", "Try a daemon set");
/// assert_ne!(first, second);
/// assert_eq!(repo.head().await?, second);
/// # Ok::<_, flux_core::backend::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct MemoryRepo {
    upstream: Arc<Mutex<Upstream>>,
    /// Normalised; empty for the whole repository.
    paths: Vec<String>,
    committer: Author,
}

#[derive(Debug, Default)]
struct Upstream {
    /// Oldest first.
    ///
    /// The last is the tip; there is always one.
    commits: Vec<Entry>,
    contents: BTreeMap<ContentId, Bytes>,
}

#[derive(Debug)]
struct Entry {
    commit: Commit,
    /// As in git, a file may have a path that no checkout could have.
    files: BTreeMap<String, ContentId>,
    /// Those that can be run, whether or not they are among the files.
    executable: BTreeSet<String>,
}

impl Default for MemoryRepo {
    fn default() -> Self {
        Self::new::<String, Bytes>([])
    }
}

impl MemoryRepo {
    /// Returns a repository of one commit with these files, by path from its root.
    pub fn new<P: Into<String>, B: Into<Bytes>>(files: impl IntoIterator<Item = (P, B)>) -> Self {
        let repo = Self {
            upstream: Arc::default(),
            paths: Vec::new(),
            committer: Author { name: "Flux".into(), email: String::new() },
        };
        repo.push(files.into_iter().map(|(path, body)| (path, Some(body.into()))), "Initial commit");
        repo
    }

    /// Returns the same repository, of which these files can be run, now and in all commits that
    /// follow.
    #[must_use]
    pub fn with_executables<P: Into<String>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        if let Some(tip) = self.lock().commits.last_mut() {
            tip.executable.extend(paths.into_iter().map(Into::into));
        }
        self
    }

    /// Returns the same repository seen under these paths only: files, or folders with all that is
    /// below them.
    ///
    /// None means everything.
    ///
    /// ```
    /// # use flux_core::memory::MemoryRepo;
    /// let all = MemoryRepo::new([("dev/web.yaml", "a: 1\n"), ("prod/web.yaml", "a: 2\n")]);
    /// let prod = all.clone().with_paths(["prod"]);
    /// ```
    #[must_use]
    pub fn with_paths<P: AsRef<str>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.paths = paths
            .into_iter()
            .map(|path| path.as_ref().trim_matches('/').to_owned())
            .filter(|path| !path.is_empty() && path != ".")
            .collect();
        self
    }

    /// Sets the committer, who is the author of what has none of its own.
    ///
    /// By default `Flux`, with no address.
    #[must_use]
    pub fn with_committer(mut self, committer: Author) -> Self {
        self.committer = committer;
        self
    }

    /// Moves upstream by another hand: one commit that writes one file.
    pub fn push_file(&self, path: impl Into<String>, body: impl Into<Bytes>, message: &str) -> Revision {
        self.push([(path, Some(body.into()))], message)
    }

    /// Moves upstream by another hand: one commit that takes one file away.
    pub fn remove_file(&self, path: impl Into<String>, message: &str) -> Revision {
        self.push([(path, None)], message)
    }

    /// Moves upstream by another hand: one commit that writes some files and takes others (`None`)
    /// away.
    ///
    /// It is dated one second after the one before it; the first one is of 1970.
    pub fn push<P: Into<String>>(
        &self,
        files: impl IntoIterator<Item = (P, Option<Bytes>)>,
        message: &str,
    ) -> Revision {
        let mut upstream = self.lock();
        let (mut tree, time) = match upstream.commits.last() {
            Some(tip) => (
                tip.files.clone(),
                tip.commit.time.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX),
            ),
            None => (BTreeMap::new(), Timestamp::UNIX_EPOCH),
        };
        for (path, body) in files {
            let path = path.into();
            match body {
                Some(body) => tree.insert(path, upstream.store(body)),
                None => tree.remove(&path),
            };
        }
        let author = Author { name: "Another Hand".into(), email: "hand@example.com".into() };
        upstream.land(tree, author, time, message, None)
    }

    fn lock(&self) -> MutexGuard<'_, Upstream> {
        // Every change of the state is a single push, so that a panic elsewhere leaves it whole.
        self.upstream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn covers(&self, path: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|root| is_under(path, root))
    }
}

impl Upstream {
    fn store(&mut self, body: Bytes) -> ContentId {
        let id = ContentId::new(hex(&[&body]));
        self.contents.insert(id.clone(), body);
        id
    }

    fn land(
        &mut self,
        files: BTreeMap<String, ContentId>,
        author: Author,
        time: Timestamp,
        message: &str,
        note: Option<String>,
    ) -> Revision {
        let parent = self.commits.last().map_or("", |entry| entry.commit.revision.as_str());
        let mut parts = vec![parent.to_owned(), author.name.clone(), author.email.clone()];
        parts.extend([time.to_string(), message.to_owned()]);
        for (path, id) in &files {
            parts.extend([path.clone(), id.to_string()]);
        }
        let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
        let revision = Revision::new(hex(&parts));
        let parents = self.commits.last().map(|entry| entry.commit.revision.clone()).into_iter().collect();
        let message = message.to_owned();
        let commit = Commit { revision: revision.clone(), parents, author, time, message, note };
        let executable = self.commits.last().map(|tip| tip.executable.clone()).unwrap_or_default();
        self.commits.push(Entry { commit, files, executable });
        revision
    }

    fn position(&self, revision: &Revision) -> Result<usize> {
        self.commits.iter().rposition(|entry| entry.commit.revision == *revision).ok_or_else(|| {
            Error::not_found(revision, format!("no revision {revision} in the repository in memory"))
        })
    }
}

#[async_trait]
impl ConfigRepo for MemoryRepo {
    async fn head(&self) -> Result<Revision> {
        let tip = self.lock().commits.last().map(|entry| entry.commit.revision.clone());
        tip.ok_or_else(|| Error::not_found("the repository in memory", "the repository in memory is empty"))
    }

    async fn tree(&self, at: &Revision) -> Result<Tree> {
        let upstream = self.lock();
        let entry = &upstream.commits[upstream.position(at)?];
        let all = &entry.files;
        let missing = self.paths.iter().filter(|root| !all.keys().any(|path| is_under(path, root)));
        let mut tree = Tree::under(self.paths.iter().cloned());
        for (path, id) in all.iter().filter(|(path, _)| self.covers(path)) {
            let executable = entry.executable.contains(path);
            tree.insert(path.as_str(), TreeEntry::File { id: id.clone(), executable });
        }
        missing.for_each(|root| tree.insert_missing(root));
        Ok(tree)
    }

    async fn read(&self, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>> {
        let upstream = self.lock();
        ids.iter()
            .map(|id| match upstream.contents.get(id) {
                Some(body) if body.len() as u64 > limit => Ok(FileBody::TooLarge { size: body.len() as u64 }),
                Some(body) => Ok(FileBody::Bytes(body.clone())),
                None => Err(Error::not_found(id, format!("no content {id} in the repository in memory"))),
            })
            .collect()
    }

    async fn commit(&self, base: &Revision, change: &Change) -> Result<Revision> {
        let mut upstream = self.lock();
        let at = upstream.position(base)?;
        if at + 1 != upstream.commits.len() {
            return Err(Error::moved(base));
        }
        let mut files = upstream.commits[at].files.clone();
        let before = files.clone();
        for path in change.files.keys() {
            let path = path.as_str();
            if !self.covers(path) {
                let what = format!("{path} is outside of the configured paths; add its folder to them");
                return Err(Error::invalid(path, what));
            }
            let changed = change.files.keys().map(RepoPath::as_str);
            let all = || files.keys().map(String::as_str).chain(changed.clone());
            if let Some(below) = all().find(|other| *other != path && is_under(other, path)) {
                let what =
                    format!("{path} cannot be a file: there is {below} in it, at {base} or by this change");
                return Err(Error::invalid(path, what));
            }
            if let Some(file) = all().find(|other| *other != path && is_under(path, other)) {
                let what =
                    format!("{path} cannot be written: {file} is a file in revision {base}, no folder");
                return Err(Error::invalid(path, what));
            }
        }
        for (path, body) in &change.files {
            files.insert(path.to_string(), upstream.store(body.clone()));
        }
        if files == before {
            let text = format!("the change makes no difference to {base}; there is nothing to commit");
            return Err(Error::invalid(base, text));
        }
        let author = change.author.clone().unwrap_or_else(|| self.committer.clone());
        Ok(upstream.land(files, author, change.time, &change.message, change.note.clone()))
    }

    async fn history(&self, range: &Range) -> Result<Vec<Commit>> {
        let upstream = self.lock();
        let end = upstream.position(&range.upto)?;
        let start = match &range.after {
            Some(after) => upstream.position(after)? + 1,
            None => 0,
        };
        let nothing = BTreeMap::new();
        let touched = |at: usize| {
            let before = if at == 0 { &nothing } else { &upstream.commits[at - 1].files };
            let after = &upstream.commits[at].files;
            let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            // Without paths every commit counts, even one that changes no file.
            self.paths.is_empty()
                || paths.into_iter().any(|path| self.covers(path) && before.get(path) != after.get(path))
        };
        let commit = |at: usize| {
            let parent = (0..at).rev().find(|at| touched(*at));
            let parents = parent.map(|at| upstream.commits[at].commit.revision.clone()).into_iter().collect();
            Commit { parents, ..upstream.commits[at].commit.clone() }
        };
        Ok((start..=end).rev().filter(|at| touched(*at)).take(range.limit).map(commit).collect())
    }
}

/// Returns the hex SHA-256 of one part, or of several with their lengths.
fn hex(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        if parts.len() > 1 {
            hash.update((part.len() as u64).to_be_bytes());
        }
        hash.update(part);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn what_no_checkout_could_have_is_misnamed_in_the_tree_and_stays() {
        let repo = MemoryRepo::new([("a/web.yaml", "a: 1\n"), ("a/.git/web.yaml", "a: 1\n")]);
        repo.push_file("../web.yaml", "a: 1\n", "Outside");
        let left_out = |at: &Revision| {
            let tree = block_on(repo.tree(at)).unwrap();
            tree.left_out().map(|(path, _)| path.to_string()).collect::<Vec<_>>()
        };
        let base = block_on(repo.head()).unwrap();
        assert_eq!(left_out(&base), ["a/\u{fffd}.git/web.yaml", "\u{fffd}../web.yaml"]);
        let files = [("a/web.yaml".parse().unwrap(), "a: 2\n".into())].into();
        let time = Timestamp::UNIX_EPOCH;
        let change = Change { files, message: String::new(), author: None, time, note: None };
        let landed = block_on(repo.commit(&base, &change)).unwrap();
        assert_eq!(left_out(&landed), left_out(&base));
        assert_eq!(left_out(&repo.remove_file("../web.yaml", "Inside")), ["a/\u{fffd}.git/web.yaml"]);
    }
}
