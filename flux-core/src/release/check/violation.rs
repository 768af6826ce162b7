//! The violations that the checker of releases finds, as data and as sentences.

use std::fmt;

use crate::{backend::Revision, image::Tag, manifest::WorkloadId, repo_path::RepoPath};

/// A rule that a [`ReleasePlan`](crate::release::ReleasePlan) breaks.
///
/// Such a plan must not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The plan is for another revision than the one that was read.
    WrongBase {
        /// The revision of the plan.
        planned: Revision,
        /// The revision that was read.
        read: Revision,
    },
    /// The id of the plan is not the hex of a SHA-256.
    InvalidId,
    /// There is a verdict on a workload that git does not describe and the request does not name.
    UnknownWorkload {
        /// The workload.
        id: WorkloadId,
    },
    /// A verdict contradicts itself: its status, its reason and those of its containers do not fit
    /// together.
    InconsistentVerdict {
        /// The workload.
        id: WorkloadId,
        /// The contradiction.
        why: &'static str,
    },
    /// A workload is changed against a rule.
    Forbidden {
        /// The workload.
        id: WorkloadId,
        /// The rule.
        rule: Rule,
    },
    /// A container is to run an image that the request does not ask for.
    WrongTarget {
        /// The workload.
        id: WorkloadId,
        /// The container.
        container: String,
    },
    /// A container is to run a tag that was not seen to be an image, or that is named as artifacts
    /// are.
    NotAnImage {
        /// The workload.
        id: WorkloadId,
        /// The container.
        container: String,
        /// The tag.
        tag: Tag,
    },
    /// Automation takes a container back to an older image.
    Downgrade {
        /// The workload.
        id: WorkloadId,
        /// The container.
        container: String,
        /// The tag that runs.
        from: Tag,
        /// The tag that is older.
        to: Tag,
    },
    /// The members of a release group go to different tags.
    GroupApart {
        /// The group.
        group: String,
        /// The tags.
        tags: Vec<Tag>,
    },
    /// A member of a release group stays behind.
    MemberLeft {
        /// The group.
        group: String,
        /// The member.
        id: WorkloadId,
        /// The tag that the others go to.
        tag: Tag,
    },
    /// A part of an all-or-nothing request is left out while others are done.
    PartialRelease {
        /// The workload.
        id: WorkloadId,
        /// The container.
        container: String,
    },
    /// A verdict is a success and no edit brings it about.
    MissingEdit {
        /// The workload.
        id: WorkloadId,
        /// The container; `None` for a change of policies.
        container: Option<String>,
    },
    /// An edit, or its intent, belongs to no workload that is changed.
    StrayEdit {
        /// The file.
        path: RepoPath,
    },
    /// An edit is in a file that git does not have.
    UnknownFile {
        /// The file.
        path: RepoPath,
    },
    /// An edit expects other bytes than those that stand in the file, or two edits overlap.
    Misplaced {
        /// The file.
        path: RepoPath,
        /// The first byte of the edit.
        start: usize,
    },
    /// The edited file would say something else than intended.
    WrongResult {
        /// The file.
        path: RepoPath,
        /// The JSON pointer of the first difference, or what is wrong with the file as a whole.
        at: String,
    },
}

/// A rule that keeps a workload as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The request is not about it.
    OutOfScope,
    /// The request excludes it.
    Excluded,
    /// Automation was not asked for.
    NotAutomated,
    /// It is locked.
    Locked,
    /// It is ignored.
    Ignored,
    /// Automation is on hold.
    OnHold,
    /// A freeze window is closed.
    Frozen,
    /// It is encrypted.
    Encrypted,
    /// The cluster does not have it.
    NotInCluster,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongBase { planned, read } => {
                write!(f, "The plan is for {planned}, and {read} was read.")
            }
            Self::InvalidId => f.write_str("The id of the plan is not the hex of a SHA-256."),
            Self::UnknownWorkload { id } => {
                write!(f, "There is a verdict on {id}, which git does not describe and nobody asked for.")
            }
            Self::InconsistentVerdict { id, why } => {
                write!(f, "The verdict on {id} contradicts itself: {why}.")
            }
            Self::Forbidden { id, rule } => write!(f, "{id} would be changed, though {rule}."),
            Self::WrongTarget { id, container } => {
                write!(
                    f,
                    "Container {container} of {id} would run an image that the request does not ask for."
                )
            }
            Self::NotAnImage { id, container, tag } => {
                write!(f, "Container {container} of {id} would run {tag}, which was not seen to be an image.")
            }
            Self::Downgrade { id, container, from, to } => {
                write!(f, "Automation would take container {container} of {id} from {from} back to {to}.")
            }
            Self::GroupApart { group, tags } => {
                let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
                write!(f, "The members of group {group} would go to different tags: {}.", tags.join(", "))
            }
            Self::MemberLeft { group, id, tag } => {
                write!(f, "Group {group} would go to {tag} without its member {id}.")
            }
            Self::PartialRelease { id, container } => {
                write!(
                    f,
                    "The request is to be done as a whole, and container {container} of {id} is left out."
                )
            }
            Self::MissingEdit { id, container: Some(container) } => {
                write!(f, "Container {container} of {id} is to change, and no edit changes it.")
            }
            Self::MissingEdit { id, container: None } => {
                write!(f, "The policies of {id} are to change, and no edit changes them.")
            }
            Self::StrayEdit { path } => {
                write!(f, "An edit of {path} belongs to no workload that is changed.")
            }
            Self::UnknownFile { path } => write!(f, "An edit is for {path}, which git does not have."),
            Self::Misplaced { path, start } => {
                write!(f, "The edit of {path} at byte {start} does not fit the file, or overlaps another.")
            }
            Self::WrongResult { path, at } => {
                write!(f, "The edits of {path} do something else than intended: {at}.")
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfScope => "the request is not about it",
            Self::Excluded => "the request excludes it",
            Self::NotAutomated => "it is not automated",
            Self::Locked => "it is locked",
            Self::Ignored => "it is ignored",
            Self::OnHold => "it is on hold",
            Self::Frozen => "it is frozen",
            Self::Encrypted => "it is encrypted",
            Self::NotInCluster => "the cluster does not have it",
        })
    }
}

impl std::error::Error for Violation {}
