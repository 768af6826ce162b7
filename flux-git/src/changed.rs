//! The tree of a commit, made from that of another by what has changed between them.

use flux_core::{
    RepoPath,
    backend::{ContentId, Entry, Tree},
};
use git2::{Delta, DiffOptions, FileMode, Oid, Repository};

use crate::paths::Paths;

/// Above this number of changes, all is listed anew.
const MOST: usize = 1_000;

/// Returns the files under the paths, from those of another commit; `None` if they have to be
/// listed anew: much has changed, or what a commit has is of the kind that no checkout could have.
pub(crate) fn since(
    repo: &Repository,
    (before, known): (Oid, &Tree),
    at: Oid,
    paths: &Paths,
) -> Result<Option<Tree>, git2::Error> {
    if known.left_out().next().is_some() || !known.missing().is_empty() {
        return Ok(None);
    }
    let tree_of = |commit| repo.find_commit(commit).and_then(|commit| commit.tree());
    let mut options = DiffOptions::new();
    options.include_typechange(true).skip_binary_check(true).ignore_submodules(false);
    let diff = repo.diff_tree_to_tree(Some(&tree_of(before)?), Some(&tree_of(at)?), Some(&mut options))?;
    if diff.deltas().len() > MOST {
        return Ok(None);
    }
    let mut tree = known.clone();
    for delta in diff.deltas() {
        let file = if delta.status() == Delta::Deleted { delta.old_file() } else { delta.new_file() };
        let path = file.path_bytes().and_then(|path| std::str::from_utf8(path).ok());
        let Some(path) = path.and_then(|path| RepoPath::try_from(path).ok()) else { return Ok(None) };
        if !paths.covers(&path) {
            continue;
        }
        if delta.status() == Delta::Deleted {
            tree.remove(&path);
            continue;
        }
        let entry = match file.mode() {
            FileMode::Blob | FileMode::BlobGroupWritable | FileMode::BlobExecutable => Entry::File {
                id: ContentId::new(file.id()),
                executable: file.mode() == FileMode::BlobExecutable,
            },
            FileMode::Commit => Entry::Submodule,
            FileMode::Link => Entry::Link,
            FileMode::Tree | FileMode::Unreadable => return Ok(None),
        };
        tree.insert(path, entry);
    }
    let is_there = |root: &str| {
        tree.entry(root).is_some_and(|entry| matches!(entry, Entry::File { .. }))
            || tree.below(root).next().is_some()
    };
    Ok(paths.iter().all(is_there).then_some(tree))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::objects;

    /// The things that may be at a path, and at each path one of them.
    fn histories() -> impl Strategy<Value = Vec<Vec<(usize, u8)>>> {
        prop::collection::vec(prop::collection::vec((0..PATHS.len(), 0..6u8), 0..6), 2..6)
    }

    const PATHS: [&str; 7] = [
        "a.yaml",
        "deploy/a.yaml",
        "deploy/b.yaml",
        "deploy/c/d.yaml",
        "deploy/c",
        "deploy2/x.yaml",
        "deploy",
    ];

    fn commit(repo: &Repository, at: Option<Oid>, changes: &[(usize, u8)]) -> Oid {
        let mut index = git2::Index::new().unwrap();
        if let Some(at) = at {
            index.read_tree(&repo.find_commit(at).unwrap().tree().unwrap()).unwrap();
        }
        for (path, what) in changes {
            let path = PATHS[*path];
            // A file and a folder of one name push each other out, as in a work tree.
            index.remove_dir(std::path::Path::new(path), 0).unwrap();
            for (end, _) in path.match_indices('/') {
                let _ = index.remove(std::path::Path::new(&path[..end]), 0);
            }
            let _ = index.remove(std::path::Path::new(path), 0);
            let (mode, content) = match what {
                0 => continue,
                1 => (0o120_000, "a.yaml"),
                2 => (0o100_755, "one"),
                3 => (0o100_644, "one"),
                4 => (0o160_000, ""),
                _ => (0o100_644, "two"),
            };
            let id = match mode {
                0o160_000 => Oid::from_str("1111111111111111111111111111111111111111").unwrap(),
                _ => repo.blob(content.as_bytes()).unwrap(),
            };
            let zero = git2::IndexTime::new(0, 0);
            index
                .add(&git2::IndexEntry {
                    ctime: zero,
                    mtime: zero,
                    dev: 0,
                    ino: 0,
                    mode,
                    uid: 0,
                    gid: 0,
                    file_size: 0,
                    id,
                    flags: 0,
                    flags_extended: 0,
                    path: path.as_bytes().to_vec(),
                })
                .unwrap();
        }
        let tree = repo.find_tree(index.write_tree_to(repo).unwrap()).unwrap();
        let who = git2::Signature::new("a", "a@b", &git2::Time::new(0, 0)).unwrap();
        let parents: Vec<_> = at.map(|at| repo.find_commit(at).unwrap()).into_iter().collect();
        repo.commit(None, &who, &who, "m", &tree, &parents.iter().collect::<Vec<_>>()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The tree that is made by what has changed is the one that is listed.
        #[test]
        fn a_tree_from_another_is_the_one_that_is_listed(history in histories()) {
            let folder = tempfile::tempdir().unwrap();
            let repo = Repository::init_bare(folder.path()).unwrap();
            for paths in [Paths::default(), Paths::new(["deploy"]).unwrap(), Paths::new(["deploy/a.yaml", "deploy2"]).unwrap()] {
                let mut at = None;
                let mut known: Option<(Oid, Tree)> = None;
                for changes in &history {
                    let next = commit(&repo, at, changes);
                    let listed = objects::list(&repo, next, &paths).unwrap();
                    if let Some((before, tree)) = &known
                        && let Some(made) = since(&repo, (*before, tree), next, &paths).unwrap()
                    {
                        prop_assert_eq!(&made, &listed);
                    }
                    known = Some((next, listed));
                    at = Some(next);
                }
            }
        }
    }

    #[test]
    fn an_ordinary_change_is_not_listed_anew() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repository::init_bare(folder.path()).unwrap();
        let first = commit(&repo, None, &[(1, 3), (3, 3), (0, 3)]);
        let second = commit(&repo, Some(first), &[(1, 5), (2, 3), (3, 0)]);
        let paths = Paths::new(["deploy"]).unwrap();
        let known = objects::list(&repo, first, &paths).unwrap();
        let made = since(&repo, (first, &known), second, &paths).unwrap().unwrap();
        assert_eq!(
            made.file_paths().map(RepoPath::as_str).collect::<Vec<_>>(),
            ["deploy/a.yaml", "deploy/b.yaml"]
        );
    }
}
