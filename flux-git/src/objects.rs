//! Git's objects, read and written without a checkout: trees, blobs, commits, history.

use std::fmt::Write as _;

use bytes::Bytes;
use flux_core::{
    RepoPath,
    backend::{Author, Change, ContentId, Entry, Error, FileBody, Result, Revision, Tree},
};
use git2::{FileMode, ObjectType, Oid, Repository, build::TreeUpdateBuilder};
use jiff::Timestamp;

use crate::{errors::git_error, paths::Paths};

/// A person and a time.
#[derive(Clone, Debug)]
pub(crate) struct Stamp<'a> {
    pub(crate) who: &'a Author,
    pub(crate) when: Timestamp,
}

/// Returns the id of a whole object, of 40 digits.
///
/// libgit2 would take a part of one too.
pub(crate) fn full_id(text: &str) -> Option<Oid> {
    if text.len() == 40 { Oid::from_str(text).ok() } else { None }
}

pub(crate) fn revision(id: Oid) -> Revision {
    Revision::new(id)
}

/// Returns the commit of a revision.
pub(crate) fn find_commit<'r>(repo: &'r Repository, at: &Revision) -> Result<git2::Commit<'r>> {
    full_id(at.as_str()).and_then(|id| repo.find_commit(id).ok()).ok_or_else(|| {
        let text =
            format!("no revision {at} in the repository; give the full id of a commit that is on the branch");
        Error::not_found(at, text)
    })
}

/// Returns the files under the paths.
pub(crate) fn list(repo: &Repository, at: Oid, paths: &Paths) -> Result<Tree> {
    let failed = |error| git_error(&error, "reading the tree of", at);
    let root = repo.find_commit(at).and_then(|commit| commit.tree()).map_err(failed)?;
    let mut tree = Tree::under(paths.iter());
    if paths.is_everything() {
        walk(repo, &root, "", &mut tree).map_err(failed)?;
    }
    for path in paths.iter() {
        match entry(repo, &root, path).map_err(failed)? {
            Some((id, mode)) if mode == i32::from(FileMode::Tree) => {
                let folder = repo.find_tree(id).map_err(failed)?;
                walk(repo, &folder, path, &mut tree).map_err(failed)?;
            }
            Some((id, mode)) if is_file(mode) => add(&mut tree, path.to_owned(), id, mode),
            _ => tree.insert_missing(path),
        }
    }
    Ok(tree)
}

/// Adds what is in a folder.
///
/// Entries that no checkout could have are left out, folders with all that is in them.
fn walk(repo: &Repository, folder: &git2::Tree<'_>, at: &str, into: &mut Tree) -> Result<(), git2::Error> {
    for entry in folder {
        let name = String::from_utf8_lossy(entry.name_bytes());
        let path = if at.is_empty() { name.to_string() } else { format!("{at}/{name}") };
        let is_named = std::str::from_utf8(entry.name_bytes()).is_ok_and(|name| !name.contains('/'));
        if !is_named || RepoPath::try_from(path.as_str()).is_err() {
            let is_folder = entry.filemode() == i32::from(FileMode::Tree);
            into.insert(path, Entry::Misnamed { is_folder });
            continue;
        }
        match entry.filemode() {
            mode if mode == i32::from(FileMode::Tree) => {
                walk(repo, &repo.find_tree(entry.id())?, &path, into)?;
            }
            mode if is_file(mode) => add(into, path, entry.id(), mode),
            mode if mode == i32::from(FileMode::Commit) => into.insert(path, Entry::Submodule),
            _ => into.insert(path, Entry::Link),
        }
    }
    Ok(())
}

fn add(tree: &mut Tree, path: String, id: Oid, mode: i32) {
    let executable = mode == i32::from(FileMode::BlobExecutable);
    tree.insert(path, Entry::File { id: ContentId::new(id), executable });
}

/// Returns the entry at a path: `None` also when the way there leads through something that is no
/// folder.
pub(crate) fn entry(
    repo: &Repository,
    root: &git2::Tree<'_>,
    path: &str,
) -> Result<Option<(Oid, i32)>, git2::Error> {
    let mut found = (root.id(), i32::from(FileMode::Tree));
    for part in path.split('/') {
        if found.1 != i32::from(FileMode::Tree) {
            return Ok(None);
        }
        let folder = repo.find_tree(found.0)?;
        match folder.get_name(part) {
            Some(entry) => found = (entry.id(), entry.filemode()),
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

fn is_file(mode: i32) -> bool {
    file_mode(mode).is_some()
}

/// Returns the mode of a file, if it is one.
fn file_mode(mode: i32) -> Option<FileMode> {
    [FileMode::Blob, FileMode::BlobGroupWritable, FileMode::BlobExecutable]
        .into_iter()
        .find(|file| i32::from(*file) == mode)
}

/// Reads the contents of blobs.
///
/// The size is looked up first, so that what is too large is not read.
pub(crate) fn read(repo: &Repository, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>> {
    let failed = |error| git_error(&error, "opening the objects of", repo.path().display());
    let odb = repo.odb().map_err(failed)?;
    let read_one = |id: &ContentId| {
        let missing = || Error::not_found(id, format!("no file content {id} in the repository"));
        let oid = full_id(id.as_str()).ok_or_else(missing)?;
        match odb.read_header(oid) {
            Ok((size, ObjectType::Blob)) if size as u64 > limit => {
                Ok(FileBody::TooLarge { size: size as u64 })
            }
            Ok((_, ObjectType::Blob)) => {
                let object =
                    odb.read(oid).map_err(|error| git_error(&error, "reading the file content", id))?;
                Ok(FileBody::Bytes(Bytes::copy_from_slice(object.data())))
            }
            _ => Err(missing()),
        }
    };
    ids.iter().map(read_one).collect()
}

/// Makes the commit of a change on `base`, in the object database only: no reference moves.
pub(crate) fn build(
    repo: &Repository,
    base: Oid,
    change: &Change,
    paths: &Paths,
    committer: &Author,
) -> Result<Oid> {
    let failed = |error| git_error(&error, "making a commit on", base);
    let root = repo.find_commit(base).and_then(|commit| commit.tree()).map_err(failed)?;
    let mut update = TreeUpdateBuilder::new();
    for (path, body) in &change.files {
        let path = path.as_str();
        let mode = match entry(repo, &root, path).map_err(failed)? {
            None => new_file(repo, &root, base, path, change)?,
            Some((_, mode)) => file_mode(mode).ok_or_else(|| {
                let text = format!("{path} is a folder, a link or a submodule in revision {base}, no file");
                Error::invalid(path, text)
            })?,
        };
        if !paths.covers(path) {
            let text = format!("{path} is outside of the configured paths; add its folder to them");
            return Err(Error::invalid(path, text));
        }
        update.upsert(path, repo.blob(body).map_err(failed)?, mode);
    }
    let tree = update.create_updated(repo, &root).map_err(failed)?;
    if tree == root.id() {
        let text = format!("the change makes no difference to {base}; there is nothing to commit");
        return Err(Error::invalid(base, text));
    }
    let author = Stamp { who: change.author.as_ref().unwrap_or(committer), when: change.time };
    let committer = Stamp { who: committer, when: change.time };
    write_commit(repo, tree, Some(base), &author, &committer, &change.message).map_err(failed)
}

/// Returns the mode of a file that the base doesn't have, if the way to it leads through folders
/// only.
fn new_file(
    repo: &Repository,
    root: &git2::Tree<'_>,
    base: Oid,
    path: &str,
    change: &Change,
) -> Result<FileMode> {
    for (end, _) in path.match_indices('/') {
        let folder = &path[..end];
        let there =
            entry(repo, root, folder).map_err(|error| git_error(&error, "making a commit on", base))?;
        let in_the_way = there.is_some_and(|(_, mode)| mode != i32::from(FileMode::Tree));
        if in_the_way || change.files.contains_key(folder) {
            let text = format!(
                "{path} cannot be written: {folder} is a file, a link or a submodule in revision {base}, no folder"
            );
            return Err(Error::invalid(path, text));
        }
    }
    Ok(FileMode::Blob)
}

/// Writes a commit object.
///
/// By hand, as libgit2 refuses signatures without an address, which git itself takes.
pub(crate) fn write_commit(
    repo: &Repository,
    tree: Oid,
    parent: Option<Oid>,
    author: &Stamp<'_>,
    committer: &Stamp<'_>,
    message: &str,
) -> Result<Oid, git2::Error> {
    let mut text = format!("tree {tree}\n");
    // Writing to a string does not fail.
    if let Some(parent) = parent {
        let _ = writeln!(text, "parent {parent}");
    }
    for (role, stamp) in [("author", author), ("committer", committer)] {
        let (name, email) = (person(&stamp.who.name), person(&stamp.who.email));
        let name = if name.is_empty() { "unknown" } else { &name };
        let _ = writeln!(text, "{role} {name} <{email}> {} +0000", stamp.when.as_second().max(0));
    }
    let end = if message.ends_with('\n') { "" } else { "\n" };
    let _ = write!(text, "\n{}{end}", message.replace('\0', ""));
    repo.odb()?.write(ObjectType::Commit, text.as_bytes())
}

/// Returns a name or address without what would end it, as git does it.
fn person(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !matches!(c, '<' | '>') && !c.is_control()).collect();
    kept.trim_matches(|c: char| c.is_whitespace() || ".,:;\"\\'".contains(c)).to_owned()
}

/// Returns `true` if everything that a commit's tree names can be read.
pub(crate) fn is_whole(repo: &Repository, commit: Oid) -> bool {
    fn tree_is_whole(repo: &Repository, odb: &git2::Odb<'_>, id: Oid) -> Result<(), git2::Error> {
        for entry in &repo.find_tree(id)? {
            match entry.kind() {
                Some(ObjectType::Tree) => tree_is_whole(repo, odb, entry.id())?,
                Some(ObjectType::Blob) => drop(odb.read(entry.id())?),
                _ => {}
            }
        }
        Ok(())
    }
    let whole = repo.odb().and_then(|odb| tree_is_whole(repo, &odb, repo.find_commit(commit)?.tree_id()));
    whole.is_ok()
}
