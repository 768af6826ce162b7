//! What tests of backends and of deployers are made of: conformance suites that every backend must pass, and mocks of the three traits
//! for the errors that a real server does not produce on demand. Not covered by semantic versioning.

pub mod cluster;
pub mod config_repo;
mod mocks;
pub mod registry;

pub use mocks::{MockCluster, MockConfigRepo, MockRegistry};
