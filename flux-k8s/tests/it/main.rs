//! The cluster on a real API server, and on one that misbehaves on purpose.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests say by panicking what does not hold")]

mod account;
mod apply;
mod conformance;
mod connection;
mod differential;
mod faults;
mod field;
mod health;
mod marks;
mod observe;
mod open;
mod openapi;
mod outage;
mod ownership;
mod repair;
mod support;
mod workloads;
