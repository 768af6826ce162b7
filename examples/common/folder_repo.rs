//! A plain folder as a read-only config repository.
//!
//! A linter in CI checks the folder as it is, committed or not.

use std::{
    collections::HashMap,
    error::Error,
    fmt, fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use flux::{
    RepoPath,
    backend::{self, Change, Commit, ConfigRepo, ContentId, Entry, FileBody, Range, Revision, Tree},
    manifest::MAX_FILE_BYTES,
};
use git2::{ObjectType, Oid, Repository};

use crate::common::Failure;

/// A [`ConfigRepo`] over a folder as it was when it was opened.
///
/// It has one revision, which names all contents, and takes no commits. Symbolic links, `.git` and
/// the files that git ignores are left out, as a commit would leave them out.
#[derive(Debug)]
pub(crate) struct FolderRepo {
    root: PathBuf,
    /// The tree of a commit of the folder, with the ids that git would give the contents.
    tree: Tree,
    /// The path of one file for each content.
    paths: HashMap<ContentId, RepoPath>,
    revision: Revision,
}

impl FolderRepo {
    /// Reads the list of the files in a folder.
    pub(crate) fn open(root: &Path) -> Result<Self, Failure> {
        if !fs::metadata(root).map_err(|e| cannot(root, &e))?.is_dir() {
            return Err(cannot(root, &"it is no folder; name one, with --git-path for a single file of it"));
        }
        let mut walk = Walk { root, ignore: Ignore::of(root), tree: Tree::default() };
        walk.folder(root).map_err(|e| cannot(root, &e))?;
        let listing: String = walk.tree.files().map(|(path, id)| format!("{id} {path}\n")).collect();
        let revision = Oid::hash_object(ObjectType::Blob, listing.as_bytes())?;
        let paths = walk.tree.files().map(|(path, id)| (id.clone(), path.clone())).collect();
        let revision = Revision::new(revision);
        Ok(Self { root: root.to_owned(), tree: walk.tree, paths, revision })
    }

    fn body(&self, id: &ContentId, limit: u64) -> backend::Result<FileBody> {
        let path = self.paths.get(id).map(|path| self.root.join(path.as_str()));
        let path =
            path.ok_or_else(|| backend::Error::not_found(id, format!("the folder has no content {id}")))?;
        let cannot = |e: io::Error| {
            let text = format!("{} cannot be read: {e}", path.display());
            backend::Error::unavailable(path.display(), text).with_source(e)
        };
        let size = fs::metadata(&path).map_err(cannot)?.len();
        if size > limit {
            return Ok(FileBody::TooLarge { size });
        }
        Ok(FileBody::Bytes(fs::read(&path).map_err(cannot)?.into()))
    }
}

#[async_trait]
impl ConfigRepo for FolderRepo {
    async fn head(&self) -> backend::Result<Revision> {
        Ok(self.revision.clone())
    }

    async fn tree(&self, _at: &Revision) -> backend::Result<Tree> {
        Ok(self.tree.clone())
    }

    async fn read(&self, ids: &[ContentId], limit: u64) -> backend::Result<Vec<FileBody>> {
        ids.iter().map(|id| self.body(id, limit)).collect()
    }

    async fn commit(&self, _base: &Revision, _change: &Change) -> backend::Result<Revision> {
        let root = self.root.display();
        let text = format!("{root} is a folder that is only read; name a repository with --git-url");
        Err(backend::Error::forbidden(root, text))
    }

    async fn history(&self, _range: &Range) -> backend::Result<Vec<Commit>> {
        Ok(Vec::new())
    }
}

/// The files below a folder.
struct Walk<'a> {
    root: &'a Path,
    ignore: Ignore,
    tree: Tree,
}

impl Walk<'_> {
    /// Adds the files of a folder; one that cannot be read is added as an unreadable entry.
    fn folder(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if entry.file_name() == ".git" || self.ignore.covers(&path) {
                continue;
            }
            let Ok(name) = path.strip_prefix(self.root) else { continue };
            let is_folder = kind.is_dir();
            let valid = name.to_str().filter(|name| RepoPath::try_from(*name).is_ok()).map(str::to_owned);
            let Some(name) = valid else {
                self.tree.insert(&*name.to_string_lossy(), Entry::Misnamed { is_folder });
                continue;
            };
            let read = if is_folder {
                self.folder(&path).map_err(Into::into)
            } else if kind.is_file() {
                self.file(&path, &name)
            } else {
                if kind.is_symlink() {
                    self.tree.insert(&*name, Entry::Link);
                }
                Ok(())
            };
            if let Err(error) = read {
                self.tree.insert(name, Entry::Unreadable { is_folder, reason: error.to_string() });
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: &str) -> Result<(), Box<dyn Error>> {
        let id = id_of(path, name)?;
        let executable = fs::metadata(path)?.permissions().mode() & 0o100 != 0;
        self.tree.insert(name, Entry::File { id: ContentId::new(id), executable });
        Ok(())
    }
}

/// Returns the id that git would give a file.
///
/// A file that is too large to be read gets another id, as its bytes are never needed.
fn id_of(path: &Path, name: &str) -> Result<Oid, Box<dyn Error>> {
    let size = fs::metadata(path)?.len();
    if size > MAX_FILE_BYTES {
        return Ok(Oid::hash_object(ObjectType::Blob, format!("{size} bytes in {name}").as_bytes())?);
    }
    // Opened first, so that an error has the system's message and not git's.
    fs::File::open(path)?;
    Ok(Oid::hash_file(ObjectType::Blob, path)?)
}

/// The ignore rules of git, where the folder is part of a checkout.
struct Ignore(Option<Repository>);

impl Ignore {
    fn of(root: &Path) -> Self {
        let repo = Repository::discover(root).ok().filter(|repo| !repo.is_bare());
        // A folder that is named is checked, even if git ignores it.
        Self(repo.filter(|repo| !ignored(repo, root)))
    }

    fn covers(&self, path: &Path) -> bool {
        self.0.as_ref().is_some_and(|repo| ignored(repo, path))
    }
}

fn ignored(repo: &Repository, path: &Path) -> bool {
    let within = repo
        .workdir()
        .zip(path.canonicalize().ok())
        .and_then(|(root, path)| Some(path.strip_prefix(root.canonicalize().ok()?).ok()?.to_owned()));
    within.is_some_and(|path| !path.as_os_str().is_empty() && repo.is_path_ignored(path).unwrap_or(false))
}

fn cannot(path: &Path, error: &dyn fmt::Display) -> Failure {
    Failure::failed(format!("{} cannot be checked: {error}", path.display()))
}
