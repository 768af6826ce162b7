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
//!
//! A release policy is tested on plain data:
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc};
//!
//! use flux_core::{
//!     backend::{Completeness, Revision},
//!     image::ImageName,
//!     manifest::{self, Manifests},
//!     release::{self, ImageFacts, RepositoryFacts, Request, Snapshot},
//! };
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
//! let files = BTreeMap::from([("web.yaml".to_owned(), Arc::new(manifest::parse(manifest.as_bytes())))]);
//! let mut snapshot = Snapshot::new(Revision::new("abc"), Arc::new(Manifests::new(files)));
//! let (request, now) = (Request::automation(), "2026-11-21T12:00:00Z".parse()?);
//!
//! // Nothing is known of the images yet: the tags are needed, and for versions nothing else.
//! let needs = release::needs(&snapshot, &request, now);
//! assert_eq!((needs.tags.len(), needs.details.len()), (1, 0));
//!
//! let tags = ["1.4.0", "1.4.7", "1.5.0"].map(|tag| tag.parse().unwrap()).to_vec();
//! let known = RepositoryFacts { tags, completeness: Completeness::Complete, images: BTreeMap::new() };
//! snapshot.images.repositories.insert("team/web".parse::<ImageName>()?.canonical(), Ok(known));
//! assert!(release::needs(&snapshot, &request, now).is_empty());
//!
//! let plan = release::plan(&snapshot, &request, now);
//! assert_eq!(plan.edits[0].edit.after, "\"team/web:1.4.7\"");
//! assert_eq!(plan.message(), "Auto-release team/web:1.4.7");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod book;
mod choice;
mod containers;
mod draft;
mod explain;
mod facts;
mod fields;
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
