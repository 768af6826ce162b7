//! Containers: the places of a workload that name an image.

use serde::{Deserialize, Serialize};

use super::{DocumentId, Site};
use crate::{
    image::{ImageName, ImageRef, InvalidImage},
    position::Position,
};

/// A place in a workload that names an image.
///
/// Exhaustive: a writer of images must know all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The index of its object in the file.
    pub resource: usize,
    /// The container's name.
    pub name: String,
    /// The list that it stands in.
    pub role: ContainerRole,
    /// The image as written; an error if there is none or it cannot be parsed.
    pub image: Result<ImageRef, BadImage>,
    /// The position of the image.
    pub position: Position,
    /// The scalars that an edit of the image rewrites.
    pub sites: Vec<Site>,
    /// The document that holds the scalars, if they are not in the object: an entry of a
    /// kustomization sets the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<ImageOrigin>,
    /// The name that the object gives the image, if a kustomization replaces it and leaves the tag
    /// to the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed: Option<ImageName>,
}

/// The document that sets the image of an object in another file.
///
/// Exhaustive: a writer of images must know all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageOrigin {
    /// The document.
    pub document: DocumentId,
    /// The path of the image in the object itself, as a JSON pointer.
    pub pointer: String,
    /// The position of the entry or value that sets the image there.
    pub position: Position,
    /// The `name` of the entry of `images:`, if the document is a kustomization; else that of the
    /// object that it describes.
    pub name: String,
}

/// The text of an image that cannot be parsed.
///
/// Exhaustive: it is a text and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadImage {
    /// The text as written.
    pub text: String,
    /// The problem with the text.
    pub problem: String,
}

impl BadImage {
    /// Returns the name of the image, if the problem is in the text behind it.
    pub(crate) fn name(&self) -> Option<ImageName> {
        let start = self.text.rfind('/').unwrap_or(0);
        let end = self.text[start..].find([':', '@']).map_or(self.text.len(), |at| start + at);
        self.text[..end].parse().ok()
    }
}

impl From<InvalidImage> for BadImage {
    fn from(e: InvalidImage) -> Self {
        Self { problem: e.problem.to_owned(), text: e.text }
    }
}

/// The list of a pod that a container stands in.
///
/// Exhaustive: a pod has these lists and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerRole {
    /// `containers`.
    Main,
    /// `initContainers`.
    Init,
    /// `ephemeralContainers`.
    Ephemeral,
}
