//! Image details by digest, kept in memory for the life of the process, and in a store if there is
//! one.
//!
//! A digest is the hash of its content, and content is checked against it, so what is kept never
//! grows old and cannot be forged by one registry for another.

use std::{
    collections::HashMap,
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use flux_core::image::{Digest, ImageInfo};

use crate::artifact::Artifact;

/// Where image details outlive the process.
///
/// A store is a cache: one that fails forgets, and nothing else comes of it.
pub trait ImageStore: fmt::Debug + Send + Sync {
    /// Returns the details that were put for a digest.
    fn get(&self, digest: &Digest) -> Option<ImageInfo>;

    /// Keeps what was learnt of a digest.
    fn put(&self, digest: &Digest, info: &ImageInfo);
}

/// An [`ImageStore`] in a folder, one small file a digest. Several processes may share it.
#[derive(Debug)]
pub struct DirStore {
    folder: PathBuf,
    written: AtomicU64,
}

impl DirStore {
    /// Makes a store in `folder`, which is made when something is first put.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), written: AtomicU64::new(0) }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        // A digest has no separators of paths; a colon is no part of file names everywhere.
        self.folder.join(format!("{}.json", digest.as_str().replace(':', "-")))
    }

    fn write(&self, path: &Path, info: &ImageInfo) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let draft = self.folder.join(format!(".draft-{}-{number}", std::process::id()));
        let written = fs::File::create(&draft)
            .and_then(|mut file| file.write_all(&serde_json::to_vec(info)?))
            .and_then(|()| fs::rename(&draft, path));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written
    }
}

impl ImageStore for DirStore {
    fn get(&self, digest: &Digest) -> Option<ImageInfo> {
        let info: ImageInfo = serde_json::from_slice(&fs::read(self.path(digest)).ok()?).ok()?;
        (info.digest.as_ref() == Some(digest)).then_some(info)
    }

    fn put(&self, digest: &Digest, info: &ImageInfo) {
        if let Err(error) = self.write(&self.path(digest), info) {
            tracing::debug!(%digest, %error, "image details not kept");
        }
    }
}

/// The content of a digest: an image, or what else it is.
pub(crate) type Known = Result<ImageInfo, Artifact>;

/// The details known in this process, before the store is asked.
#[derive(Debug)]
pub(crate) struct Cache {
    recent: Mutex<Recent<Digest, Arc<Known>>>,
    store: Option<Arc<dyn ImageStore>>,
}

impl Cache {
    pub(crate) fn new(capacity: usize, store: Option<Arc<dyn ImageStore>>) -> Self {
        Self { recent: Mutex::new(Recent::new(capacity)), store }
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<Known>> {
        if let Some(known) = self.recent().get(digest) {
            return Some(known);
        }
        let known = Arc::new(Ok(self.store.as_ref()?.get(digest)?));
        self.recent().put(digest.clone(), Arc::clone(&known));
        Some(known)
    }

    pub(crate) fn put(&self, digest: &Digest, known: Known) {
        if let (Some(store), Ok(info)) = (&self.store, &known) {
            store.put(digest, info);
        }
        self.recent().put(digest.clone(), Arc::new(known));
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Recent<Digest, Arc<Known>>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A map that forgets what was not used for longest. It drops a quarter at once, so that dropping
/// is rare.
#[derive(Debug)]
struct Recent<K, V> {
    entries: HashMap<K, (u64, V)>,
    uses: u64,
    capacity: usize,
}

impl<K: std::hash::Hash + Eq, V: Clone> Recent<K, V> {
    fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), uses: 0, capacity: capacity.max(1) }
    }

    fn get(&mut self, key: &K) -> Option<V> {
        self.uses += 1;
        let (used, value) = self.entries.get_mut(key)?;
        *used = self.uses;
        Some(value.clone())
    }

    fn put(&mut self, key: K, value: V) {
        self.uses += 1;
        self.entries.insert(key, (self.uses, value));
        if self.entries.len() > self.capacity {
            let mut uses: Vec<u64> = self.entries.values().map(|(used, _)| *used).collect();
            uses.sort_unstable();
            let oldest_kept = uses[uses.len().div_ceil(4)];
            self.entries.retain(|_, (used, _)| *used >= oldest_kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use flux_core::image::ArtifactKind;

    use super::*;

    fn digest(n: u32) -> Digest {
        format!("sha256:{n:064}").parse().unwrap()
    }

    fn info(n: u32) -> ImageInfo {
        ImageInfo { digest: Some(digest(n)), ..ImageInfo::default() }
    }

    #[test]
    fn what_is_used_stays() {
        let cache = Cache::new(8, None);
        for n in 0..100 {
            cache.put(&digest(n), Ok(info(n)));
            assert!(cache.get(&digest(0)).is_some(), "used all the time");
            assert!(cache.recent().entries.len() <= 8);
        }
        assert!(cache.get(&digest(99)).is_some());
        assert!(cache.get(&digest(1)).is_none());
    }

    #[test]
    fn a_cache_of_one_works() {
        let cache = Cache::new(1, None);
        for n in 0..3 {
            cache.put(&digest(n), Ok(info(n)));
            assert_eq!(*cache.get(&digest(n)).unwrap(), Ok(info(n)));
        }
    }

    #[test]
    fn a_folder_remembers_images_and_forgets_what_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("images");
        let cache = |store| Cache::new(8, Some(Arc::new(store)));
        let first = cache(DirStore::new(&path));
        first.put(&digest(1), Ok(info(1)));
        first.put(&digest(2), Ok(info(2)));
        first.put(&digest(3), Err(Artifact::new(ArtifactKind::Other, "it is empty")));
        let second = cache(DirStore::new(&path));
        assert_eq!(*second.get(&digest(1)).unwrap(), Ok(info(1)));
        assert!(second.get(&digest(3)).is_none());
        fs::write(path.join(format!("sha256-{:064}.json", 2)), "{").unwrap();
        fs::copy(path.join(format!("sha256-{:064}.json", 1)), path.join(format!("sha256-{:064}.json", 4)))
            .unwrap();
        let third = cache(DirStore::new(&path));
        assert!(third.get(&digest(2)).is_none(), "damaged");
        assert!(third.get(&digest(4)).is_none(), "of another digest");
        assert!(
            fs::read_dir(&path).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().contains("draft"))
        );
    }
}
