//! [`Registry`]: what images there are.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Observation, Result};
use crate::image::{ImageInfo, ImageName, Tag};

/// The tags of an image repository, in no particular order.
pub type Tags = Vec<Tag>;

/// What was learnt of each tag asked for.
pub type Images = BTreeMap<Tag, Result<ImageInfo, InspectError>>;

/// The registries that images come from.
///
/// # Contract
/// - [`tags`](Self::tags) follows pagination to its end, or says in the observation that it did not.
/// - [`inspect`](Self::inspect) answers for every tag asked for; a tag of which nothing can be learnt does not stop the others.
/// - Names are looked up in canonical form.
#[async_trait]
pub trait Registry: fmt::Debug + Send + Sync {
    /// The names of all tags of a repository.
    async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>>;

    /// Digest, build date, platforms and labels of some tags of a repository.
    async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>>;
}

/// Why nothing could be learnt of one tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct InspectError {
    /// Whether the tag is listed but its manifest is gone.
    pub missing: bool,
    /// What the registry said.
    pub message: String,
}
