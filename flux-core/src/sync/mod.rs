//! From what git says and what the cluster has to what must be done: order, ownership, drift, prune
//! guards.
//!
//! [`plan()`] is pure. For each object it compares what git says with what the cluster has, by two
//! means: the checksum of what was applied last (has git changed?) and the ownership of fields that
//! the API server records (has anyone else changed what we set?), and the values themselves, in
//! whatever spelling the cluster keeps them.

mod access;
mod annotations;
mod applied;
mod check;
mod compare;
#[cfg(feature = "deployer")]
mod contests;
mod differences;
mod fields;
mod findings;
mod ignored;
mod input;
mod job;
mod kept;
pub(crate) mod kinds;
mod mark;
pub(crate) mod object;
mod order;
mod outdated;
mod plan;
mod prune;
mod scaling;
mod sync_set;
mod takeover;
mod tree;

pub use crate::plan::{
    contest::{Contest, content, content_digest, same_content},
    sync::{
        ADOPTED_ANNOTATION, Action, CHECKSUM_ANNOTATION, FIELD_MANAGER, FieldDiff, MARK_LABEL, Reason, Step,
        SyncPlan,
    },
    sync_report::{Outcome, ResourceReport, StepOutcome, SyncReport},
    takeover::{ApplyOptions, IfRefused, Takeover},
};
pub use access::{AccessRule, access, access_of_events, access_of_lists};
#[cfg(feature = "deployer")]
pub(crate) use annotations::unreadable;
pub use applied::applied;
pub use check::{Checked, Protection, PruneRule, Violation, check};
#[cfg(feature = "deployer")]
pub(crate) use contests::Contests;
pub use input::{Desired, DesiredObject, SyncOptions};
#[cfg(feature = "deployer")]
pub(crate) use job::record_of;
pub use kept::Kept;
pub use mark::{Owned, is_marked, owned};
#[cfg(feature = "deployer")]
pub(crate) use object::suspended as suspension;
pub use object::{deletion, marked_as_created};
pub use outdated::{Outdated, outdated};
pub use plan::plan;
pub use scaling::AUTOSCALERS;
pub use sync_set::SyncSet;
