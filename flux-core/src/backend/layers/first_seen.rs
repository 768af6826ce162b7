//! [`FirstSeen`]: a registry that says since when its images are known.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    backend::{Clock, Images, Observation, Registry, Result, Tags},
    image::{Digest, ImageName, Tag},
};

/// Where it is kept when digests were first seen.
pub trait SeenStore: fmt::Debug + Send + Sync {
    /// Returns when a digest was first seen: `now`, if it never was, which is kept.
    ///
    /// A store that cannot keep it returns `now` again and again; then images stay young.
    fn first_seen(&self, digest: &Digest, now: Timestamp) -> Timestamp;
}

/// A [`SeenStore`] in memory, which forgets with the process: after a restart every image is young.
#[derive(Debug, Default)]
pub struct MemorySeen(Mutex<BTreeMap<Digest, Timestamp>>);

impl MemorySeen {
    /// Makes a store that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }
}

impl SeenStore for MemorySeen {
    fn first_seen(&self, digest: &Digest, now: Timestamp) -> Timestamp {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.entry(digest.clone()).or_insert(now)
    }
}

/// A [`Registry`] around another that adds to each image when its digest was first seen.
///
/// A minimum age then counts from the later of that time and the build date, which publishers
/// choose. An image is seen when its details are asked for the first time.
#[derive(Debug)]
pub struct FirstSeen<R> {
    inner: R,
    store: Arc<dyn SeenStore>,
    clock: Arc<dyn Clock>,
}

impl<R> FirstSeen<R> {
    /// Wraps a registry.
    pub fn new(inner: R, store: Arc<dyn SeenStore>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, store, clock }
    }

    /// Returns the registry that is wrapped.
    pub fn inner(&self) -> &R {
        &self.inner
    }
}

#[async_trait]
impl<R: Registry> Registry for FirstSeen<R> {
    async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>> {
        self.inner.tags(name).await
    }

    async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>> {
        let mut images = self.inner.inspect(name, tags).await?;
        let now = self.clock.now();
        for image in images.value.values_mut().flatten() {
            let seen = image.digest.as_ref().map(|digest| self.store.first_seen(digest, now));
            image.first_seen = seen.or(image.first_seen);
        }
        Ok(images)
    }
}
