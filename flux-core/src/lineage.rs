//! The commits that made a file what it is, followed from commit to parent.
//!
//! At a merge, the branch is followed that the file came from.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::backend::{self, Commit, ConfigRepo, ContentId, Revision, Tree};

/// The commits of a history, by revision, with the trees that were asked for.
pub(crate) struct Lineage<'a> {
    repo: &'a dyn ConfigRepo,
    commits: BTreeMap<&'a Revision, &'a Commit>,
    /// The commits that are no parent of another, the newest first: the tip, or the commit that its
    /// content comes from.
    heads: Vec<&'a Revision>,
    trees: BTreeMap<Revision, Tree>,
    /// The most changes of a file that are followed.
    most_changes: usize,
}

impl<'a> Lineage<'a> {
    /// Takes a history as [`ConfigRepo::history`] gives it.
    pub(crate) fn of(repo: &'a dyn ConfigRepo, history: &'a [Commit], most_changes: usize) -> Self {
        let parents: BTreeSet<&Revision> = history.iter().flat_map(|commit| &commit.parents).collect();
        let revisions = history.iter().map(|commit| &commit.revision);
        Self {
            repo,
            commits: history.iter().map(|commit| (&commit.revision, commit)).collect(),
            heads: revisions.filter(|revision| !parents.contains(revision)).collect(),
            trees: BTreeMap::new(),
            most_changes,
        }
    }

    /// Returns the commits that changed a file, the newest first, each with the file before it.
    ///
    /// A merge with the same file as one of its parents did not change it, and that parent is
    /// followed. A merge that differs from all of its parents changed the file of the first one.
    pub(crate) async fn changes(
        &mut self,
        path: &str,
        at_tip: Option<&ContentId>,
    ) -> Result<Vec<(&'a Commit, Option<ContentId>)>, backend::Error> {
        let mut next = None;
        for head in self.heads.clone() {
            if self.file(head, path).await?.as_ref() == at_tip {
                next = Some(head);
                break;
            }
        }
        let mut changes = Vec::new();
        while let Some(commit) = next.and_then(|revision| self.commits.get(revision).copied()) {
            let after = self.file(&commit.revision, path).await?;
            let mut unchanged = None;
            for parent in &commit.parents {
                if self.file(parent, path).await? == after {
                    unchanged = Some(parent);
                    break;
                }
            }
            next = unchanged.or(commit.parents.first());
            if unchanged.is_none() {
                let before = match next {
                    Some(parent) => self.file(parent, path).await?,
                    None => None,
                };
                if before != after {
                    changes.push((commit, before));
                }
                if changes.len() >= self.most_changes {
                    break;
                }
            }
        }
        Ok(changes)
    }

    async fn file(&mut self, at: &Revision, path: &str) -> Result<Option<ContentId>, backend::Error> {
        if !self.trees.contains_key(at) {
            self.trees.insert(at.clone(), self.repo.tree(at).await?);
        }
        Ok(self.trees.get(at).and_then(|tree| tree.file(path)).cloned())
    }
}
