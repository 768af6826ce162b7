//! Parts for tests of backends and of deployers: conformance suites that every backend must pass,
//! and mocks of the three traits for the errors that a real server does not produce on demand.
//!
//! Not covered by semantic versioning.
//!
//! Each trait has its suite, all of one shape: a fixture that the implementation writes, and one
//! macro call that expands to a test for each rule of the trait's contract.

pub mod cluster;
pub mod config_repo;
mod mocks;
pub mod registry;
mod run;

pub use crate::{cluster_conformance, config_repo_conformance, registry_conformance};
pub use mocks::{MockCluster, MockConfigRepo, MockRegistry};
#[doc(hidden)]
pub use run::check;
