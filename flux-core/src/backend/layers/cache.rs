//! [`Cache`]: a registry whose answers are kept for a while.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::{
    backend::{Clock, Completeness, Error, Images, Observation, Registry, Result, Tags},
    image::{CanonicalName, ImageInfo, ImageName, Tag},
};

/// Of how many repositories a [`Cache`] keeps the answers.
const REPOSITORIES: usize = 10_000;

/// A [`Registry`] around another that keeps complete answers for a time.
///
/// An older answer is asked for anew. When the registry is away then, the older one is given as
/// [stale](Completeness::Stale); nothing partial and no failure is kept. A push that is reported,
/// by a webhook say, is seen at once after [`forget`](Self::forget).
#[derive(Debug)]
pub struct Cache<R> {
    inner: R,
    keep: SignedDuration,
    clock: Arc<dyn Clock>,
    repositories: Mutex<BTreeMap<CanonicalName, Repository>>,
}

#[derive(Debug, Default)]
struct Repository {
    tags: Option<Kept<Tags>>,
    images: BTreeMap<Tag, Kept<ImageInfo>>,
    used: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Kept<T> {
    value: T,
    authority: Arc<str>,
    at: Timestamp,
}

impl<R> Cache<R> {
    /// Wraps a registry, whose answers are kept for `keep`.
    pub fn new(inner: R, keep: Duration, clock: Arc<dyn Clock>) -> Self {
        let keep = SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
        Self { inner, keep, clock, repositories: Mutex::default() }
    }

    /// Forgets the answers about a repository.
    pub fn forget(&self, name: &ImageName) {
        self.lock().remove(&name.canonical());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CanonicalName, Repository>> {
        // Every change of the state is one insertion, so that a panic elsewhere leaves it whole.
        self.repositories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_fresh<T>(&self, kept: &Kept<T>, now: Timestamp) -> bool {
        now.duration_since(kept.at) < self.keep
    }

    /// Changes what is kept of a repository; makes room for it if it is new.
    fn keep(&self, name: &ImageName, now: Timestamp, change: impl FnOnce(&mut Repository)) {
        let (mut repositories, key) = (self.lock(), name.canonical());
        if repositories.len() >= REPOSITORIES && !repositories.contains_key(&key) {
            let oldest = repositories.iter().min_by_key(|(_, kept)| kept.used).map(|(name, _)| name.clone());
            oldest.map(|oldest| repositories.remove(&oldest));
        }
        let repository = repositories.entry(key).or_default();
        repository.used = Some(now);
        change(repository);
    }
}

/// Returns the observation that an older answer is now that it cannot be renewed.
fn stale<T>(value: T, authority: &str, since: Timestamp, now: Timestamp, error: &Error) -> Observation<T> {
    let completeness = Completeness::Stale { age: now.duration_since(since), reason: error.to_string() };
    Observation { value, completeness, authority: authority.to_owned() }
}

#[async_trait]
impl<R: Registry> Registry for Cache<R> {
    async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>> {
        let now = self.clock.now();
        let kept = self.lock().get(&name.canonical()).and_then(|repository| repository.tags.clone());
        if let Some(kept) = kept.as_ref().filter(|kept| self.is_fresh(kept, now)) {
            return Ok(Observation::complete(kept.value.clone(), &*kept.authority));
        }
        match (self.inner.tags(name).await, kept) {
            (Ok(seen), _) => {
                if seen.completeness.is_complete() {
                    let (value, authority) = (seen.value.clone(), seen.authority.as_str().into());
                    self.keep(name, now, |known| known.tags = Some(Kept { value, authority, at: now }));
                }
                Ok(seen)
            }
            (Err(error), Some(kept)) if error.is_retryable() => {
                Ok(stale(kept.value, &kept.authority, kept.at, now, &error))
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>> {
        let now = self.clock.now();
        let mut kept: BTreeMap<Tag, Kept<ImageInfo>> = {
            let repositories = self.lock();
            let known = repositories.get(&name.canonical());
            tags.iter().filter_map(|tag| Some((tag.clone(), known?.images.get(tag)?.clone()))).collect()
        };
        let is_fresh = |tag: &Tag| kept.get(tag).is_some_and(|kept| self.is_fresh(kept, now));
        let wanted: Vec<Tag> = tags.iter().filter(|tag| !is_fresh(tag)).cloned().collect();
        let seen = match (wanted.is_empty(), kept.values().next()) {
            (true, Some(kept)) => Ok(Observation::complete(Images::new(), &*kept.authority)),
            _ => self.inner.inspect(name, &wanted).await,
        };
        match seen {
            Ok(mut seen) => {
                self.keep(name, now, |known| {
                    let authority: Arc<str> = seen.authority.as_str().into();
                    for (tag, image) in &seen.value {
                        let kept = image.as_ref().ok().map(|info| Kept {
                            value: info.clone(),
                            authority: Arc::clone(&authority),
                            at: now,
                        });
                        match kept {
                            Some(kept) => drop(known.images.insert(tag.clone(), kept)),
                            None => drop(known.images.remove(tag)),
                        }
                    }
                });
                wanted.iter().for_each(|tag| drop(kept.remove(tag)));
                seen.value.extend(kept.into_iter().map(|(tag, kept)| (tag, Ok(kept.value))));
                Ok(seen)
            }
            Err(error) if error.is_retryable() && wanted.iter().all(|tag| kept.contains_key(tag)) => {
                let oldest = kept.values().min_by_key(|kept| kept.at);
                let (since, authority) =
                    oldest.map_or((now, "".into()), |kept| (kept.at, Arc::clone(&kept.authority)));
                let images = kept.into_iter().map(|(tag, kept)| (tag, Ok(kept.value))).collect();
                Ok(stale(images, &authority, since, now, &error))
            }
            Err(error) => Err(error),
        }
    }
}
