//! References to images: a name with a tag, a digest, both or neither.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    InvalidImage,
    name::{CanonicalName, ImageName},
    tag::{Digest, Tag},
};

/// A reference to an image: `name[:tag][@digest]`, kept as written.
///
/// Exhaustive: a reference has these parts and no others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    /// The name.
    pub name: ImageName,
    /// The tag, if written.
    pub tag: Option<Tag>,
    /// The digest, if written.
    pub digest: Option<Digest>,
}

/// The error for a tag set on a reference with a digest, when the digest of the new tag is not
/// known.
///
/// The digest decides which image runs, so that the tag beside it would be wrong.
///
/// Exhaustive: it is what its message says and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{image}` is pinned by its digest, and the digest of tag `{tag}` is not known")]
pub struct Pinned {
    /// The reference as it stands.
    pub image: ImageRef,
    /// The tag that was to be set.
    pub tag: Tag,
}

impl ImageRef {
    /// Returns this reference with another tag, and with that tag's digest if one is given.
    ///
    /// ```
    /// use flux_core::image::{ImageRef, Pinned};
    ///
    /// let image: ImageRef = "web:1".parse()?;
    /// assert_eq!(image.with_tag("2".parse()?, None).unwrap().to_string(), "web:2");
    ///
    /// let old = format!("sha256:{}", "a".repeat(64));
    /// let new = format!("sha256:{}", "b".repeat(64));
    /// let pinned: ImageRef = format!("web:1@{old}").parse()?;
    /// let moved = pinned.with_tag("2".parse()?, Some(new.parse()?)).unwrap();
    /// assert_eq!(moved.to_string(), format!("web:2@{new}"));
    /// assert!(matches!(pinned.with_tag("2".parse()?, None), Err(Pinned { .. })));
    /// # Ok::<(), flux_core::image::InvalidImage>(())
    /// ```
    ///
    /// # Errors
    /// [`Pinned`] if this reference has a digest and none is given.
    pub fn with_tag(&self, tag: Tag, digest: Option<Digest>) -> Result<Self, Pinned> {
        if self.digest.is_some() && digest.is_none() {
            return Err(Pinned { image: self.clone(), tag });
        }
        Ok(Self { name: self.name.clone(), tag: Some(tag), digest })
    }

    /// Returns the tag that this reference stands for.
    ///
    /// It is the tag as written, `latest` if there is neither tag nor digest, and `None` if there
    /// is only a digest.
    pub fn effective_tag(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag.as_str()),
            (None, None) => Some("latest"),
            (None, Some(_)) => None,
        }
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ImageRef {
    type Err = InvalidImage;

    fn from_str(text: &str) -> Result<Self, InvalidImage> {
        let invalid = |problem| InvalidImage { text: text.to_owned(), problem };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|e: InvalidImage| invalid(e.problem))?))
            }
            None => (text, None),
        };
        // A `:` after the last `/` belongs to the tag, but not those between the brackets of an
        // IPv6 address.
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[last..].split_once(':') {
            Some((element, tag)) => {
                let tag = tag.parse().map_err(|e: InvalidImage| invalid(e.problem))?;
                (&rest[..last + element.len()], Some(tag))
            }
            None => (rest, None),
        };
        let name = ImageName::parse(name).map_err(invalid)?;
        Ok(Self { name, tag, digest })
    }
}

impl ImageName {
    /// Returns the reference to `tag` of this name.
    pub fn with_tag(&self, tag: Tag) -> ImageRef {
        ImageRef { name: self.clone(), tag: Some(tag), digest: None }
    }
}

impl FromStr for ImageName {
    type Err = InvalidImage;

    fn from_str(text: &str) -> Result<Self, InvalidImage> {
        let image: ImageRef = text.parse()?;
        if image.tag.is_some() || image.digest.is_some() {
            return Err(InvalidImage { text: text.to_owned(), problem: "a name has no tag and no digest" });
        }
        Ok(image.name)
    }
}

impl FromStr for CanonicalName {
    type Err = InvalidImage;

    fn from_str(text: &str) -> Result<Self, InvalidImage> {
        let canonical = text.parse::<ImageName>()?.canonical();
        if canonical.as_str() == text {
            return Ok(canonical);
        }
        let problem = "it is not in canonical form: write the host in lower case, `index.docker.io` for \
                       Docker Hub, and `library/` before a path of one element there";
        Err(InvalidImage { text: text.to_owned(), problem })
    }
}
