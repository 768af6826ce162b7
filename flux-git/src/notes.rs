//! Git notes: texts attached to commits, in a tree of blobs named by the commits' ids.
//!
//! Written on a given tip rather than through a reference, so that nothing moves before upstream
//! has taken it. Notes are filed in folders of the id's first two digits, as git does once there
//! are many; notes that others filed otherwise are found too.

use git2::{FileMode, ObjectType, Oid, Repository};

use crate::objects::{Stamp, write_commit};

/// Returns the note of a commit, under a tip of the notes' history.
pub(crate) fn find(repo: &Repository, tip: Oid, of: Oid) -> Result<Option<String>, git2::Error> {
    let name = of.to_string();
    let mut folder = repo.find_commit(tip)?.tree()?;
    let mut rest = name.as_str();
    loop {
        if let Some(note) = folder.get_name(rest).filter(|entry| entry.kind() == Some(ObjectType::Blob)) {
            let blob = repo.find_blob(note.id())?;
            return Ok(Some(String::from_utf8_lossy(blob.content()).into_owned()));
        }
        let Some((first, others)) = rest.split_at_checked(2).filter(|(_, others)| !others.is_empty()) else {
            return Ok(None);
        };
        let below = folder.get_name(first).filter(|entry| entry.kind() == Some(ObjectType::Tree));
        let Some(below) = below.map(|entry| entry.id()) else { return Ok(None) };
        folder = repo.find_tree(below)?;
        rest = others;
    }
}

/// Makes a commit of the notes' history on `tip` in which `on` has this note.
///
/// Without a tip it is the first commit of the history. No reference moves.
pub(crate) fn attach(
    repo: &Repository,
    tip: Option<Oid>,
    on: Oid,
    note: &str,
    stamp: &Stamp<'_>,
) -> Result<Oid, git2::Error> {
    let before = tip.map(|tip| repo.find_commit(tip)?.tree()).transpose()?;
    let blob = repo.blob(note.as_bytes())?;
    let tree = file(repo, before.as_ref(), &on.to_string(), blob, true)?;
    let message = format!("Note on {on}\n");
    write_commit(repo, tree, tip, stamp, stamp, &message)
}

fn file(
    repo: &Repository,
    folder: Option<&git2::Tree<'_>>,
    name: &str,
    blob: Oid,
    is_root: bool,
) -> Result<Oid, git2::Error> {
    let mut builder = repo.treebuilder(folder)?;
    let split = name.split_at_checked(2).filter(|(_, others)| !others.is_empty());
    let below = split.and_then(|(first, others)| {
        let entry = folder.and_then(|folder| folder.get_name(first));
        let entry = entry.filter(|entry| entry.kind() == Some(ObjectType::Tree)).map(|entry| entry.id());
        (is_root || entry.is_some()).then_some((first, others, entry))
    });
    match below {
        Some((first, others, entry)) => {
            let mut below = entry;
            // What was filed flat beside a folder of its digits is not found by libgit2: it moves
            // into the folder.
            for (flat, note) in flat_beside(folder, name, first) {
                builder.remove(&flat)?;
                below = Some(file_below(repo, below, &flat[first.len()..], note)?);
            }
            let below = file_below(repo, below, others, blob)?;
            builder.insert(first, below, i32::from(FileMode::Tree))?;
        }
        None => {
            builder.insert(name, blob, i32::from(FileMode::Blob))?;
        }
    }
    builder.write()
}

fn file_below(repo: &Repository, folder: Option<Oid>, name: &str, blob: Oid) -> Result<Oid, git2::Error> {
    let folder = folder.map(|id| repo.find_tree(id)).transpose()?;
    file(repo, folder.as_ref(), name, blob, false)
}

/// Returns the notes of a folder that are named as long as this one and begin alike.
fn flat_beside(folder: Option<&git2::Tree<'_>>, name: &str, first: &str) -> Vec<(String, Oid)> {
    let entries = folder.into_iter().flat_map(|folder| folder.iter());
    entries
        .filter(|entry| entry.kind() == Some(ObjectType::Blob))
        .filter_map(|entry| Some((entry.name().ok()?.to_owned(), entry.id())))
        .filter(|(other, _)| other.len() == name.len() && other.starts_with(first))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use flux_core::backend::Author;
    use git2::Signature;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn stamped<T>(with: impl FnOnce(&Stamp<'_>) -> T) -> T {
        let who = Author { name: "Flux".into(), email: String::new() };
        with(&Stamp { who: &who, when: Timestamp::UNIX_EPOCH })
    }

    fn id(seed: u16) -> Oid {
        // Few first bytes, so that folders fill.
        Oid::hash_object(ObjectType::Blob, &[(seed % 40) as u8]).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn notes_are_a_map_whoever_wrote_them(steps in prop::collection::vec((any::<u16>(), any::<bool>()), 1..30)) {
            let dir = tempfile::tempdir().unwrap();
            let repo = Repository::init_bare(dir.path()).unwrap();
            let me = Signature::now("git", "git@example.com").unwrap();
            let mut tip = None;
            let mut model = BTreeMap::new();
            for (step, (seed, by_git)) in steps.into_iter().enumerate() {
                let text = format!("note {step}");
                if by_git {
                    // libgit2 files notes as git does.
                    if let Some(tip) = tip {
                        repo.reference("refs/notes/test", tip, true, "").unwrap();
                    }
                    repo.note(&me, &me, Some("refs/notes/test"), id(seed), &text, true).unwrap();
                    tip = Some(repo.refname_to_id("refs/notes/test").unwrap());
                } else {
                    tip = Some(stamped(|stamp| attach(&repo, tip, id(seed), &text, stamp)).unwrap());
                }
                model.insert(id(seed), text);
            }
            let tip = tip.unwrap();
            for (of, text) in &model {
                prop_assert_eq!(find(&repo, tip, *of).unwrap(), Some(text.clone()));
            }
            prop_assert_eq!(find(&repo, tip, Oid::hash_object(ObjectType::Blob, b"none").unwrap()).unwrap(), None);
            // And git finds them where we put them.
            repo.reference("refs/notes/test", tip, true, "").unwrap();
            for (of, text) in &model {
                let note = repo.find_note(Some("refs/notes/test"), *of).unwrap();
                prop_assert_eq!(note.message().unwrap(), text);
            }
        }
    }
}
