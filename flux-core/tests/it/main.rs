//! Integration tests of flux-core, a module for each part.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod cluster_scoped;
mod codes;
mod deployer;
mod manifest;
mod shapes;
