//! The planner of releases: request → needs → plan → verdicts.
//!
//! [`needs`] says, as data, what must be asked before a decision can be made; the caller asks and
//! calls again until nothing is missing. [`plan`] then decides. Both are pure and take the same
//! steps, so a dry run, a unit test of a release policy and an explanation are the same call as the
//! real release. The data of plans is in [`plan`](crate::plan).
//!
//! # The steps
//!
//! | step | file | decides |
//! |---|---|---|
//! | 1 scope | `scope` | what the request is not about |
//! | 2 policy | `blocks` | which workloads a rule keeps as they are, as a whole |
//! | 3 images | `images` | what each container should run: candidates, guards, holds |
//! | 4 edits | `edits` | which bytes say so, and what cannot be written |
//! | 5 constraints | `constraints` | what may not change alone: release groups, all or nothing |
//! | 6 verify | `verify` | that the edited files say that and nothing else |
//! | 7 build | `builder` | nothing: verdicts and edits become a plan with an id |
//!
//! Steps 4 to 6 only ever take updates back, and are done again until none of them does. So
//! whatever keeps an edit from being made or verified, groups are judged again after it, and no
//! member is left behind.
//!
//! # The rules on workloads
//!
//! In this order; the first that applies decides (v1's order):
//!
//! 1. The request does not name the workload ([`Reason::NotIncluded`]), or excludes it
//!    ([`Reason::Excluded`]); for automation, the workload is not automated and has no verdict.
//! 2. Workloads of its kind are only read ([`Reason::ReadOnly`]).
//! 3. The cluster does not have it ([`Reason::NotInCluster`]).
//! 4. No container uses the image that was asked for ([`Reason::DifferentImage`]).
//! 5. It is locked ([`Reason::Locked`]), left alone ([`Reason::IgnoredByPolicy`]) or stopped by
//!    another of its [policies](crate::policy::Stop), unless the request is forced.
//! 6. Its manifest is encrypted ([`Reason::Encrypted`]).
//!
//! Then each container is decided by its tag pattern and guards; see [`policy`](crate::policy).
//!
//! # A release policy is tested on plain data
//!
//! ```
//! use flux_core::release::{self, Request, Snapshot};
//!
//! let manifest = r#"
//! apiVersion: apps/v1
//! kind: Deployment
//! metadata:
//!   name: web
//!   namespace: shop
//!   annotations: {fluxcd.io/automated: "true", fluxcd.io/tag.web: "semver:~1.4"}
//! spec: {template: {spec: {containers: [{name: web, image: "team/web:1.4.0"}]}}}
//! "#;
//! let snapshot = Snapshot::of_files([("web.yaml", manifest)])?;
//! let (request, now) = (Request::automation(), "2026-11-21T12:00:00Z".parse()?);
//!
//! // No images are known yet: the tags are needed, and for versions nothing else.
//! let needs = release::needs(&snapshot, &request, now);
//! assert_eq!((needs.tags.len(), needs.details.len()), (1, 0));
//!
//! let snapshot = snapshot.with_images("team/web", ["1.4.0", "1.4.7", "1.5.0"])?;
//! assert!(release::needs(&snapshot, &request, now).is_empty());
//!
//! let plan = release::plan(&snapshot, &request, now);
//! assert_eq!(plan.target("shop:deployment/web", "web"), Some(&"team/web:1.4.7".parse()?));
//! assert_eq!(plan.message(), "Auto-release team/web:1.4.7");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocks;
mod builder;
mod candidates;
mod check;
mod chooser;
mod constraints;
mod containers;
mod context;
mod decision;
mod edits;
mod explain;
mod explanation;
mod groups;
mod images;
mod needs;
mod planner;
mod policy_change;
mod policy_index;
mod registry_findings;
mod resolve_ids;
mod reverted;
mod rollback;
mod scope;
mod snapshot;
#[cfg(test)]
mod tests;
mod verify;

pub use check::{Rule, Violation, check, check_at};
pub use explain::{explain, explain_needs};
pub use explanation::{ExplainRequest, Explanation, PatternFrom, TagReason, TagStatus, TagVerdict};
pub use needs::Needs;
pub use planner::{needs, plan, plan_with_files};
#[cfg(feature = "deployer")]
pub(crate) use policy_index::document_findings;
pub use policy_index::{PolicyIndex, policy_documents, policy_findings};
pub use registry_findings::image_findings;
pub use snapshot::{ClusterFacts, ImageFacts, PastFile, RepositoryFacts, Snapshot};

pub use crate::plan::{
    Cause, ContainerUpdate, ContainerVerdict, ContainersRelease, FileEdit, ImageRelease, ImageTarget,
    Operation, PlanId, PolicyChange, PolicyUpdate, Reason, ReleasePlan, Request, Rollback, Selection, Status,
    WorkloadVerdict,
};
