//! What may be released: tag patterns, the orders they imply, and the annotations that set policy.

mod annotations;
mod constraint;
mod glob;
mod guard;
mod number;
mod pattern;
mod select;
mod stop;
mod version;

pub use annotations::{Ignore, Lock, PREFIX, Policies, PolicyText};
pub use guard::{Freeze, Frozen, Guards, Hold, parse_duration, parse_platforms};
pub use pattern::{Candidate, InvalidPattern, Order, Rank, TagPattern};
pub use select::{Choice, Missing, Question, Rejection, Rule, Seen, Tagged, Verdict, choose, explain};
pub use stop::Stop;
