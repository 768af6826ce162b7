//! The one-shot operations: load, gather, plan, act.
//!
//! Decides nothing itself.
//!
//! A [`Deployer`] holds the three backends and a clock. Each operation loads what git describes,
//! gathers what its planner needs and no more, calls the pure planner, and acts on the plan; the
//! `plan_…` methods stop before the last step. Those that only ask (lists, explanations, checks)
//! and those that wait for health are in rooms of their own, `inspect` and `wait`.

mod composition;
mod desired;
mod error;
mod gather;
mod loader;
mod options;
mod release;
mod standing;
mod sync;

pub use crate::{
    inspect::CheckReport,
    listing::{
        AvailableTag, ContainerImages, ContainerView, ImagesView, Listing, RunningImage, WorkloadView,
    },
    parse_cache::{MemoryParseCache, ParseCache},
    prepared::PreparedRelease,
    wait::{HealthProgress, WaitOptions, WaitReport},
};
pub use composition::Deployer;
pub(crate) use desired::sent;
pub use error::DeployError;
pub use loader::{LoadStats, LoadedRepo};
pub use options::Options;
pub use release::ReleaseReport;
