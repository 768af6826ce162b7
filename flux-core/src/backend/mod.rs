//! The three traits over the world: [`ConfigRepo`], [`Registry`], [`Cluster`]; what they observe and how they fail.
//!
//! Each is object safe and used as `Arc<dyn …>`. Implementations hold no policy: they look and they act, the planners
//! decide. Each has a conformance suite in `flux_core::testing` that every implementation must pass.

mod cluster;
mod error;
mod registry;
mod repo;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use cluster::{
    Cluster, ClusterWorkload, Fidelity, KindInfo, Observed, Progress, Rollout, RolloutState,
    RunningContainer, Scope, Wanted,
};
pub use error::{Error, ErrorKind, Result};
pub use registry::{Images, InspectError, Registry, Tags};
pub use repo::{
    Author, Change, Commit, ConfigRepo, ContentId, FileBody, Range, Revision, Tree, invalid_path,
};

/// What a backend saw, how complete that is, and on whose authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation<T> {
    /// What was seen.
    pub value: T,
    /// How complete it is.
    pub completeness: Completeness,
    /// Who looked: an account name, `anonymous`, a kubeconfig user. Never a secret.
    pub authority: String,
}

impl<T> Observation<T> {
    /// A complete observation.
    pub fn complete(value: T, authority: impl Into<String>) -> Self {
        Self { value, completeness: Completeness::Complete, authority: authority.into() }
    }

    /// The same observation of something computed from its value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Observation<U> {
        Observation { value: f(self.value), completeness: self.completeness, authority: self.authority }
    }
}

/// How complete an observation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Whether everything asked for was seen, now.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }
}

/// Where the time comes from. Planners take a [`Timestamp`]; only the deployer and the daemon hold a clock.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still: for tests, and for asking "what would have happened at …".
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

// The traits stay object safe.
const _: fn(&dyn ConfigRepo, &dyn Registry) = |_, _| {};
const _: fn(&dyn Cluster, &dyn Progress) = |_, _| {};
const _: fn(&dyn Clock) = |_| {};
