//! The planner of releases: request → needs → plan → verdicts.
//!
//! [`needs`] says, as data, what must be asked of the registries before a decision can be made; the caller asks and calls again
//! until nothing is missing. [`plan`] then decides. Both are pure and walk the same rules, so a dry run, a unit test of a release policy and an
//! explanation are the same call as the real release.
//!
//! The rules on workloads, in order; the first that applies decides (v1's order):
//!
//! 1. The request does not name the workload ([`Reason::NotIncluded`]), or excludes it ([`Reason::Excluded`]); for automation, the workload is not
//!    automated and has no verdict.
//! 2. The cluster does not have it ([`Reason::NotInCluster`]).
//! 3. No container uses the image that was asked for ([`Reason::DifferentImage`]).
//! 4. It is locked ([`Reason::Locked`]) or left alone ([`Reason::IgnoredByPolicy`]), unless the request is forced.
//!
//! Then each container is decided by its tag pattern and guards; see [`policy`](crate::policy).

mod book;
mod choice;
mod containers;
mod draft;
mod explain;
mod facts;
mod groups;
mod past;
mod plan;
mod policies;
mod report;
mod request;
mod rollback;
mod snapshot;
#[cfg(test)]
mod tests;
mod verdict;

pub use book::{PolicyBook, policy_documents, policy_findings};
pub use explain::{Explanation, Inquiry, PatternFrom, TagStatus, TagVerdict, explain, explain_needs};
pub use facts::image_findings;
pub use plan::{needs, plan};
pub use report::{FileEdit, PlanId, ReleasePlan};
pub use request::{
    Cause, ContainerUpdate, ContainersRelease, ImageRelease, PolicyChange, PolicyUpdate, Request, Rollback,
    Selection, Spec, Wish,
};
pub use snapshot::{ClusterFacts, ImageFacts, Needs, PastFile, RepositoryFacts, Snapshot};
pub use verdict::{ContainerVerdict, Reason, Status, WorkloadVerdict};
