//! The story of the sock shop on real servers.
//!
//! The servers are git over HTTP and SSH, a registry with pushed images, and a real API server with
//! its controllers. Without them (`cargo test` by itself) these tests print that they are skipped;
//! `tests/run` starts the servers and requires them.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../cli/ran.rs"]
mod ran;

mod artifacts;
mod daemon;
mod killed;
mod kustomize;
mod private;
mod restricted;
mod story;
mod world;
