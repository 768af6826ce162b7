//! [`Observation`]: a thing that was seen, and how far that can be relied on.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

#[cfg(feature = "deployer")]
use crate::finding::{Code, Finding};

/// A thing that a backend saw, how complete it is, and on whose authority.
///
/// Exhaustive: implementors of the traits make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation<T> {
    /// The thing itself.
    pub value: T,
    /// How complete it is.
    pub completeness: Completeness,
    /// The account that looked: a name, `anonymous`, a kubeconfig user.
    ///
    /// Never a secret.
    pub authority: String,
}

impl<T> Observation<T> {
    /// Makes a complete observation.
    pub fn complete(value: T, authority: impl Into<String>) -> Self {
        Self { value, completeness: Completeness::Complete, authority: authority.into() }
    }

    /// Returns the same observation of something computed from its value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Observation<U> {
        Observation { value: f(self.value), completeness: self.completeness, authority: self.authority }
    }
}

/// How complete an observation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Completeness {
    /// Everything asked for was seen.
    Complete,
    /// Some of it is missing; each entry says what and why, for people.
    Partial(Vec<String>),
    /// It was seen a while ago and could not be renewed.
    Stale {
        /// How long ago.
        age: SignedDuration,
        /// Why it could not be renewed.
        reason: String,
    },
}

impl Completeness {
    /// Returns `true` if everything asked for was seen, now.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    /// Returns the findings about a cluster that was not seen whole.
    #[cfg(feature = "deployer")]
    pub(crate) fn cluster_findings(&self) -> Vec<Finding> {
        let finding = |evidence: String, remedy: &str| Finding {
            code: Code::PartialCluster,
            subject: "cluster".to_owned(),
            place: None,
            evidence,
            remedy: remedy.to_owned(),
        };
        match self {
            Self::Complete => Vec::new(),
            Self::Partial(missing) => {
                let remedy = "grant get, list and watch on it, or leave it out of what is synced";
                missing.iter().map(|missing| finding(missing.clone(), remedy)).collect()
            }
            Self::Stale { age, reason } => {
                let evidence = format!("last seen {age:#} ago: {reason}");
                vec![finding(evidence, "see that the API server can be reached")]
            }
        }
    }
}
