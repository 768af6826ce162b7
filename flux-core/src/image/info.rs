//! Images as registries describe them.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Digest, InvalidImage};

/// An image as its registry describes it.
///
/// Exhaustive: implementors of a registry make it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageInfo {
    /// The digest of the manifest or index that the tag points to.
    pub digest: Option<Digest>,
    /// The time when the image was built, as its configuration has it; `None` if it has none.
    ///
    /// Publishers choose it, and tools write times that say nothing:
    /// [`Dates::built`](super::Dates::built) returns the time that is believed.
    pub created: Option<Timestamp>,
    /// The time when the digest was first seen; `None` if nobody remembers.
    ///
    /// No registry tells it: [`FirstSeen`](crate::backend::layers::FirstSeen) adds it. It is not
    /// chosen by publishers, so a minimum age counts from it where it is later than the build date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// The labels of the image's configuration.
    pub labels: BTreeMap<String, String>,
    /// The platforms the image was built for; empty if unknown.
    pub platforms: Vec<Platform>,
}

/// A platform, `os/architecture[/variant]`.
///
/// Exhaustive: implementors of a registry make it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    /// The operating system, as Go names it.
    pub os: String,
    /// The architecture, as Go names it.
    pub architecture: String,
    /// The variant, such as `v7`.
    pub variant: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |v| write!(f, "/{v}"))
    }
}

impl FromStr for Platform {
    type Err = InvalidImage;

    fn from_str(text: &str) -> Result<Self, InvalidImage> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [os, architecture] if !os.is_empty() && !architecture.is_empty() => {
                Ok(Self { os: os.to_owned(), architecture: architecture.to_owned(), variant: None })
            }
            [os, architecture, variant] if ![os, architecture, variant].contains(&"") => Ok(Self {
                os: os.to_owned(),
                architecture: architecture.to_owned(),
                variant: Some(variant.to_owned()),
            }),
            _ => Err(InvalidImage {
                text: text.to_owned(),
                problem: "a platform is os/architecture[/variant]",
            }),
        }
    }
}
