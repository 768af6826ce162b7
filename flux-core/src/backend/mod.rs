//! The three traits over the world, [`ConfigRepo`], [`Registry`] and [`Cluster`]: what they observe
//! and how they fail.
//!
//! Each is object safe and used as `Arc<dyn …>`. Implementations hold no policy: they look and they
//! act, the planners decide. Each has a conformance suite in `flux_core::testing` that every
//! implementation must pass.

mod clock;
mod cluster;
mod error;
pub mod layers;
mod observation;
mod pods;
mod pointers;
mod registry;
mod repo;
mod tree;

pub use crate::image::{InspectError, InspectErrorKind};
pub use crate::revision::{ContentId, Revision};
pub use clock::{Clock, FixedClock, SystemClock};
pub use cluster::{
    Cluster, ClusterWorkload, Fidelity, KindInfo, Observed, Progress, Rollout, RolloutState,
    RunningContainer, Scope, Wanted,
};
pub use error::{Error, ErrorKind, Result};
pub use observation::{Completeness, Observation};
pub use pods::{ContainerExit, ContainerState, LabelSelector, Pod, PodCondition, PodContainer, PodQuery};
pub use registry::{Images, Registry, Tags};
pub use repo::{Author, Change, Commit, ConfigRepo, FileBody, Range};
pub use tree::{Entry, Tree};

// The traits stay object safe.
const _: fn(&dyn ConfigRepo, &dyn Registry) = |_, _| {};
const _: fn(&dyn Cluster, &dyn Progress) = |_, _| {};
const _: fn(&dyn Clock) = |_| {};
