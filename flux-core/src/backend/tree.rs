//! [`Tree`]: what a revision has under the configured paths, as one map of typed entries.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use serde::{Deserialize, Serialize};

use super::ContentId;
use crate::repo_path::{invalid_path, is_under};

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
    /// A file or folder whose name is not UTF-8; in its path, `\u{fffd}` stands for what is not.
    ///
    /// It is left out, with all that is in it.
    Misnamed,
    /// A file or folder that is there and cannot be read.
    ///
    /// It is left out, with all that is in it. A repository whose contents stand in a database of
    /// its own has none.
    Unreadable {
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

/// The entries of a revision under the configured paths, by path from the root of the repository,
/// with `/` between the parts.
///
/// Folders are not entries of their own, but for those that are left out ([`Entry::Misnamed`],
/// [`Entry::Unreadable`]), which stand with a slash at the end. Clones share the entries.
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
    entries: BTreeMap<String, Entry>,
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
    /// The path of a [misnamed](Entry::Misnamed) one can be that of another entry: it then gets one
    /// more `\u{fffd}`, so that neither is lost.
    pub fn insert(&mut self, path: impl Into<String>, entry: Entry) {
        let (path, entries) = (path.into(), &mut Arc::make_mut(&mut self.0).entries);
        let is_misnamed = |entry: Option<&Entry>| matches!(entry, Some(Entry::Misnamed));
        if entry == Entry::Misnamed {
            let mut free = path;
            while entries.contains_key(&free) {
                free.push('\u{fffd}');
            }
            entries.insert(free, entry);
        } else if is_misnamed(entries.get(&path)) {
            entries.insert(path.clone(), entry);
            self.insert(path, Entry::Misnamed);
        } else {
            entries.insert(path, entry);
        }
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
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (&str, &Entry)> + Clone {
        self.0.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// Returns the entries in a folder, at any depth.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = (&str, &Entry)> + Clone {
        let prefix = format!("{folder}/");
        let after = self.0.entries.range::<str, _>((Bound::Excluded(prefix.as_str()), Bound::Unbounded));
        after
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// Returns the address of a file's content; `None` if no file is there.
    pub fn file(&self, path: &str) -> Option<&ContentId> {
        match self.entry(path) {
            Some(Entry::File { id, .. }) => Some(id),
            _ => None,
        }
    }

    /// Returns the files with the addresses of their contents, sorted by path.
    pub fn files(&self) -> impl DoubleEndedIterator<Item = (&str, &ContentId)> + Clone {
        self.entries().filter_map(|(path, entry)| match entry {
            Entry::File { id, .. } => Some((path, id)),
            _ => None,
        })
    }

    /// Returns the paths of the files, sorted.
    pub fn file_paths(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
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
    pub fn links(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.entries().filter(|(_, entry)| entry.leads_elsewhere()).map(|(path, _)| path)
    }

    /// Returns the paths that are left out because of their names, sorted; folders end in a slash.
    pub fn misnamed(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.entries().filter(|(_, entry)| matches!(entry, Entry::Misnamed)).map(|(path, _)| path)
    }

    /// Returns the paths that cannot be read, sorted, with the reasons; folders end in a slash.
    pub fn unreadable(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + Clone {
        self.entries().filter_map(|(path, entry)| match entry {
            Entry::Unreadable { reason } => Some((path, reason.as_str())),
            _ => None,
        })
    }

    /// Returns `true` if the tree covers a path, so that a file there would be in it.
    pub fn covers(&self, path: &str) -> bool {
        self.roots().is_empty() || self.roots().iter().any(|root| is_under(path, root))
    }

    /// Returns `true` if a path has contents that the tree does not have.
    ///
    /// It is a link, a submodule, or a file or folder that cannot be read.
    pub fn hides(&self, path: &str) -> bool {
        let is_unreadable = |path: &str| matches!(self.entry(path), Some(Entry::Unreadable { .. }));
        self.is_link(path) || is_unreadable(path) || is_unreadable(&format!("{path}/"))
    }

    /// Returns why a commit cannot add a file here, if it cannot: see
    /// [`ConfigRepo::commit`](super::ConfigRepo::commit).
    pub fn refuses(&self, path: &str) -> Option<String> {
        if let Some(why) = invalid_path(path) {
            return Some(format!("the path `{path}` {why}"));
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
                tree.insert("caf\u{fffd}", if which == 0 { Entry::Misnamed } else { file("1") });
            }
            assert!(tree.file("caf\u{fffd}").is_some());
            assert_eq!(tree.misnamed().collect::<Vec<_>>(), ["caf\u{fffd}\u{fffd}"]);
        }
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
