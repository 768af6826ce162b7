//! The cluster on a real API server, and on one that misbehaves on purpose.

mod apply;
mod conformance;
mod faults;
mod observe;
mod open;
mod support;
mod workloads;
