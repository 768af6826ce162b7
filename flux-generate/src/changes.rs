//! The files that commands changed, added or removed in a private copy.

use std::{collections::BTreeMap, fs, path::Path};

use bytes::Bytes;
use flux_core::{InvalidPath, RepoPath, generate::GenerateError};
use git2::{ObjectType, Oid};
use tempfile::TempDir;

use crate::limits::Limits;

/// Returns the files below a folder that are not as they were written, and those that are new;
/// `None` where one has gone.
pub(crate) fn changes(
    root: &Path,
    written: &BTreeMap<RepoPath, Oid>,
    limits: Limits,
) -> Result<BTreeMap<RepoPath, Option<Bytes>>, GenerateError> {
    let mut changes = BTreeMap::new();
    for (path, id) in written {
        match changed(&root.join(path.as_str()), *id) {
            Ok(Changed::No) => {}
            Ok(Changed::To(bytes)) => drop(changes.insert(path.clone(), Some(bytes.into()))),
            Ok(Changed::Gone) => drop(changes.insert(path.clone(), None)),
            Err(error) => {
                return Err(GenerateError::Unavailable(format!("{path} cannot be read back: {error}")));
            }
        }
    }
    add_new_files(root, written, limits, &mut changes)?;
    Ok(changes)
}

/// Adds the files below a folder that were not written there, and that git would not ignore.
fn add_new_files(
    root: &Path,
    known: &BTreeMap<RepoPath, Oid>,
    limits: Limits,
    changes: &mut BTreeMap<RepoPath, Option<Bytes>>,
) -> Result<(), GenerateError> {
    let cannot = |path: &Path, what: &dyn std::fmt::Display| {
        let path = path.strip_prefix(root).unwrap_or(path).display();
        GenerateError::Unavailable(format!("{path}, which is new, cannot be added: {what}"))
    };
    let ignore = Ignore::new(root).map_err(|e| cannot(root, &e))?;
    let mut room = (limits.new_files, limits.new_bytes);
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| cannot(&folder, &e))? {
            let entry = entry.map_err(|e| cannot(&folder, &e))?;
            let path = entry.path();
            let name = path.strip_prefix(root).ok().and_then(Path::to_str);
            if name.is_some_and(|name| known.contains_key(name)) || ignore.covers(&path) {
                continue;
            }
            let data = entry.metadata().map_err(|e| cannot(&path, &e))?;
            if data.is_dir() {
                folders.push(path);
                continue;
            }
            let name = name.ok_or_else(|| cannot(&path, &"its name is not UTF-8"))?;
            let name = RepoPath::try_from(name).map_err(|error| cannot(&path, &renamed(&error)))?;
            if !data.is_file() {
                return Err(cannot(&path, &"it is a link, or something else that is no file"));
            }
            let spent = room.0.checked_sub(1).zip(room.1.checked_sub(data.len()));
            let (files, bytes) = (limits.new_files, limits.new_bytes);
            room = spent.ok_or(GenerateError::TooManyFiles { files, bytes })?;
            let bytes = fs::read(&path).map_err(|e| cannot(&path, &e))?;
            changes.insert(name, Some(bytes.into()));
        }
    }
    Ok(())
}

/// Returns why a file cannot be added that git would refuse to check out, and the remedy.
fn renamed(error: &InvalidPath) -> String {
    format!("{error}; let the command give it another name, or list it in .gitignore")
}

/// The rules of the `.gitignore` files of a folder.
struct Ignore {
    repo: git2::Repository,
    /// Holds git's own files of it.
    _beside: TempDir,
}

impl Ignore {
    fn new(root: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let beside = tempfile::Builder::new().prefix("flux-ignore-").tempdir()?;
        let mut options = git2::RepositoryInitOptions::new();
        let repo = git2::Repository::init_opts(beside.path(), options.bare(true).external_template(false))?;
        repo.set_workdir(root, false)?;
        Ok(Self { repo, _beside: beside })
    }

    fn covers(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == ".git")
            || self.repo.is_path_ignored(path).unwrap_or(false)
    }
}

/// The state of a file that was written.
enum Changed {
    No,
    To(Vec<u8>),
    Gone,
}

/// Compares a file with its written content.
///
/// A link in its place does not count as a file: its target does not belong to the repository.
fn changed(place: &Path, id: Oid) -> Result<Changed, Box<dyn std::error::Error>> {
    if !fs::symlink_metadata(place).is_ok_and(|found| found.is_file()) {
        return Ok(Changed::Gone);
    }
    let bytes = fs::read(place)?;
    Ok(if Oid::hash_object(ObjectType::Blob, &bytes)? == id { Changed::No } else { Changed::To(bytes) })
}
