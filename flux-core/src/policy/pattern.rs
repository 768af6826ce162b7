//! Tag patterns and the orders they imply.

use std::{cmp::Ordering, fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A tag pattern: which tags compete, and in which order.
#[derive(Clone, Debug)]
pub struct TagPattern {
    text: String,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a tag pattern: {problem}")]
pub struct InvalidPattern {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

/// By what tags are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// By build date, the newest first.
    Created,
    /// By version, the highest first.
    Version,
    /// By number, the highest first.
    Number,
    /// By text, the last first.
    Text,
}

/// What is known of a tag when it is ordered.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The tag.
    pub tag: &'a str,
    /// When its image was built, if that is known and can be trusted.
    pub created: Option<Timestamp>,
}

impl TagPattern {
    /// The pattern of a container for which none is set: every tag but `latest`, newest build first.
    pub fn any() -> Self {
        Self { text: "glob:*".to_owned() }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// By what its tags are ordered.
    pub fn order(&self) -> Order {
        Order::Created
    }

    /// Whether a tag competes.
    pub fn matches(&self, tag: &str) -> bool {
        !tag.eq_ignore_ascii_case("latest")
    }

    /// Compares two tags: `Less` means that `a` is newer and comes first. Total.
    pub fn newest_first(&self, a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
        b.created.cmp(&a.created).then_with(|| a.tag.cmp(b.tag))
    }

    /// Whether two tags have the same rank, so that neither is an update of the other.
    pub fn same_rank(&self, a: &Candidate<'_>, b: &Candidate<'_>) -> bool {
        a.tag == b.tag
    }
}

impl FromStr for TagPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        Ok(Self { text: text.to_owned() })
    }
}

impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
