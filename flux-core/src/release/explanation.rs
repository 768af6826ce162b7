//! Explanations as data: what speaks for or against every tag of a container.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{finding::Place, image::Tag, manifest::WorkloadId};

/// A request for an explanation.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainRequest {
    /// The workload.
    pub workload: WorkloadId,
    /// The container; `None` for all of them.
    pub container: Option<String>,
}

/// The verdicts on every tag that a container could run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The workload.
    pub id: WorkloadId,
    /// The container.
    pub container: String,
    /// Its image as git has it.
    pub image: String,
    /// The pattern that its tags are held against.
    pub pattern: PatternFrom,
    /// The tag that should run, also when it runs already; `None` when that is undecided.
    pub selected: Option<Tag>,
    /// Every known tag, newest first.
    pub tags: Vec<TagVerdict>,
}

/// A pattern and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PatternFrom {
    /// The pattern as written, or the default.
    pub text: String,
    /// The place where it stands; `None` if it is the default.
    pub from: Option<Place>,
}

/// The verdict on a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TagVerdict {
    /// The tag.
    pub tag: Tag,
    /// The outcome.
    pub verdict: TagStatus,
    /// The reason that decides.
    #[serde(flatten)]
    pub because: TagReason,
    /// The other reasons that keep the tag back, in the order in which they would decide if those
    /// before them did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<TagReason>,
}

/// A reason for the verdict on a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TagReason {
    /// The code, of [`policy::Rule`](crate::policy::Rule) or of [`Reason`](crate::plan::Reason).
    pub reason: String,
    /// The reason in words.
    pub message: String,
    /// The values that were compared, by name.
    pub evidence: BTreeMap<String, String>,
}

/// The outcome for a tag.
///
/// Exhaustive: a reader must tell every one apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagStatus {
    /// It should run, and does not yet.
    Selected,
    /// It runs.
    Current,
    /// Something speaks against it.
    Rejected,
}
