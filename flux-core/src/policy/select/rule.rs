//! The rules that reject a tag, their codes, and how they are put into words.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer};

use crate::image::ArtifactKind;

/// The rule that rejects a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// No container can be run from it: it is a signature, a chart or another artifact.
    NotAnImage,
    /// The pattern does not take it.
    Pattern,
    /// It is `latest`, and the pattern does not ask for that by name.
    Latest,
    /// It is listed, but its image is not there.
    Gone,
    /// Its image could not be read.
    Unreadable,
    /// It is older than what runs.
    Downgrade,
    /// It is not newer than what was taken back.
    TakenBack,
    /// Its image has no trustworthy build date.
    NoDate,
    /// Its image is younger than the minimum age.
    MinAge,
    /// Its image lacks a platform.
    Platforms,
    /// Its digest is to be written and not known.
    NoDigest,
    /// It has the rank of what runs.
    SameRank,
    /// Another one is newer.
    Outranked,
    /// Too few facts about the others are known to choose it.
    Undecided,
}

impl Rule {
    /// All rules with their codes, in the order in which they are applied.
    pub const CODES: &'static [(Self, &'static str)] = &[
        (Self::NotAnImage, "not-an-image"),
        (Self::Latest, "latest-tag"),
        (Self::Pattern, "pattern-mismatch"),
        (Self::Gone, "image-gone"),
        (Self::Unreadable, "image-unreadable"),
        (Self::SameRank, "same-rank"),
        (Self::Downgrade, "downgrade"),
        (Self::TakenBack, "taken-back"),
        (Self::NoDate, "no-date"),
        (Self::MinAge, "min-age"),
        (Self::Platforms, "platforms"),
        (Self::NoDigest, "no-digest"),
        (Self::Outranked, "outranked"),
        (Self::Undecided, "undecided"),
    ];

    /// Returns the stable code, in lower-case kebab form.
    pub fn as_str(self) -> &'static str {
        Self::CODES.iter().find(|(rule, _)| *rule == self).map_or("", |(_, code)| code)
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why a tag is not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rejection {
    /// The rule.
    #[serde(rename = "reason")]
    pub rule: Rule,
    /// In words.
    pub message: String,
    /// The values that were compared, by name.
    pub evidence: BTreeMap<&'static str, String>,
}

impl Rejection {
    pub(super) fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self { rule, message: message.into(), evidence: BTreeMap::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.evidence.insert(name, value.to_string());
        self
    }

    /// Adds a fact, if it is known.
    pub(super) fn with_some(self, name: &'static str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Returns the rejection of a tag whose image is not there.
pub(super) fn gone(error: &str) -> Rejection {
    let message = format!("the tag is listed, but its image is not there: {error}");
    Rejection::new(Rule::Gone, message).with("error", error)
}

/// Returns the rejection of an artifact, with the words of the registry if it was asked.
pub(super) fn not_an_image(kind: ArtifactKind, words: Option<&str>) -> Rejection {
    let message = match words {
        Some(words) => words.to_owned(),
        None => format!("it is {kind}, as its name tells, and no container image"),
    };
    Rejection::new(Rule::NotAnImage, message).with("kind", kind.as_str())
}

pub(super) fn list(platforms: &[impl fmt::Display]) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
