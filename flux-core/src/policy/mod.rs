//! What may be released: tag patterns, the orders they imply, and the annotations that set policy.

mod annotations;
mod constraint;
mod glob;
mod number;
mod pattern;
mod version;

pub use annotations::{Ignore, Lock, Policies, PolicyText};
pub use pattern::{Candidate, InvalidPattern, Order, Rank, TagPattern};
