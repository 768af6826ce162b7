//! Tags, with the known facts about their images.

use crate::image::{ImageInfo, InspectError, Tag};

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
    /// The registry was asked and could not describe the image, which may exist.
    Unreadable(&'a str),
}

impl<'a> From<&'a Result<ImageInfo, InspectError>> for Seen<'a> {
    fn from(answer: &'a Result<ImageInfo, InspectError>) -> Self {
        match answer {
            Ok(info) => Self::Known(info),
            Err(e) if e.missing => Self::Gone(&e.message),
            Err(e) => Self::Unreadable(&e.message),
        }
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
