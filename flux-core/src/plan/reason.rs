//! Why a workload or a container is treated as it is: one vocabulary of statuses, reasons,
//! messages.
//!
//! Statuses and message texts are those of Flux v1. Reasons are stable codes of our own; [`Reason`]
//! is their one list, and `docs/codes.md` repeats it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcome for a workload, in v1's words.
///
/// Exhaustive: exit codes and notes depend on every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its manifest is changed.
    Success,
    /// It was asked for and is left as it is.
    Skipped,
    /// It was not asked for.
    Ignored,
    /// The request cannot be done for it.
    Failed,
    /// Nothing is known of it.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Skipped => "skipped",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        })
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:ident, $message:literal;)*) => {
        /// Why a workload or a container is treated as it is: stable codes in lower-case kebab
        /// form.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Reason {
            /// All reasons, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the code as it stands in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Returns the status of a workload whose verdict has this reason.
            pub const fn status(self) -> Status {
                match self { $(Self::$name => Status::$status,)* }
            }

            /// v1's message for a workload whose verdict has this reason; empty for a success.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }
        }
    };
}

reasons! {
    /// A newer image is selected.
    NewerImage = "newer-image", Success, "";
    /// The image that was asked for is selected.
    RequestedImage = "requested-image", Success, "";
    /// The image that should run runs already.
    UpToDate = "up-to-date", Skipped, "image(s) up to date";
    /// The request does not name the workload.
    NotIncluded = "not-included", Ignored, "not included";
    /// The request excludes the workload.
    Excluded = "excluded", Ignored, "excluded";
    /// No container has an image of the name that was asked for.
    DifferentImage = "different-image", Ignored, "a different image";
    /// The container's image is not of the name that was asked for.
    OtherImage = "other-image", Ignored, "does not use image(s)";
    /// The workload is locked.
    Locked = "locked", Skipped, "locked";
    /// The workload's `ignore` policy says to leave it alone.
    IgnoredByPolicy = "ignored-by-policy", Skipped, "ignore";
    /// Workloads of this kind are listed and never released.
    ReadOnly = "read-only", Skipped, "read-only";
    /// Git describes the workload, and the cluster does not have it.
    NotInCluster = "not-in-cluster", Skipped, "not accessible in cluster";
    /// The cluster has the workload, and git does not describe it.
    NotInRepository = "not-in-repository", Skipped, "not found in repository";
    /// Neither git nor the cluster has the workload.
    NotFound = "not-found", Failed, "not found in repository or cluster";
    /// The image that was asked for is not in its registry.
    ImageNotFound = "image-not-found", Failed, "cannot find one or more images";
    /// No container can be run from what was asked for: it is a signature, a chart or another
    /// artifact.
    NotAnImage = "not-an-image", Failed, "not a container image";
    /// No tag passes the container's pattern.
    NoMatchingTag = "no-matching-tag", Skipped, "cannot find one or more images";
    /// The tag that was asked for does not pass the container's pattern.
    TagNotMatching = "tag-not-matching", Skipped, "cannot find one or more images";
    /// The container's tag pattern cannot be parsed, so it matches nothing.
    InvalidPattern = "invalid-pattern", Skipped, "cannot find one or more images";
    /// A guard's annotation cannot be parsed, so automation does nothing.
    InvalidPolicy = "invalid-policy", Skipped, "invalid policy";
    /// The container's image cannot be parsed.
    InvalidImage = "invalid-image", Skipped, "cannot find one or more images";
    /// The image repository cannot be read.
    RegistryUnavailable = "registry-unavailable", Skipped, "cannot find one or more images";
    /// The registry refused the credentials, or wants some.
    RegistryUnauthorized = "registry-unauthorized", Skipped, "cannot find one or more images";
    /// The registry knows the account, which may not read the image repository.
    RegistryForbidden = "registry-forbidden", Skipped, "cannot find one or more images";
    /// The image repository does not exist.
    RepositoryNotFound = "repository-not-found", Skipped, "cannot find one or more images";
    /// The image repository is there and has no tags.
    RepositoryEmpty = "repository-empty", Skipped, "image repository has no tags";
    /// The registry does not list the running tag, and nothing newer is known.
    RunningTagMissing = "running-tag-missing", Skipped, "running image is not in its registry";
    /// Facts about the images or the file are missing that could decide otherwise.
    Incomplete = "incomplete", Skipped, "cannot find one or more images";
    /// Build dates decide, and the date of the running or of the newest image is unknown.
    NoTimestamp = "no-timestamp", Skipped, "image with zero created timestamp";
    /// The newest image that policy allows is older than the running one.
    Downgrade = "downgrade", Skipped, "newest image is older than the current one";
    /// The newest image is younger than the minimum age.
    TooYoung = "too-young", Skipped, "image is younger than the minimum age";
    /// A freeze window is closed.
    Frozen = "frozen", Skipped, "frozen";
    /// The workload is on hold.
    OnHold = "on-hold", Skipped, "on hold";
    /// The image lacks a platform that is asked for.
    PlatformMissing = "platform-missing", Skipped, "image lacks a platform";
    /// A workload of the same release group cannot move.
    GroupIncomplete = "group-incomplete", Skipped, "a member of the release group cannot move";
    /// The image that an earlier revision has is selected.
    RolledBack = "rolled-back", Success, "";
    /// Policies are changed.
    PolicyChanged = "policy-changed", Success, "";
    /// The policies that were asked for are set already.
    PolicyUnchanged = "policy-unchanged", Skipped, "policies up to date";
    /// A person took the newest image back, and nothing newer has come since.
    TakenBack = "taken-back", Skipped, "taken back";
    /// The earlier revision does not have the workload or the container.
    NotInRevision = "not-in-revision", Skipped, "not found in that revision";
    /// The earlier revision is not there.
    RevisionNotFound = "revision-not-found", Failed, "revision not found";
    /// The workload does not have a container that was named.
    ContainerNotFound = "container-not-found", Failed, "container(s) not found";
    /// A container runs something else than was expected.
    ContainerMismatch = "container-mismatch", Failed, "container(s) tag mismatch";
    /// Something else of the same request cannot be done, and it is all or nothing.
    NothingDone = "nothing-done", Skipped, "cannot satisfy specs";
    /// The image is pinned by digest, and the new image's digest is unknown.
    Pinned = "pinned", Skipped, "image is pinned by digest";
    /// The manifest's shape does not allow the edit.
    NotEditable = "not-editable", Failed, "cannot be edited in place";
    /// The manifest is encrypted.
    Encrypted = "encrypted", Skipped, "manifest is encrypted";
}

impl Reason {
    /// Reports that a container with this reason was to be decided and could not be.
    pub const fn is_undecided(self) -> bool {
        matches!(
            self,
            Self::ImageNotFound
                | Self::NotAnImage
                | Self::InvalidPattern
                | Self::InvalidImage
                | Self::RegistryUnavailable
                | Self::RegistryUnauthorized
                | Self::RegistryForbidden
                | Self::RepositoryNotFound
                | Self::RepositoryEmpty
                | Self::RunningTagMissing
                | Self::Incomplete
                | Self::NoTimestamp
                | Self::NotEditable
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
