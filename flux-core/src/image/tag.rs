//! Tags and digests: the two ways to select an image of a name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::InvalidImage;

/// The longest tag, in characters.
const LONGEST_TAG: usize = 128;

/// A tag: the part behind the `:` of a reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

impl Tag {
    /// Returns the text.
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
        let ok = text.len() <= LONGEST_TAG
            && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
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

impl TryFrom<&str> for Tag {
    type Error = InvalidImage;

    fn try_from(text: &str) -> Result<Self, InvalidImage> {
        text.parse()
    }
}

/// A content digest, `algorithm:value`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the algorithm, such as `sha256`.
    pub fn algorithm(&self) -> &str {
        self.0.split_once(':').map_or("", |(algorithm, _)| algorithm)
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
        let word = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric());
        let ok = text.split_once(':').is_some_and(|(algorithm, value)| {
            algorithm.split(['+', '.', '_', '-']).all(word)
                && !value.is_empty()
                && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"=_-".contains(&b))
        });
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidImage { text: text.to_owned(), problem: "a digest is algorithm:value" })
        }
    }
}
