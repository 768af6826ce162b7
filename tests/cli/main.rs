//! The reference binaries, as scripts use them: flags, JSON, exit codes. Hermetic.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../examples/common/cache.rs"]
mod cache;
#[path = "../../examples/common/sock_shop.rs"]
mod sock_shop;

mod bad_input;
mod check;
mod cluster_file;
mod cost;
mod demo;
mod generate;
mod lists;
mod parse_cache;
mod policies;
mod ran;
mod release;
mod shop;
mod updates;
mod wait;
