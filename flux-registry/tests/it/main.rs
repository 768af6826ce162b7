//! The OCI registry against real registries, and against ill-behaved ones.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod authentication;
mod content;
mod fake;
mod images;
mod limits;
mod paging;
mod real;
