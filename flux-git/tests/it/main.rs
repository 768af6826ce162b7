//! `GitRepo` against the contract of `ConfigRepo`, and against what git alone can do to it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;
mod local;
mod model;
mod servers;
mod surroundings;
mod upstream;
