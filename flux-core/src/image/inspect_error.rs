//! The error of a tag whose image could not be read.

use serde::{Deserialize, Serialize};

/// The reason that the image of one tag could not be read.
///
/// Exhaustive: implementors of a registry make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct InspectError {
    /// `true` if the tag is listed and its manifest is gone.
    pub missing: bool,
    /// A sentence for people, with the next step.
    pub message: String,
}
