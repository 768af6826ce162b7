//! Reading files of the config repository: each content is parsed once and cached by its address.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    backend::{ConfigRepo, ContentId, Error as BackendError, FileBody},
    finding::{Code, Problem},
    manifest::{self, ParsedFile},
    position::Position,
    repo_path::RepoPath,
    workload,
};

/// A cache of parsed files, by the address of their content.
///
/// An entry never changes, so a cache may forget entries, but never return an outdated one.
///
/// Calls may block for as long as a small local file takes to read.
pub trait ParseCache: fmt::Debug + Send + Sync {
    /// Returns the parses of `ids`, in their order; `None` where unknown.
    fn get(&self, ids: &[ContentId]) -> Vec<Option<Arc<ParsedFile>>>;

    /// Keeps parses.
    fn put(&self, parsed: &[(ContentId, Arc<ParsedFile>)]);
}

/// A [`ParseCache`] for the life of the process.
///
/// It forgets: with every thousand new entries, those go that nothing else holds.
#[derive(Debug, Default)]
pub struct MemoryParseCache(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    files: HashMap<ContentId, Arc<ParsedFile>>,
    /// The number of entries with which those go that nothing else holds.
    most: usize,
}

/// How many entries are kept whether they are in use or not.
const FEW_ENTRIES: usize = 1000;

impl ParseCache for MemoryParseCache {
    fn get(&self, ids: &[ContentId]) -> Vec<Option<Arc<ParsedFile>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().map(|id| known.files.get(id).cloned()).collect()
    }

    fn put(&self, parsed: &[(ContentId, Arc<ParsedFile>)]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.files.len() > known.most.max(FEW_ENTRIES) {
            known.files.retain(|_, file| Arc::strong_count(file) > 1);
            known.most = known.files.len() + FEW_ENTRIES;
        }
        known.files.extend(parsed.iter().cloned());
    }
}

/// A parser for files of a repository, through a cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CachedParser<'a> {
    /// The repository.
    pub(crate) repo: &'a dyn ConfigRepo,
    /// The cache.
    pub(crate) cache: &'a dyn ParseCache,
    /// The number of files that are held in memory as bytes at a time.
    pub(crate) batch: usize,
}

/// Parsed files by their addresses.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// The files.
    pub(crate) files: HashMap<ContentId, Arc<ParsedFile>>,
    /// The number of files that were not in the cache.
    pub(crate) fresh: usize,
}

impl CachedParser<'_> {
    /// Parses the files with these addresses that are not in the cache.
    pub(crate) async fn parse(
        &self,
        ids: impl IntoIterator<Item = &ContentId>,
    ) -> Result<Parsed, BackendError> {
        let ids: BTreeSet<&ContentId> = ids.into_iter().collect();
        let ids: Vec<ContentId> = ids.into_iter().cloned().collect();
        let mut files: HashMap<ContentId, Arc<ParsedFile>> = HashMap::with_capacity(ids.len());
        let mut unknown = Vec::new();
        for (id, parsed) in ids.iter().zip(self.cache.get(&ids)) {
            match parsed {
                Some(file) => drop(files.insert(id.clone(), file)),
                None => unknown.push(id.clone()),
            }
        }
        let mut fresh = Vec::with_capacity(unknown.len());
        // In batches, so that a large repository is never held in memory as bytes.
        for batch in unknown.chunks(self.batch.max(1)) {
            let bodies = self.repo.read(batch, manifest::MAX_FILE_BYTES).await?;
            for (id, body) in batch.iter().zip(bodies) {
                fresh.push((id.clone(), Arc::new(parse_body(&body))));
            }
        }
        let count = fresh.len();
        if count > 0 {
            self.cache.put(&fresh);
            files.extend(fresh);
        }
        Ok(Parsed { files, fresh: count })
    }

    /// Parses files by their paths.
    pub(crate) async fn parse_paths(
        &self,
        files: &BTreeMap<RepoPath, ContentId>,
    ) -> Result<BTreeMap<RepoPath, Arc<ParsedFile>>, BackendError> {
        let parsed = self.parse(files.values()).await?.files;
        Ok(files.iter().filter_map(|(path, id)| Some((path.clone(), parsed.get(id)?.clone()))).collect())
    }
}

fn parse_body(body: &FileBody) -> ParsedFile {
    match body {
        FileBody::Bytes(bytes) => workload::parse(bytes),
        FileBody::TooLarge { size } => ParsedFile {
            resources: Vec::new(),
            problems: vec![Problem {
                code: Code::TooLarge,
                subject: None,
                position: Position::START,
                evidence: format!("the file has {size} bytes; at most {} are read", manifest::MAX_FILE_BYTES),
                remedy: "split the file, or keep it outside the configured paths".to_owned(),
            }],
        },
    }
}

/// Reads the texts of files by their paths.
///
/// Files that do not exist, are too large or are not UTF-8 are left out.
pub(crate) async fn read_texts<'p>(
    repo: &dyn ConfigRepo,
    files: impl Fn(&str) -> Option<ContentId>,
    paths: impl IntoIterator<Item = &'p RepoPath>,
) -> Result<BTreeMap<RepoPath, String>, BackendError> {
    let (paths, ids): (Vec<&RepoPath>, Vec<ContentId>) =
        paths.into_iter().filter_map(|path| Some((path, files(path)?))).unzip();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let bodies = repo.read(&ids, manifest::MAX_FILE_BYTES).await?;
    let texts = paths.into_iter().zip(bodies).filter_map(|(path, body)| match body {
        FileBody::Bytes(bytes) => Some((path.clone(), String::from_utf8(bytes.to_vec()).ok()?)),
        FileBody::TooLarge { .. } => None,
    });
    Ok(texts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_in_memory_forgets_what_nothing_else_holds() {
        let cache = MemoryParseCache::default();
        let file = |n: usize| (ContentId::new(n.to_string()), Arc::new(ParsedFile::default()));
        let held: Vec<_> = (0..100).map(file).collect();
        cache.put(&held);
        for n in 100..10_000 {
            cache.put(&[file(n)]);
        }
        let kept = cache.0.lock().unwrap().files.len();
        assert!(kept < 3 * FEW_ENTRIES, "{kept} entries are kept");
        let ids: Vec<_> = held.iter().map(|(id, _)| id.clone()).collect();
        assert!(cache.get(&ids).iter().all(Option::is_some));
    }
}
