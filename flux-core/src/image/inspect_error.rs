//! The error of a tag whose image could not be read.

use serde::{Deserialize, Serialize};

use super::ArtifactKind;

/// The reason that the image of one tag could not be read.
///
/// Exhaustive: implementors of a registry make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct InspectError {
    /// The kind, which decides how the tag is treated.
    pub kind: InspectErrorKind,
    /// A sentence for people, with the next step.
    pub message: String,
}

/// The kind of an [`InspectError`].
///
/// Exhaustive: each is treated in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InspectErrorKind {
    /// The tag is listed and its manifest is gone.
    Missing,
    /// There is something under the tag that no container can be run from.
    ///
    /// It is known, so it leaves nothing open: the tag does not compete, and no finding is made.
    NotAnImage(ArtifactKind),
    /// There may be an image, of which nothing could be learnt.
    Unreadable,
}

impl InspectError {
    /// Makes the error of a tag whose manifest is gone.
    pub fn missing(message: impl Into<String>) -> Self {
        Self { kind: InspectErrorKind::Missing, message: message.into() }
    }

    /// Makes the error of a tag with something that no container can be run from.
    pub fn not_an_image(kind: ArtifactKind, message: impl Into<String>) -> Self {
        Self { kind: InspectErrorKind::NotAnImage(kind), message: message.into() }
    }

    /// Makes the error of a tag of whose image nothing could be learnt.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self { kind: InspectErrorKind::Unreadable, message: message.into() }
    }

    /// Reports that the tag is listed and its manifest is gone.
    pub fn is_missing(&self) -> bool {
        self.kind == InspectErrorKind::Missing
    }

    /// Returns the kind of artifact under the tag; `None` if there is or may be an image.
    pub fn artifact(&self) -> Option<ArtifactKind> {
        match self.kind {
            InspectErrorKind::NotAnImage(kind) => Some(kind),
            InspectErrorKind::Missing | InspectErrorKind::Unreadable => None,
        }
    }
}
