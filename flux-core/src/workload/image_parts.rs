//! An image in several scalars: registry, repository, tag and digest.

use super::context::{Context, IMAGE};
use crate::{
    image::ImageRef,
    manifest::{
        BadImage, Container, ContainerRole,
        scalar_ref::{Part, ScalarRef},
    },
};

/// The scalars that make up an image.
#[derive(Clone, Debug)]
pub(crate) struct ImageParts {
    pub registry: Option<ScalarRef>,
    pub repository: ScalarRef,
    pub tag: Option<ScalarRef>,
    pub digest: Option<ScalarRef>,
}

impl ImageParts {
    /// Returns an image that is written in one scalar.
    pub(crate) fn whole(image: ScalarRef) -> Self {
        Self { registry: None, repository: image, tag: None, digest: None }
    }

    /// Returns the container of this image.
    ///
    /// A part that cannot be read is reported.
    pub(crate) fn container(&self, name: &str, role: ContainerRole, context: &mut Context<'_>) -> Container {
        let leaves = [
            (Part::Registry, self.registry.as_ref()),
            (self.name_part(), Some(&self.repository)),
            (Part::Tag, self.tag.as_ref()),
            (Part::Digest, self.digest.as_ref()),
        ];
        let sites = leaves.into_iter().filter_map(|(part, leaf)| Some(leaf?.site(part))).collect();
        context.container((name, role), self.image(), self.repository.position, sites, IMAGE)
    }

    /// Returns the image that the parts make up.
    pub(crate) fn image(&self) -> Result<ImageRef, BadImage> {
        let mut name = self.repository.text.clone();
        if let Some(registry) = &self.registry {
            name = format!("{}/{name}", registry.text);
        }
        let mut image: ImageRef = name.parse()?;
        if let Some(tag) = &self.tag {
            // A tag may carry the digest: charts put both behind the colon.
            let bare = ImageRef { tag: None, digest: image.digest.take(), ..image };
            let written = format!("{}:{}", bare.name, tag.text);
            image = written.parse()?;
            image.digest = image.digest.or(bare.digest);
        }
        if let Some(digest) = self.digest.as_ref().filter(|d| !d.text.is_empty()) {
            image.digest = Some(digest.text.parse()?);
        }
        Ok(image)
    }

    /// Returns the part that the repository holds; alone, it is the whole image.
    fn name_part(&self) -> Part {
        let alone = self.registry.is_none() && self.tag.is_none() && self.digest.is_none();
        if alone { Part::Image } else { Part::Repository }
    }
}
