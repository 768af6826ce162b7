//! [`Tree`]: what a revision has under the configured paths, as one map of typed entries.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use serde::{Deserialize, Serialize};

use super::ContentId;
use crate::repo_path::{self, InvalidPath, RepoPath, is_under};

/// The kinds of things that a [`Tree`] has at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Entry {
    /// A file.
    File {
        /// The address of its content.
        id: ContentId,
        /// `true` if it can be run, where the repository keeps that (for git, mode 100755).
        executable: bool,
    },
    /// A symbolic link.
    ///
    /// Where it leads is not followed.
    Link,
    /// Another repository at a fixed revision.
    ///
    /// It is not looked into.
    Submodule,
    /// A file or folder whose name is not UTF-8, or one that git refuses to check out.
    ///
    /// In its path `\u{fffd}` stands for what makes it so. It is left out, with all that is in it.
    Misnamed {
        /// `true` for a folder.
        is_folder: bool,
    },
    /// A file or folder that is there and cannot be read.
    ///
    /// It is left out, with all that is in it. A repository whose contents stand in a database of
    /// its own has none.
    Unreadable {
        /// `true` for a folder.
        is_folder: bool,
        /// Why, in the words of the system.
        reason: String,
    },
}

impl Entry {
    /// Returns `true` for a symbolic link and for a submodule: they lead elsewhere.
    pub fn leads_elsewhere(&self) -> bool {
        matches!(self, Self::Link | Self::Submodule)
    }
}

/// The entries of a revision under the configured paths, by path.
///
/// Folders are not entries of their own, but for those that are left out ([`Entry::Misnamed`],
/// [`Entry::Unreadable`]). Clones share the entries.
///
/// ```
/// use flux_core::backend::{ContentId, Entry, Tree};
///
/// let mut tree = Tree::under(["deploy"]);
/// tree.insert("deploy/web.yaml", Entry::File { id: ContentId::new("4f2a"), executable: false });
/// tree.insert("deploy/latest.yaml", Entry::Link);
/// assert!(tree.file("deploy/web.yaml").is_some() && tree.file("deploy/latest.yaml").is_none());
/// assert!(tree.refuses("README.md").is_some(), "it is outside of the configured paths");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tree(Arc<Listing>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Listing {
    roots: Vec<String>,
    missing: Vec<String>,
    entries: BTreeMap<RepoPath, Entry>,
}

impl Tree {
    /// Makes an empty tree that covers these paths, written without slashes around them; of the
    /// whole repository if there are none.
    pub fn under<P: Into<String>>(roots: impl IntoIterator<Item = P>) -> Self {
        let roots = roots.into_iter().map(Into::into).collect();
        Self(Arc::new(Listing { roots, ..Listing::default() }))
    }

    /// Puts an entry at a path.
    ///
    /// An entry whose path is no [`RepoPath`] is [misnamed](Entry::Misnamed), whatever it is: no
    /// checkout could have it. A misnamed entry gets one more `\u{fffd}` if its path is that of
    /// another, so that neither is lost.
    pub fn insert<P>(&mut self, path: P, entry: Entry)
    where
        P: TryInto<RepoPath, Error: Into<InvalidPath>>,
    {
        match path.try_into().map_err(Into::into) {
            Ok(path) => self.insert_valid(path, entry),
            Err(InvalidPath { path, .. }) => {
                let is_folder = match entry {
                    Entry::Misnamed { is_folder } | Entry::Unreadable { is_folder, .. } => is_folder,
                    Entry::File { .. } | Entry::Link | Entry::Submodule => false,
                };
                self.insert_misnamed(repo_path::nearest(&path), is_folder);
            }
        }
    }

    fn insert_valid(&mut self, path: RepoPath, entry: Entry) {
        if let Entry::Misnamed { is_folder } = entry {
            return self.insert_misnamed(path, is_folder);
        }
        let before = Arc::make_mut(&mut self.0).entries.insert(path.clone(), entry);
        if let Some(Entry::Misnamed { is_folder }) = before {
            self.insert_misnamed(path, is_folder);
        }
    }

    fn insert_misnamed(&mut self, path: RepoPath, is_folder: bool) {
        let entries = &mut Arc::make_mut(&mut self.0).entries;
        // A folder may have thousands of names that come to the same.
        let numbered = |n: usize| match n {
            0 => path.clone(),
            1 => repo_path::nearest(&format!("{path}\u{fffd}")),
            n => repo_path::nearest(&format!("{path}\u{fffd}{n}")),
        };
        let is_taken = |n: usize| entries.contains_key(&numbered(n));
        let mut above = 1;
        while is_taken(above - 1) {
            above *= 2;
        }
        let (mut low, mut high) = (above / 2, above - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_taken(middle) { low = middle + 1 } else { high = middle }
        }
        let free = numbered(low);
        entries.insert(free, Entry::Misnamed { is_folder });
    }

    /// Takes away what is at a path.
    pub fn remove(&mut self, path: &RepoPath) {
        Arc::make_mut(&mut self.0).entries.remove(path);
    }

    /// Notes that the revision does not have a configured path.
    pub fn insert_missing(&mut self, root: impl Into<String>) {
        Arc::make_mut(&mut self.0).missing.push(root.into());
    }

    /// Returns the configured paths.
    ///
    /// The tree does not cover anything outside of them; an empty list stands for the whole
    /// repository.
    pub fn roots(&self) -> &[String] {
        &self.0.roots
    }

    /// Returns the configured paths that the revision does not have.
    pub fn missing(&self) -> &[String] {
        &self.0.missing
    }

    /// Returns what is at a path.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        self.0.entries.get(path)
    }

    /// Returns all entries, sorted by path.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (&RepoPath, &Entry)> + Clone {
        self.0.entries.iter()
    }

    /// Returns the entries in a folder, at any depth.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = (&RepoPath, &Entry)> + Clone {
        let prefix = format!("{folder}/");
        let after = self.0.entries.range::<str, _>((Bound::Excluded(prefix.as_str()), Bound::Unbounded));
        after.take_while(move |(path, _)| path.starts_with(&prefix))
    }

    /// Returns the address of a file's content; `None` if no file is there.
    pub fn file(&self, path: &str) -> Option<&ContentId> {
        match self.entry(path) {
            Some(Entry::File { id, .. }) => Some(id),
            _ => None,
        }
    }

    /// Returns the files with the addresses of their contents, sorted by path.
    pub fn files(&self) -> impl DoubleEndedIterator<Item = (&RepoPath, &ContentId)> + Clone {
        self.entries().filter_map(|(path, entry)| match entry {
            Entry::File { id, .. } => Some((path, id)),
            _ => None,
        })
    }

    /// Returns the paths of the files, sorted.
    pub fn file_paths(&self) -> impl DoubleEndedIterator<Item = &RepoPath> + Clone {
        self.files().map(|(path, _)| path)
    }

    /// Returns `true` if a file is there that can be run.
    pub fn is_executable(&self, path: &str) -> bool {
        matches!(self.entry(path), Some(Entry::File { executable: true, .. }))
    }

    /// Returns `true` if a symbolic link or a submodule is there.
    pub fn is_link(&self, path: &str) -> bool {
        self.entry(path).is_some_and(Entry::leads_elsewhere)
    }

    /// Returns the paths of symbolic links and submodules, sorted.
    pub fn links(&self) -> impl DoubleEndedIterator<Item = &RepoPath> + Clone {
        self.entries().filter(|(_, entry)| entry.leads_elsewhere()).map(|(path, _)| path)
    }

    /// Returns what is left out: the [misnamed](Entry::Misnamed) and the
    /// [unreadable](Entry::Unreadable), sorted by path.
    pub fn left_out(&self) -> impl DoubleEndedIterator<Item = (&RepoPath, &Entry)> + Clone {
        let is_left_out = |entry: &Entry| matches!(entry, Entry::Misnamed { .. } | Entry::Unreadable { .. });
        self.entries().filter(move |(_, entry)| is_left_out(entry))
    }

    /// Returns `true` if the tree covers a path, so that a file there would be in it.
    pub fn covers(&self, path: &str) -> bool {
        self.roots().is_empty() || self.roots().iter().any(|root| is_under(path, root))
    }

    /// Returns `true` if a path has contents that the tree does not have.
    ///
    /// It is a link, a submodule, or a file or folder that cannot be read.
    pub fn hides(&self, path: &str) -> bool {
        self.is_link(path) || matches!(self.entry(path), Some(Entry::Unreadable { .. }))
    }

    /// Returns why a commit cannot add a file here, if it cannot: see
    /// [`ConfigRepo::commit`](super::ConfigRepo::commit).
    pub fn refuses(&self, path: &str) -> Option<String> {
        if let Err(error) = RepoPath::try_from(path) {
            return Some(error.to_string());
        }
        if path.contains('\\') && self.file(path).is_none() {
            return Some(format!("the path `{path}` has a backslash: on Windows it would lead elsewhere"));
        }
        if !self.covers(path) {
            return Some(format!("{path} is outside of the configured paths"));
        }
        if self.below(path).any(|(_, entry)| matches!(entry, Entry::File { .. })) {
            return Some(format!("{path} is a folder"));
        }
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        let is_file = |folder: &&str| self.file(folder).is_some() || self.is_link(folder);
        if let Some(file) = folders.into_iter().find(is_file) {
            return Some(format!("{file} is a file or a link, no folder"));
        }
        self.is_link(path).then(|| format!("{path} is a link or a submodule"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: &str) -> Entry {
        Entry::File { id: ContentId::new(id), executable: false }
    }

    #[test]
    fn a_misnamed_entry_takes_no_other_ones_place() {
        for order in [[0, 1], [1, 0]] {
            let mut tree = Tree::default();
            for which in order {
                let misnamed = Entry::Misnamed { is_folder: true };
                tree.insert("caf\u{fffd}", if which == 0 { misnamed } else { file("1") });
            }
            assert!(tree.file("caf\u{fffd}").is_some());
            let left_out: Vec<_> = tree.left_out().collect();
            assert_eq!(left_out[0].0.as_str(), "caf\u{fffd}\u{fffd}");
            assert_eq!((left_out[0].1, left_out.len()), (&Entry::Misnamed { is_folder: true }, 1));
        }
    }

    #[test]
    fn what_no_checkout_could_have_is_left_out_and_not_lost() {
        let mut tree = Tree::default();
        for path in [".git/config", "a/../b.yaml", "a/.GIT", "a//b.yaml", "a\\b.yaml"] {
            tree.insert(path, file(path));
        }
        let left_out: Vec<&str> = tree.left_out().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            left_out,
            ["a/\u{fffd}../b.yaml", "a/\u{fffd}.GIT", "a/\u{fffd}/b.yaml", "\u{fffd}.git/config"]
        );
        assert_eq!(tree.file_paths().collect::<Vec<_>>(), ["a\\b.yaml"], "git has such files");
        assert!(tree.refuses("a\\b.yaml").is_none() && tree.refuses("a\\c.yaml").is_some());
    }

    #[test]
    fn what_is_below_a_folder_has_its_name_and_a_slash() {
        let mut tree = Tree::default();
        for path in ["a", "a-b/c", "a/b/c", "a/d", "ab"] {
            tree.insert(path, file(path));
        }
        assert_eq!(tree.below("a").map(|(path, _)| path).collect::<Vec<_>>(), ["a/b/c", "a/d"]);
        assert!(tree.refuses("a-b").is_some_and(|why| why.contains("folder")));
    }

    #[test]
    fn clones_share_what_they_hold() {
        let mut tree = Tree::under(["a"]);
        tree.insert("a/b", file("1"));
        let before = tree.clone();
        tree.insert("a/c", Entry::Link);
        assert_eq!((before.entries().count(), tree.entries().count()), (1, 2));
    }
}
