//! Tags, with the known facts about their images.

use crate::image::{ArtifactKind, ImageInfo, InspectError, InspectErrorKind, Tag};

/// A tag of a repository, with the known facts about its image.
///
/// Exhaustive: callers make it.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<'a> {
    /// The tag.
    pub tag: &'a Tag,
    /// The knowledge of its image.
    pub seen: Seen<'a>,
}

/// The knowledge of an image.
///
/// Exhaustive: callers make it.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// The registry was not asked.
    NotAsked,
    /// The registry described it.
    Known(&'a ImageInfo),
    /// The tag is listed, but the image is not there.
    Gone(&'a str),
    /// There is something under the tag that no container can be run from, with the registry's
    /// words.
    NotAnImage(ArtifactKind, &'a str),
    /// The registry was asked and could not describe the image, which may exist.
    Unreadable(&'a str),
}

impl<'a> From<&'a Result<ImageInfo, InspectError>> for Seen<'a> {
    fn from(answer: &'a Result<ImageInfo, InspectError>) -> Self {
        match answer {
            Ok(info) => Self::Known(info),
            Err(e) => match e.kind {
                InspectErrorKind::Missing => Self::Gone(&e.message),
                InspectErrorKind::NotAnImage(kind) => Self::NotAnImage(kind, &e.message),
                InspectErrorKind::Unreadable => Self::Unreadable(&e.message),
            },
        }
    }
}

impl Tagged<'_> {
    /// Returns the kind of artifact that the tag has, by its name alone or as the registry told.
    ///
    /// The name is enough whatever the registry tells, so that it makes no difference to a choice
    /// whether the registry was asked.
    pub fn artifact(&self) -> Option<ArtifactKind> {
        match self.seen {
            Seen::NotAnImage(kind, _) => Some(kind),
            _ => ArtifactKind::named_by(self.tag.as_str()),
        }
    }

    /// Reports that no container can run the tag, as far as is known.
    pub(super) fn cannot_run(&self) -> bool {
        matches!(self.seen, Seen::Gone(_)) || self.artifact().is_some()
    }
}

impl<'a> Seen<'a> {
    /// Returns the image, if the registry described it.
    pub fn info(self) -> Option<&'a ImageInfo> {
        match self {
            Self::Known(info) => Some(info),
            _ => None,
        }
    }
}
