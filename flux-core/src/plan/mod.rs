//! Plans as plain data, and reports of what came of them.
//!
//! Nothing here decides, and nothing here asks a backend. [`release`](crate::release) makes these
//! plans, [`deployer`](crate::deployer) carries them out, and everything can be stored, sent and
//! compared in between.
//!
//! | file | holds |
//! |---|---|
//! | `request` | a [`Request`]: the operation that is asked for, and who asks |
//! | `id` | [`PlanId`], the hash that names a plan |
//! | `reason` | [`Status`] and [`Reason`]: the one vocabulary of verdicts |
//! | `verdict` | [`WorkloadVerdict`] and [`ContainerVerdict`] |
//! | `release` | the [`ReleasePlan`], its edits, and the files that they make |
//! | `message` | the message of the commit, in v1's form |
//! | `note` | the note that goes with the commit, in v1's form |
//! | `sync` | the plan of a sync: steps in stages, and why each is taken |
//! | `sync_report` | the outcome of each step |
//! | `takeover` | how an object is applied that is there already |
//! | `contest` | the fields that others set again after each sync |

pub(crate) mod contest;
mod generated;
mod id;
mod message;
mod note;
mod reason;
pub(crate) mod redacted;
mod release;
mod request;
pub(crate) mod sync;
pub(crate) mod sync_report;
pub(crate) mod takeover;
mod verdict;

pub use generated::{GeneratedChange, GeneratedEdit};
pub use id::{InvalidPlanId, PlanId};
pub(crate) use note::{NoteKind, note_kind};
pub use reason::{Reason, Status};
pub use release::{FileEdit, PlanFileError, ReleasePlan, SourceHash};
pub use request::{
    Cause, ContainerUpdate, ContainersRelease, ImageRelease, ImageTarget, Operation, PolicyChange,
    PolicyUpdate, Request, Rollback, Selection,
};
pub use verdict::{ContainerVerdict, WorkloadVerdict};
