//! The model, the backend traits, the pure planners and the engine of Flux.
//!
//! Look, plan, act: three backends ([`backend::ConfigRepo`], [`backend::Registry`],
//! [`backend::Cluster`]) are observed, a pure planner ([`release::plan`], [`sync::plan`]) turns the
//! observations into a plan, and the plan is plain data that is read, tested or approved before it
//! is carried out.
//!
//! From the ground up: [`finding`], [`image`], [`yaml`], [`manifest`], [`workload`], [`kustomize`],
//! [`edit`], [`manifest_set`], [`policy`], [`plan`], [`backend`], [`health`], [`release`],
//! [`sync`], [`generate`], [`memory`], `deployer`, `daemon`, `testing`. Everything up to [`plan`],
//! [`health`], and the planners [`release`] and [`sync`] are pure.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `deployer` | yes, by `daemon` | `deployer`: list, release, roll back, explain, check and sync over the three traits |
//! | `daemon` | yes | `daemon`: timers and triggers around the deployer, on tokio |
//! | `testing` | no | `testing`: conformance suites for implementors of the traits, and mocks |
//!
//! With default features off only the model, the planners, the traits and the in-memory backends
//! are compiled; there is no async runtime, network, disk or clock among the dependencies.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod api_version;
pub mod backend;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "deployer")]
pub mod deployer;
pub mod edit;
pub mod finding;
mod footprint;
pub mod generate;
pub mod health;
mod id;
pub mod image;
#[cfg(feature = "deployer")]
mod inspect;
pub mod kustomize;
#[cfg(feature = "deployer")]
mod kustomize_checks;
#[cfg(feature = "deployer")]
mod lineage;
#[cfg(feature = "deployer")]
mod listing;
pub mod manifest;
pub mod manifest_set;
mod memo;
pub mod memory;
mod object;
#[cfg(feature = "deployer")]
mod object_checks;
#[cfg(feature = "deployer")]
mod parse_cache;
pub mod plan;
mod pointer;
pub mod policy;
mod position;
#[cfg(feature = "deployer")]
mod prepared;
pub mod release;
mod repo_path;
mod revision;
mod schema;
mod similar;
pub mod sync;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "deployer")]
mod wait;
pub mod workload;
pub mod yaml;

pub use finding::{Code, Finding, Findings, OutputPlace, Place, Severity};
pub use footprint::Footprint;
pub use object::Object;
pub use position::Position;
pub use repo_path::{InvalidPath, RepoPath};
