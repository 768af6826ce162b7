//! [`Registry`]: what images there are.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;

use super::{Observation, Result};
use crate::image::{ImageInfo, ImageName, InspectError, Tag};

/// The tags of an image repository, in no particular order.
pub type Tags = Vec<Tag>;

/// The image under each tag that was asked for, or the reason that it could not be read.
pub type Images = BTreeMap<Tag, Result<ImageInfo, InspectError>>;

/// The registries that images come from.
///
/// To bring one of your own, implement the two methods and run
/// `flux_core::testing::registry_conformance!` (feature `testing`) over it; the example
/// `own-backend` of the facade does so.
///
/// ```
/// # futures::executor::block_on(async {
/// use flux_core::{backend::Registry, image::ImageInfo, memory::MemoryRegistry};
///
/// let web = "example.com/web".parse()?;
/// let registry = MemoryRegistry::new().with_image(&web, "v1".parse()?, ImageInfo::default());
/// assert_eq!(registry.tags(&web).await?.value, ["v1".parse()?]);
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
///
/// # Contract
/// - [`tags`](Self::tags) follows pagination to its end, or says in the observation that it did
///   not.
/// - [`inspect`](Self::inspect) answers for every tag asked for; a tag whose image cannot be read
///   does not stop the others.
/// - Names are looked up in canonical form.
#[async_trait]
pub trait Registry: fmt::Debug + Send + Sync {
    /// Returns the names of all tags of a repository.
    async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>>;

    /// Returns digest, build date, platforms and labels of some tags of a repository.
    async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>>;
}
