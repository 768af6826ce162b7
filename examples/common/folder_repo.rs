//! A plain folder as a config repository that is only read: what a linter in CI looks at, whether or not it is committed.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use flux::{
    backend::{Change, Commit, ConfigRepo, ContentId, FileBody, Range, RepoError, Revision, Tree},
    manifest::MAX_FILE_BYTES,
};
use git2::{ObjectType, Oid, Repository};

use crate::common::Failure;

/// A [`ConfigRepo`] over a folder as it was when it was opened. It has one revision, which names all contents, and takes no commits.
///
/// Symbolic links, `.git` and what git ignores are left out, as a commit would leave them out.
#[derive(Debug)]
pub(crate) struct FolderRepo {
    root: PathBuf,
    /// Path from the root, with `/` between the parts → the id that git would give the content.
    files: BTreeMap<String, ContentId>,
    /// A file of each content.
    paths: HashMap<ContentId, String>,
    missing: Vec<String>,
    revision: Revision,
}

impl FolderRepo {
    /// Reads which files a folder has under `paths`, all for none.
    pub(crate) fn open(root: &Path, paths: &[String]) -> Result<Self, Failure> {
        if !fs::metadata(root).map_err(|e| cannot(root, &e))?.is_dir() {
            return Err(cannot(root, &"it is no folder; name one, or a repository with --git-url"));
        }
        let mut walk = Walk { root, ignore: Ignore::of(root), files: BTreeMap::new() };
        walk.folder(root)?;
        let paths: Vec<&str> =
            paths.iter().map(|path| normal(path)).filter(|path| !path.is_empty()).collect();
        let mut files = walk.files;
        let missing = paths
            .iter()
            .filter(|path| !files.keys().any(|file| is_under(file, path)))
            .map(|path| (*path).to_owned())
            .collect();
        if !paths.is_empty() {
            files.retain(|file, _| paths.iter().any(|path| is_under(file, path)));
        }
        let listing: String = files.iter().map(|(path, id)| format!("{id} {path}\n")).collect();
        let revision = Oid::hash_object(ObjectType::Blob, listing.as_bytes())?;
        let revision = revision.to_string().as_str().into();
        let paths = files.iter().map(|(path, id)| (id.clone(), path.clone())).collect();
        Ok(Self { root: root.to_owned(), files, paths, missing, revision })
    }

    fn body(&self, id: &ContentId, limit: u64) -> Result<FileBody, RepoError> {
        let path = self
            .paths
            .get(id)
            .map(|path| self.root.join(path))
            .ok_or_else(|| RepoError::NotFound(format!("the folder has no content {id}")))?;
        let cannot = |e: io::Error| RepoError::Unavailable(format!("{} cannot be read: {e}", path.display()));
        let size = fs::metadata(&path).map_err(cannot)?.len();
        if size > limit {
            return Ok(FileBody::TooLarge { size });
        }
        Ok(FileBody::Bytes(fs::read(&path).map_err(cannot)?.into()))
    }
}

#[async_trait]
impl ConfigRepo for FolderRepo {
    async fn head(&self) -> Result<Revision, RepoError> {
        Ok(self.revision.clone())
    }

    async fn tree(&self, _at: &Revision) -> Result<Tree, RepoError> {
        Ok(Tree { files: self.files.clone(), missing: self.missing.clone() })
    }

    async fn read(&self, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>, RepoError> {
        ids.iter().map(|id| self.body(id, limit)).collect()
    }

    async fn commit(&self, _base: &Revision, _change: &Change) -> Result<Revision, RepoError> {
        let root = self.root.display();
        Err(RepoError::Forbidden(format!(
            "{root} is a folder that is only read; name a repository with --git-url"
        )))
    }

    async fn history(&self, _range: &Range) -> Result<Vec<Commit>, RepoError> {
        Ok(Vec::new())
    }
}

/// The files below a folder.
struct Walk<'a> {
    root: &'a Path,
    ignore: Ignore,
    files: BTreeMap<String, ContentId>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path) -> Result<(), Failure> {
        for entry in fs::read_dir(folder).map_err(|e| cannot(folder, &e))? {
            let entry = entry.map_err(|e| cannot(folder, &e))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|e| cannot(&path, &e))?;
            if entry.file_name() == ".git" || self.ignore.covers(&path) {
                continue;
            }
            if kind.is_dir() {
                self.folder(&path)?;
            } else if kind.is_file() {
                // A path that is not UTF-8 is none that a manifest may have; git backends leave it out too.
                let Some(name) = path.strip_prefix(self.root).ok().and_then(Path::to_str) else { continue };
                let id = id_of(&path, name).map_err(|e| cannot(&path, &e))?;
                self.files.insert(name.to_owned(), id.to_string().as_str().into());
            }
        }
        Ok(())
    }
}

/// The id of a file: git's, but for one that is too large to be read, whose bytes nobody asks for.
fn id_of(path: &Path, name: &str) -> Result<Oid, Box<dyn Error>> {
    let size = fs::metadata(path)?.len();
    if size > MAX_FILE_BYTES {
        return Ok(Oid::hash_object(ObjectType::Blob, format!("{size} bytes in {name}").as_bytes())?);
    }
    Ok(Oid::hash_file(ObjectType::Blob, path)?)
}

/// What git ignores, where the folder is part of a checkout.
struct Ignore(Option<Repository>);

impl Ignore {
    fn of(root: &Path) -> Self {
        let repo = Repository::discover(root).ok().filter(|repo| !repo.is_bare());
        // Whoever names an ignored folder means it.
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

/// A path of the repository without what does not count.
fn normal(path: &str) -> &str {
    let path = path.trim_start_matches("./").trim_matches('/');
    if path == "." { "" } else { path }
}

fn is_under(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
