//! The story on real servers: git over HTTP and SSH, a registry with pushed images, a real API server with its controllers.
//!
//! Without the servers (`cargo test` by itself) these tests say that they are skipped; `tests/run` brings the servers up and requires them.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../cli/ran.rs"]
mod ran;

mod daemon;
mod kustomize;
mod story;
mod world;
