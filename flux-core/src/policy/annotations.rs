//! The annotations that set policy, in all of v1's spellings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{InvalidPattern, TagPattern};
use crate::manifest::{Annotation, Problem};

/// The policies of one workload.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Every policy by its v1 name (`automated`, `locked`, `tag.web`, …), with the value as written.
    pub all: BTreeMap<String, PolicyText>,
    /// Whether automation may release it.
    pub automated: bool,
    /// Set if nothing may release it.
    pub locked: Option<Lock>,
    /// Whether and how sync and releases leave it alone.
    pub ignore: Option<Ignore>,
    /// What is wrong with the annotations.
    pub problems: Vec<Problem>,
}

/// The value of a policy and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyText {
    /// The value as written.
    pub value: String,
    /// The annotation key that it was read from.
    pub key: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
}

/// A lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Who locked it.
    pub user: Option<String>,
    /// Why.
    pub message: Option<String>,
}

/// How a workload is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ignore {
    /// Neither applied nor pruned nor released.
    True,
    /// Applied, but never pruned.
    SyncOnly,
}

impl Policies {
    /// Reads the policies off the annotations of a workload.
    pub fn of(_annotations: &BTreeMap<String, Annotation>) -> Self {
        Self::default()
    }

    /// The tag pattern of a container: as set, or [`TagPattern::any`].
    ///
    /// # Errors
    /// [`InvalidPattern`] if one is set and cannot be parsed; such a pattern matches nothing.
    pub fn pattern(&self, container: &str) -> Result<TagPattern, InvalidPattern> {
        self.all.get(&format!("tag.{container}")).map_or_else(|| Ok(TagPattern::any()), |t| t.value.parse())
    }
}
