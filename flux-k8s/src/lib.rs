//! [`Cluster`](flux_core::backend::Cluster) over the Kubernetes API.
//!
//! Desired objects are sent with server-side apply, and live objects are observed by watches.
//!
//! ```no_run
//! # async fn example() -> flux_core::backend::Result<()> {
//! use flux_core::backend::Cluster as _;
//! use flux_k8s::KubeCluster;
//!
//! let builder = KubeCluster::builder().kubeconfig("/etc/flux/kubeconfig").context("shop");
//! let cluster = builder.open().await?;
//! for workload in cluster.workloads(Some("shop")).await?.value {
//!     println!("{} is {}", workload.id, workload.rollout.state);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`KubeCluster`] says what it asks of the server and when. Every request has a time limit: a
//! server that is not there is an error within ten seconds. What could not be looked at makes an
//! observation partial; a watch that fails makes it stale; neither passes for the whole truth.
//!
//! The feature `latest` (on by default) chooses the newest Kubernetes API types of `k8s-openapi`,
//! of which exactly one version can be in a program; to choose another, turn it off. Objects are
//! handled as JSON, so the choice does not limit which servers are spoken to.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod apply;
mod at_once;
mod builder;
mod calls;
mod changes;
mod cluster;
mod definitions;
mod events;
mod failure;
mod gaps;
mod http;
mod kinds;
mod observe;
mod pods;
mod raw;
mod recipient;
mod store;
mod unmarked;
mod watch;
mod workload;
mod workloads;

pub use builder::KubeClusterBuilder;
pub use cluster::KubeCluster;
