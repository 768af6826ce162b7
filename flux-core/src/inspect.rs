//! Operations of the deployer that only ask: lists, explanations, checks.

mod check;
mod explain;
mod list;
mod running;

pub use check::CheckReport;
