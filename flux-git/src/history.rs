//! The history of the configured paths.
//!
//! It knows the commits that touched them, and from which commit each has them.

use std::collections::HashMap;

use flux_core::backend::{Author, Commit, Range, Result, Revision};
use git2::{Oid, Repository, Sort};
use jiff::Timestamp;

use crate::{
    errors::git_error,
    notes,
    objects::{entry, find_commit, revision},
    paths::Paths,
};

/// Returns the commits of a range that touched the paths, newest first.
///
/// All of them, also those that came in by a merge; a merge itself only if it differs from each of
/// its parents.
pub(crate) fn history(
    repo: &Repository,
    range: &Range,
    paths: &Paths,
    notes_tip: Option<Oid>,
) -> Result<Vec<Commit>> {
    let upto = find_commit(repo, &range.upto)?;
    let failed = |error| git_error(&error, "reading the history of", upto.id());
    let mut walk = repo.revwalk().map_err(failed)?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(failed)?;
    walk.push(upto.id()).map_err(failed)?;
    if let Some(after) = &range.after {
        walk.hide(find_commit(repo, after)?.id()).map_err(failed)?;
    }
    let mut ancestry = Ancestry { repo, paths, touching: HashMap::new() };
    let mut commits = Vec::new();
    for id in walk.take(if range.limit == 0 { 0 } else { usize::MAX }) {
        let commit = id.and_then(|id| repo.find_commit(id)).map_err(failed)?;
        if origin(repo, &commit, paths).map_err(failed)? != Origin::Itself {
            continue;
        }
        let parents = ancestry.parents(&commit).map_err(failed)?;
        commits.push(describe(repo, &commit, parents, notes_tip).map_err(failed)?);
        if commits.len() == range.limit {
            break;
        }
    }
    Ok(commits)
}

/// The origin of the paths in a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// It changed them: it differs from each of its parents.
    Itself,
    /// It has them as this parent has them.
    Parent(Oid),
    /// It has no parent and nothing under the paths.
    Nowhere,
}

fn origin(repo: &Repository, commit: &git2::Commit<'_>, paths: &Paths) -> Result<Origin, git2::Error> {
    if paths.is_everything() {
        return Ok(Origin::Itself);
    }
    let entries = |tree: &git2::Tree<'_>| {
        paths.iter().map(|path| entry(repo, tree, path)).collect::<Result<Vec<_>, _>>()
    };
    let here = entries(&commit.tree()?)?;
    if commit.parent_count() == 0 {
        let has_some = here.iter().any(Option::is_some);
        return Ok(if has_some { Origin::Itself } else { Origin::Nowhere });
    }
    for parent in commit.parents() {
        if entries(&parent.tree()?)? == here {
            return Ok(Origin::Parent(parent.id()));
        }
    }
    Ok(Origin::Itself)
}

/// Finds, for any commit, the commit that made the paths what they are in it.
struct Ancestry<'r> {
    repo: &'r Repository,
    paths: &'r Paths,
    /// The commits that were found already.
    touching: HashMap<Oid, Option<Oid>>,
}

impl Ancestry<'_> {
    /// Returns the parents of a commit, each replaced by the commit that made the paths what they
    /// are in it.
    fn parents(&mut self, commit: &git2::Commit<'_>) -> Result<Vec<Revision>, git2::Error> {
        let mut parents = Vec::with_capacity(commit.parent_count());
        for parent in commit.parent_ids() {
            let parent = self.touching(parent)?.map(revision);
            parents.extend(parent.filter(|parent| !parents.contains(parent)));
        }
        Ok(parents)
    }

    fn touching(&mut self, start: Oid) -> Result<Option<Oid>, git2::Error> {
        let (mut at, mut passed) = (start, Vec::new());
        let found = loop {
            if let Some(found) = self.touching.get(&at) {
                break *found;
            }
            passed.push(at);
            match origin(self.repo, &self.repo.find_commit(at)?, self.paths)? {
                Origin::Itself => break Some(at),
                Origin::Parent(parent) => at = parent,
                Origin::Nowhere => break None,
            }
        };
        self.touching.extend(passed.into_iter().map(|id| (id, found)));
        Ok(found)
    }
}

/// Reads a commit, with its note.
fn describe(
    repo: &Repository,
    commit: &git2::Commit<'_>,
    parents: Vec<Revision>,
    notes_tip: Option<Oid>,
) -> Result<Commit, git2::Error> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let author = commit.author();
    let note = notes_tip.and_then(|tip| {
        notes::find(repo, tip, commit.id()).unwrap_or_else(|error| {
            tracing::debug!(%tip, %error, "the notes can't be read");
            None
        })
    });
    Ok(Commit {
        revision: revision(commit.id()),
        parents,
        author: Author { name: text(author.name_bytes()), email: text(author.email_bytes()) },
        time: Timestamp::from_second(author.when().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
        message: text(commit.message_raw_bytes()),
        note,
    })
}
