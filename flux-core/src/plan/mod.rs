//! The data that the planners make and the backends carry out, below the traits: plans and their
//! reports.

pub(crate) mod redacted;
pub(crate) mod sync;
pub(crate) mod sync_report;
