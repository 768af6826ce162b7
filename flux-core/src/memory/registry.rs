//! [`MemoryRegistry`]: a [`Registry`] in memory, for embedders, demonstrations and tests, and the
//! model that the real one is compared with.

mod images;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    backend::{Error, Images, InspectError, Observation, Registry, Result, Tags},
    image::{ArtifactKind, CanonicalName, ImageInfo, ImageName, Tag},
};

pub use images::{ImagesError, ImagesFile};

/// A [`Registry`] in memory.
///
/// It can be pushed to while others read it.
///
/// ```
/// use flux_core::{image::ImageInfo, memory::MemoryRegistry};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let web = "example.com/web".parse()?;
/// let registry = MemoryRegistry::new().with_image(&web, "v1".parse()?, ImageInfo::default());
/// registry.push(&web, "v2".parse()?, ImageInfo::default());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    repositories: BTreeMap<CanonicalName, Repository>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Repository {
    error: Option<Error>,
    tags: BTreeMap<Tag, Result<ImageInfo, InspectError>>,
}

/// How often a [`MemoryRegistry`] was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Lists of tags asked for.
    pub tags: usize,
    /// Tags whose details were asked for.
    pub inspected: usize,
}

impl MemoryRegistry {
    /// Returns an empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns this registry with one more image.
    #[must_use]
    pub fn with_image(self, name: &ImageName, tag: Tag, image: ImageInfo) -> Self {
        self.push(name, tag, image);
        self
    }

    /// Returns this registry with a tag that is listed, but whose image cannot be read.
    #[must_use]
    pub fn with_tag_error(self, name: &ImageName, tag: Tag, error: InspectError) -> Self {
        self.insert(name, tag, Err(error));
        self
    }

    /// Returns this registry with an artifact: a tag that no container can be run from.
    #[must_use]
    pub fn with_artifact(self, name: &ImageName, tag: Tag, kind: ArtifactKind) -> Self {
        self.push_artifact(name, tag, kind);
        self
    }

    /// Returns this registry with a repository that answers everything with `error`.
    #[must_use]
    pub fn with_error(self, name: &ImageName, error: Error) -> Self {
        self.set_error(name, Some(error));
        self
    }

    /// Puts an image under a tag; what the tag pointed to before is forgotten.
    pub fn push(&self, name: &ImageName, tag: Tag, image: ImageInfo) {
        self.insert(name, tag, Ok(image));
    }

    /// Puts an artifact under a tag; what the tag pointed to before is forgotten.
    pub fn push_artifact(&self, name: &ImageName, tag: Tag, kind: ArtifactKind) {
        let message = artifact_words(name, &tag, kind);
        self.insert(name, tag, Err(InspectError::not_an_image(kind, message)));
    }

    /// Removes a tag, if it is there.
    pub fn remove(&self, name: &ImageName, tag: &Tag) {
        if let Some(repository) = self.state().repositories.get_mut(&name.canonical()) {
            repository.tags.remove(tag);
        }
    }

    /// Makes a repository answer everything with `error`, or answer again.
    pub fn set_error(&self, name: &ImageName, error: Option<Error>) {
        self.state().repositories.entry(name.canonical()).or_default().error = error;
    }

    /// Returns how often this registry was asked since it was made.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    fn insert(&self, name: &ImageName, tag: Tag, image: Result<ImageInfo, InspectError>) {
        self.state().repositories.entry(name.canonical()).or_default().tags.insert(tag, image);
    }

    /// Nothing that holds the lock can leave the state half changed, so a poisoned lock is as good
    /// as another.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The account of the observer: there is no log-in here.
const AUTHORITY: &str = "memory";

#[async_trait]
impl Registry for MemoryRegistry {
    async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>> {
        let mut state = self.state();
        state.counts.tags += 1;
        match state.repositories.get(&name.canonical()) {
            Some(Repository { error: Some(error), .. }) => Err(error.clone()),
            Some(repository) => {
                Ok(Observation::complete(repository.tags.keys().cloned().collect(), AUTHORITY))
            }
            None => {
                Err(Error::not_found(name, format!("image repository {name} does not exist: check the name")))
            }
        }
    }

    async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>> {
        let mut state = self.state();
        state.counts.inspected += tags.len();
        let repository = state.repositories.get(&name.canonical());
        if let Some(error) = repository.and_then(|r| r.error.as_ref()) {
            return Err(error.clone());
        }
        let look = |tag: &Tag| {
            repository.and_then(|r| r.tags.get(tag)).cloned().unwrap_or_else(|| {
                let message = format!("image {name}:{tag} does not exist: it was deleted, or never pushed");
                Err(InspectError::missing(message))
            })
        };
        Ok(Observation::complete(tags.iter().map(|tag| (tag.clone(), look(tag))).collect(), AUTHORITY))
    }
}

/// Says what an artifact is.
fn artifact_words(name: impl fmt::Display, tag: &Tag, kind: ArtifactKind) -> String {
    format!("{name}:{tag} is {kind}, and no container image")
}

/// Returns the answer of a future that waits for nothing, as the ones of the in-memory backends do.
#[cfg(test)]
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    use std::task::{Context, Poll, Waker};
    match std::pin::pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("an in-memory backend waits for nothing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_what_it_is_asked() {
        let (name, tag) = ("web".parse().unwrap(), |text: &str| text.parse::<Tag>().unwrap());
        let registry = MemoryRegistry::new().with_image(&name, tag("v1"), ImageInfo::default());
        at_once(async {
            registry.tags(&name).await.unwrap();
            registry.inspect(&name, &[tag("v1"), tag("v2")]).await.unwrap();
        });
        assert_eq!(registry.counts(), Counts { tags: 1, inspected: 2 });
    }
}
