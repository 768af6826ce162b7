//! The cluster on a real API server, and on one that misbehaves on purpose.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests say by panicking what does not hold")]

mod apply;
mod conformance;
mod connection;
mod differential;
mod faults;
mod field;
mod health;
mod observe;
mod open;
mod ownership;
mod repair;
mod support;
mod workloads;
