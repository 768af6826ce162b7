//! Plans of releases as plain data: requests, verdicts, edits, and the commit that they become.
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

mod id;
mod message;
mod note;
mod reason;
mod release;
mod request;
mod verdict;

pub use id::{InvalidPlanId, PlanId};
pub(crate) use note::{NoteKind, note_kind};
pub use reason::{Reason, Status};
pub use release::{FileEdit, PlanFileError, ReleasePlan, SourceHash};
pub use request::{
    Cause, ContainerUpdate, ContainersRelease, ImageRelease, ImageTarget, Operation, PolicyChange,
    PolicyUpdate, Request, Rollback, Selection,
};
pub use verdict::{ContainerVerdict, WorkloadVerdict};
