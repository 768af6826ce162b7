//! Image names, references, tags and digests, and what a registry tells of an image.
//!
//! Printing gives back exactly what was written; comparing is done on canonical names.

mod info;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use info::{ImageInfo, Platform};

/// The registry that an image name without a host belongs to, in v1's canonical spelling.
pub const DEFAULT_REGISTRY: &str = "index.docker.io";

/// Why a text is no image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image reference: {problem}")]
pub struct InvalidImage {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// The name of an image repository, as written: `[host/]path`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageName {
    host: Option<String>,
    path: String,
}

/// An image name with its host spelt out and Docker Hub's aliases resolved, for comparing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CanonicalName(String);

impl CanonicalName {
    /// The text, `host/path`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CanonicalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ImageName {
    /// The host as written, with its port.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The path as written.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The canonical host: [`DEFAULT_REGISTRY`] for none and for Docker Hub's aliases.
    pub fn registry(&self) -> &str {
        match self.host.as_deref() {
            None | Some("docker.io" | "index.docker.io") => DEFAULT_REGISTRY,
            Some(host) => host,
        }
    }

    /// The canonical path: on Docker Hub a single element is prefixed with `library/`.
    pub fn repository(&self) -> String {
        if self.registry() == DEFAULT_REGISTRY && !self.path.contains('/') {
            format!("library/{}", self.path)
        } else {
            self.path.clone()
        }
    }

    /// The canonical form, for comparing.
    pub fn canonical(&self) -> CanonicalName {
        CanonicalName(format!("{}/{}", self.registry(), self.repository()))
    }

    /// The reference to `tag` of this name.
    pub fn with_tag(&self, tag: Tag) -> ImageRef {
        ImageRef { name: self.clone(), tag: Some(tag), digest: None }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host}/{}", self.path),
            None => f.write_str(&self.path),
        }
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

/// A tag: what follows the `:` of a reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

impl Tag {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = InvalidImage;

    fn from_str(text: &str) -> Result<Self, InvalidImage> {
        let ok = text.len() <= 128
            && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidImage {
                text: text.to_owned(),
                problem: "a tag is up to 128 letters, digits, `_`, `.` and `-`, and starts with neither `.` nor `-`",
            })
        }
    }
}

/// A content digest, `algorithm:hex`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = InvalidImage;

    fn from_str(text: &str) -> Result<Self, InvalidImage> {
        let ok = text.split_once(':').is_some_and(|(algorithm, value)| {
            !algorithm.is_empty()
                && algorithm.chars().all(|c| c.is_ascii_alphanumeric() || "+._-".contains(c))
                && value.len() >= 32
                && value.chars().all(|c| c.is_ascii_alphanumeric() || "=_-".contains(c))
        });
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidImage { text: text.to_owned(), problem: "a digest is algorithm:value" })
        }
    }
}

/// A reference to an image: `name[:tag][@digest]`, kept as written.
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
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest.get(last..).and_then(|s| s.find(':')) {
            Some(colon) => (&rest[..last + colon], Some(rest[last + colon + 1..].parse()?)),
            None => (rest, None),
        };
        let (host, path) = match name.split_once('/') {
            Some((first, path)) if first == "localhost" || first.contains(['.', ':', '[']) => {
                (Some(first.to_owned()), path)
            }
            _ => (None, name),
        };
        if path.is_empty() {
            return Err(invalid("the name is blank"));
        }
        let component =
            |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !path.split('/').all(component) {
            return Err(invalid(
                "a name is made of letters, digits, `.`, `_` and `-`, with single `/` between",
            ));
        }
        Ok(Self { name: ImageName { host, path: path.to_owned() }, tag, digest })
    }
}

macro_rules! text_conversions {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = InvalidImage;

            fn try_from(text: String) -> Result<Self, InvalidImage> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )*};
}

text_conversions!(ImageName, Tag, Digest, ImageRef);
