//! Keeps a mirror small: each fetch leaves a pack and each commit some loose objects, which after
//! years would make every look-up slow. Everything that the mirror's references name is put into
//! one pack, and the rest goes, unless it is young: somebody may be about to use it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use git2::Repository;

/// When a mirror is compacted, and what is left alone then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// As many packs are fine.
    pub(crate) packs: usize,
    /// As many loose objects are fine, judged by one of their 256 folders, as git does it.
    pub(crate) loose: usize,
    /// Files that are younger are left alone.
    pub(crate) grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { packs: 50, loose: 6_700, grace: Duration::from_secs(60 * 60) }
    }
}

/// Compacts a mirror if it is past the limits; says whether it did. The mirror's lock is held by
/// the caller.
pub(crate) fn compact(repo: &Repository, limits: Limits, now: SystemTime) -> Result<bool, git2::Error> {
    let objects = repo.path().join("objects");
    let packs = objects.join("pack");
    let count = |folder: &Path| files(folder).map_or(0, |files| files.len());
    if count(&packs) / 2 <= limits.packs && count(&objects.join("17")) * 256 <= limits.loose {
        return Ok(false);
    }
    let mut walk = repo.revwalk()?;
    walk.push_glob("refs/flux/*")?;
    let mut builder = repo.packbuilder()?;
    builder.insert_walk(&mut walk)?;
    builder.write(&packs, 0)?;
    let kept = format!("pack-{}", builder.name()?.unwrap_or_default());
    drop(builder);
    let cleared = clear(&objects, &kept, |path| is_older(path, limits.grace, now));
    cleared.map_err(|error| git2::Error::from_str(&format!("clearing {}: {error}", objects.display())))?;
    Ok(true)
}

fn clear(objects: &Path, kept: &str, is_old: impl Fn(&Path) -> bool) -> io::Result<()> {
    for file in files(&objects.join("pack"))? {
        let is_kept = file.file_stem().is_some_and(|stem| stem == kept);
        if !is_kept && is_old(&file) {
            remove(&file)?;
        }
    }
    for folder in files(objects)? {
        let is_loose = folder.file_name().is_some_and(|name| name.len() == 2);
        for file in files(&folder).into_iter().flatten().filter(|_| is_loose) {
            if is_old(&file) {
                remove(&file)?;
            }
        }
    }
    Ok(())
}

/// Returns the files of a folder in the order of their names: `.idx` before `.pack`, so that a pack
/// isn't found any more before it is gone.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn is_older(file: &Path, grace: Duration, now: SystemTime) -> bool {
    let modified = fs::metadata(file).and_then(|data| data.modified());
    modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age >= grace))
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use git2::{Oid, Signature};

    use super::*;
    use crate::objects;

    /// Makes a repository with so many commits under `refs/flux`, and one that nothing names.
    ///
    /// All are loose.
    fn grown(path: &Path, commits: usize) -> (Repository, Oid, Oid) {
        let repo = Repository::init_bare(path).unwrap();
        let me = Signature::now("a", "a@example.com").unwrap();
        let commit = |reference, n: usize, parent: Option<Oid>| {
            let mut tree = repo.treebuilder(None).unwrap();
            tree.insert("file", repo.blob(format!("{n}").as_bytes()).unwrap(), 0o100_644).unwrap();
            let tree = repo.find_tree(tree.write().unwrap()).unwrap();
            let parent = parent.map(|id| repo.find_commit(id).unwrap());
            let parents: Vec<_> = parent.iter().collect();
            repo.commit(reference, &me, &me, "x", &tree, &parents).unwrap()
        };
        let mut tip = None;
        for n in 0..commits {
            tip = Some(commit(Some("refs/flux/k/heads/main"), n, tip));
        }
        let stray = commit(None, commits, tip);
        (repo, tip.unwrap(), stray)
    }

    fn number_of_files(repo: &Repository) -> usize {
        let folders = files(&repo.path().join("objects")).unwrap();
        folders.iter().map(|folder| files(folder).map_or(0, |files| files.len())).sum()
    }

    #[test]
    fn what_is_named_is_kept_and_the_rest_goes_when_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let (repo, tip, stray) = grown(dir.path(), 30);
        let later = |seconds| SystemTime::now() + Duration::from_secs(seconds);
        assert!(!compact(&repo, Limits::default(), later(0)).unwrap(), "it is small enough");
        // One of the 256 folders stands for them all.
        for n in 0.. {
            if files(&dir.path().join("objects/17")).is_ok() {
                break;
            }
            repo.blob(format!("filler {n}").as_bytes()).unwrap();
        }
        let tight = Limits { packs: 0, loose: 0, grace: Duration::from_secs(3600) };
        assert!(compact(&repo, tight, later(0)).unwrap());
        for commit in [tip, stray] {
            assert!(objects::is_whole(&Repository::open(dir.path()).unwrap(), commit), "young ones stay");
        }
        assert!(compact(&repo, tight, later(7200)).unwrap());
        let reopened = Repository::open(dir.path()).unwrap();
        assert!(objects::is_whole(&reopened, tip));
        assert!(!objects::is_whole(&reopened, stray));
        assert_eq!(number_of_files(&reopened), 2, "one pack and its index");
        let mut walk = reopened.revwalk().unwrap();
        walk.push(tip).unwrap();
        assert_eq!(walk.count(), 30);
    }
}
