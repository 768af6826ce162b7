//! [`Registry`]: what images there are.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Observation;
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
    async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>, RegistryError>;

    /// Digest, build date, platforms and labels of some tags of a repository.
    async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>, RegistryError>;
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

/// How a [`Registry`] fails for a whole repository. Messages name the thing and the next step and hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The repository does not exist (or the registry says so to strangers).
    #[error("{0}")]
    NotFound(String),
    /// The registry wants credentials, or others.
    #[error("{0}")]
    Unauthorized(String),
    /// The registry knows who asks and does not allow it.
    #[error("{0}")]
    Forbidden(String),
    /// The registry wants fewer requests.
    #[error("{message}")]
    RateLimited {
        /// What it said.
        message: String,
        /// When it may be asked again, if it said so.
        until: Option<Timestamp>,
    },
    /// The registry cannot be reached, or is out of order.
    #[error("{0}")]
    Unavailable(String),
    /// The registry's answer, or the name asked for, makes no sense.
    #[error("{0}")]
    Invalid(String),
}

impl RegistryError {
    /// Whether the same call may succeed later with nothing else changed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable(_))
    }
}
