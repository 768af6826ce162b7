//! The violations that the checker of syncs finds, as data and as sentences.

use std::fmt;

use crate::{
    backend::Revision,
    finding::{Code, Place},
    manifest::ResourceId,
    plan::sync::Reason,
};

/// A rule that a [`SyncPlan`](crate::sync::SyncPlan) breaks.
///
/// Such a plan must not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The plan is for another revision than the one that was read.
    WrongRevision {
        /// The revision of the plan.
        planned: Option<Revision>,
        /// The revision that was read.
        read: Option<Revision>,
    },
    /// An object that git describes has no step.
    MissingStep {
        /// The object.
        id: ResourceId,
        /// The place that describes it.
        place: Place,
    },
    /// An object of this sync set that git no longer describes has no step.
    ForgottenObject {
        /// The object.
        id: ResourceId,
    },
    /// A step is for something that neither git describes nor this sync set manages.
    UnexpectedStep {
        /// The object of the step.
        id: ResourceId,
    },
    /// Several steps are for one object, and not because several documents describe it.
    RepeatedStep {
        /// The object.
        id: ResourceId,
    },
    /// A document that is no object, or a finding about git, goes without a finding in the plan.
    LostFinding {
        /// The code of the finding that is missing.
        code: Code,
        /// The place of it, or its subject.
        at: String,
    },
    /// A step stands behind a step of a later stage.
    OutOfOrder {
        /// The object of the step.
        id: ResourceId,
    },
    /// A step comes before, or together with, the one that it has to wait for.
    TooEarly {
        /// The object of the step.
        id: ResourceId,
        /// The object of the step that has to come first.
        needs: ResourceId,
    },
    /// The reason of a step does not explain its action, or is not true.
    WrongReason {
        /// The object.
        id: ResourceId,
        /// The reason.
        reason: Reason,
    },
    /// The step takes the object to be there and it is not, or the other way round.
    WrongPresence {
        /// The object.
        id: ResourceId,
        /// `true` if the cluster has it.
        present: bool,
    },
    /// The object must not be created, changed or deleted.
    Untouchable {
        /// The object.
        id: ResourceId,
        /// The rule that protects it.
        rule: Protection,
    },
    /// The object that is sent carries a mark or a checksum that it must not have.
    WrongMark {
        /// The object.
        id: ResourceId,
    },
    /// The object that is sent differs from what git says.
    WrongContent {
        /// The object.
        id: ResourceId,
        /// The path of the first difference.
        field: String,
    },
    /// An object is left as it is, though it is not as git says.
    LeftDifferent {
        /// The object.
        id: ResourceId,
        /// The path of the first field that differs.
        field: String,
    },
    /// An object is to be changed, and the plan names no field that differs.
    EmptyChange {
        /// The object.
        id: ResourceId,
    },
    /// An object would be deleted against a rule.
    ForbiddenPrune {
        /// The object.
        id: ResourceId,
        /// The rule.
        rule: PruneRule,
    },
}

/// A rule that keeps an object from being touched at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protection {
    /// Its namespace is not among those that may be touched.
    Namespace,
    /// An annotation in git or in the cluster says to leave it alone.
    Ignored,
    /// Somebody suspended it, or all of the sync set.
    Suspended,
    /// SOPS encrypted it.
    Encrypted,
}

/// A rule that keeps an object from being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PruneRule {
    /// The options do not ask for pruning.
    Off,
    /// It does not carry the mark of an object that this sync set created.
    NotOurs,
    /// Git describes it.
    InGit,
    /// Git was not read in full.
    GitInDoubt,
    /// The cluster was not seen in full, or not now.
    ClusterInDoubt,
    /// Git describes no object at all.
    EmptyGit,
    /// More than ten objects and more than half of what is managed would go.
    TooMany,
    /// Its namespace is not among those that may be touched.
    Namespace,
    /// An annotation says to keep it.
    Ignored,
    /// Somebody suspended it, or all of the sync set.
    Suspended,
    /// Something else owns it, or it is being deleted already.
    OwnedByOthers,
    /// Objects of its kind hold others, or data, that would go with it.
    HoldsOthers,
    /// The step does not carry the uid and the resource version that were seen.
    NoPrecondition,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongRevision { planned, read } => {
                let name = |revision: &Option<Revision>| {
                    revision.as_ref().map_or_else(|| "no revision".to_owned(), ToString::to_string)
                };
                write!(f, "The plan is for {}, and {} was read.", name(planned), name(read))
            }
            Self::MissingStep { id, place } => {
                write!(f, "{id} is described at {place} and has no step.")
            }
            Self::ForgottenObject { id } => {
                write!(f, "{id} is managed by this sync set, git no longer describes it, and it has no step.")
            }
            Self::UnexpectedStep { id } => {
                write!(f, "{id} has a step, though neither git nor this sync set has to do with it.")
            }
            Self::RepeatedStep { id } => write!(f, "{id} has more than one step."),
            Self::LostFinding { code, at } => {
                write!(f, "The finding {code} about {at} is missing from the plan.")
            }
            Self::OutOfOrder { id } => write!(f, "The step of {id} stands behind one of a later stage."),
            Self::TooEarly { id, needs } => {
                write!(
                    f,
                    "The step of {id} is not in a later stage than that of {needs}, which has to come first."
                )
            }
            Self::WrongReason { id, reason } => {
                write!(f, "The reason `{reason}` does not explain what is done about {id}.")
            }
            Self::WrongPresence { id, present: true } => {
                write!(f, "{id} would be created, and the cluster has it.")
            }
            Self::WrongPresence { id, present: false } => {
                write!(f, "{id} is taken to be in the cluster, and it is not there.")
            }
            Self::Untouchable { id, rule } => write!(f, "{id} would be applied, though {rule}."),
            Self::WrongMark { id } => {
                write!(f, "{id} would be sent with a mark or a checksum that it must not have.")
            }
            Self::WrongContent { id, field } => {
                write!(f, "{id} would be sent with something else than git says at `{field}`.")
            }
            Self::LeftDifferent { id, field } => {
                write!(f, "{id} is left as it is, though it is not as git says at `{field}`.")
            }
            Self::EmptyChange { id } => {
                write!(f, "{id} is to be changed, and no field is named that differs.")
            }
            Self::ForbiddenPrune { id, rule } => write!(f, "{id} would be deleted, though {rule}."),
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespace => "its namespace is not among those that may be touched",
            Self::Ignored => "an annotation says to leave it alone",
            Self::Suspended => "it is suspended",
            Self::Encrypted => "it is encrypted",
        })
    }
}

impl fmt::Display for PruneRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "pruning is off",
            Self::NotOurs => "it does not carry the mark of an object that this sync set created",
            Self::InGit => "git describes it",
            Self::GitInDoubt => "git was not read in full",
            Self::ClusterInDoubt => "the cluster was not seen in full",
            Self::EmptyGit => "git describes no object at all",
            Self::TooMany => "more than ten objects and more than half of all would go",
            Self::Namespace => "its namespace is not among those that may be touched",
            Self::Ignored => "an annotation says to keep it",
            Self::Suspended => "it is suspended",
            Self::OwnedByOthers => "something else owns it or deletes it already",
            Self::HoldsOthers => "what it holds would go with it",
            Self::NoPrecondition => "the step does not carry the uid and the resource version that were seen",
        })
    }
}

impl std::error::Error for Violation {}
