//! What may be released: tag patterns, the orders they imply, and the annotations that set policy.

mod annotations;
mod pattern;

pub use annotations::{Ignore, Lock, Policies, PolicyText};
pub use pattern::{Candidate, InvalidPattern, Order, TagPattern};
