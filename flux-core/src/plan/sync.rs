//! The plan of a sync as data: what is done about each object, in which order, and why.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{redacted::Redacted, takeover::ApplyOptions};
use crate::{
    finding::{Finding, Place},
    manifest::ResourceId,
    object::Object,
    revision::Revision,
};

/// The field manager under which objects are applied.
pub const FIELD_MANAGER: &str = "flux";

/// The label that marks what this library manages.
///
/// Its value is bound to the sync set and to the id of the object, so that a copied label counts
/// for nothing.
pub const MARK_LABEL: &str = "fluxcd.io/sync-gc-mark";

/// The annotation that holds the checksum of the object as git has it.
pub const CHECKSUM_ANNOTATION: &str = "fluxcd.io/sync-checksum";

/// The annotation on objects that were there before they were first synced: the mark that they
/// carried then, if a sync set had created them, else `unmarked`.
///
/// By it the creator is known again after a move from one sync set to another; and what carries
/// neither it nor a mark, and was applied by this library, is an object of its own whose mark
/// somebody removed.
pub const ADOPTED_ANNOTATION: &str = "fluxcd.io/sync-adopted";

/// The value of [`ADOPTED_ANNOTATION`] for an object that no sync set had created.
pub(crate) const UNMARKED: &str = "unmarked";

/// The plan of a sync: plain data, made by [`sync::plan`](crate::sync::plan()), carried out by
/// [`Cluster::apply`](crate::backend::Cluster::apply).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SyncPlan {
    /// The revision it brings the cluster to.
    pub revision: Option<Revision>,
    /// The steps by stage and then by id: the order in which they are to be carried out.
    ///
    /// Those of one stage may go at the same time.
    ///
    /// Plans share those that are alike.
    pub steps: Vec<Arc<Step>>,
    /// The problems with what was read or decided.
    pub findings: Vec<Finding>,
}

impl SyncPlan {
    /// Returns a plan of these steps, for no revision and without findings: for tests of a cluster.
    pub fn new(steps: Vec<Step>) -> Self {
        Self { revision: None, steps: steps.into_iter().map(Arc::new).collect(), findings: Vec::new() }
    }

    /// Returns the steps that ask the cluster for anything.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().map(|step| &**step).filter(|step| step.is_sent())
    }
}

/// Writes one line for each step, in the order in which they are carried out.
impl fmt::Display for SyncPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

/// The step of a plan for one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// The object.
    pub id: ResourceId,
    /// Its `apiVersion`.
    pub api_version: String,
    /// The action.
    pub action: Action,
    /// Steps of a lower stage come first.
    pub stage: u8,
    /// The reason, as a stable code.
    pub reason: Reason,
    /// The reason, for people; empty if the code says it all.
    pub message: String,
    /// The fields that differ.
    pub fields: Vec<FieldDiff>,
    /// The place of the object in git; `None` if git does not name it.
    pub place: Option<Place>,
    /// An object to apply after this one was: the record that a Job has run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Object>,
}

impl Step {
    /// Returns a step without a message, without fields and without a place in git: for tests of a
    /// cluster.
    pub fn new(
        id: ResourceId,
        api_version: impl Into<String>,
        stage: u8,
        action: Action,
        reason: Reason,
    ) -> Self {
        let (message, fields, place) = (String::new(), Vec::new(), None);
        let api_version = api_version.into();
        Self { id, api_version, action, stage, reason, message, fields, place, record: None }
    }

    /// Returns `true` if the cluster is asked for anything.
    pub fn is_sent(&self) -> bool {
        matches!(self.action, Action::Create { .. } | Action::Apply { .. } | Action::Prune { .. })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.action.verb(), self.id, self.reason)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        for (n, field) in self.fields.iter().enumerate() {
            write!(f, "{} {field}", if n > 0 { "," } else { ":" })?;
        }
        Ok(())
    }
}

/// The action of a step.
///
/// Exhaustive: a cluster has to carry out each of them.
///
/// Its `Debug` form blanks the values of a Secret. Its serialised form holds them: keep it as one
/// keeps secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Action {
    /// Apply an object that is not there.
    Create {
        /// The whole object with mark, checksum and namespace.
        object: Object,
        /// The mark to put on the object if the cluster answers that this request has created it.
        ///
        /// `None` if the object carries it already. Objects of its kind could not be seen, so that
        /// it is applied with the mark of an adopted one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark_if_created: Option<String>,
    },
    /// Apply an object that differs, or that does not carry this sync set's mark yet.
    Apply {
        /// The whole object with mark, checksum and namespace.
        object: Object,
        /// `true` if the content is equal, and only the mark and the ownership of fields are taken:
        /// reported as unchanged.
        content_equal: bool,
        /// How it is applied.
        #[serde(default)]
        options: Box<ApplyOptions>,
    },
    /// Leave it: it is as git says.
    Leave,
    /// Delete it, if it still is what was seen.
    Prune {
        /// The `metadata.uid` seen.
        uid: Option<String>,
        /// The `metadata.resourceVersion` seen.
        resource_version: Option<String>,
        /// The [digest](crate::sync::content_digest) of the content seen: if only the status has
        /// changed since, it may be deleted all the same. Empty to be strict.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        content: String,
    },
    /// Do nothing, for the step's reason.
    Skip,
    /// It cannot be done, for the step's reason.
    Fail,
}

impl Action {
    /// Returns the verb for it, as it stands in the `do` of its serialised form.
    fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Apply { .. } => "apply",
            Self::Leave => "leave",
            Self::Prune { .. } => "prune",
            Self::Skip => "skip",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { object, mark_if_created } => f
                .debug_struct("Create")
                .field("object", &Redacted(&object.value()))
                .field("mark_if_created", mark_if_created)
                .finish(),
            Self::Apply { object, content_equal, options } => f
                .debug_struct("Apply")
                .field("object", &Redacted(&object.value()))
                .field("content_equal", content_equal)
                .field("options", options)
                .finish(),
            Self::Leave => f.write_str("Leave"),
            Self::Prune { uid, resource_version, content: _ } => f
                .debug_struct("Prune")
                .field("uid", uid)
                .field("resource_version", resource_version)
                .finish_non_exhaustive(),
            Self::Skip => f.write_str("Skip"),
            Self::Fail => f.write_str("Fail"),
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Why an object is treated as it is: stable codes in lower-case kebab form.
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
        }
    };
}

reasons! {
    /// Git names it and the cluster has none.
    NotInCluster = "not-in-cluster";
    /// Git has changed since it was applied.
    ChangedInGit = "changed-in-git";
    /// Someone changed a field that git decides.
    Drifted = "drifted";
    /// It was there before this library first applied it.
    Adopted = "adopted";
    /// It is as git says.
    UpToDate = "up-to-date";
    /// Git no longer names it.
    NotInGit = "not-in-git";
    /// Git no longer names it, and pruning is off.
    PruneOff = "prune-off";
    /// Git no longer names it, but this library did not create it.
    NotCreatedByFlux = "not-created-by-flux";
    /// Git no longer names it, but a guard held pruning back.
    PruneHeldBack = "prune-held-back";
    /// It is a Job that has run, and its own time limit took it away.
    HasRun = "has-run";
    /// Its `fluxcd.io/ignore` annotation says to leave it alone.
    Ignored = "ignored";
    /// Somebody suspended it, or all of the sync set.
    Suspended = "suspended";
    /// It is encrypted with SOPS: what it says cannot be read.
    Encrypted = "encrypted";
    /// Its namespace is not among those that may be touched.
    NamespaceNotAllowed = "namespace-not-allowed";
    /// Its kind is neither built in nor defined.
    UnknownKind = "unknown-kind";
    /// Another document describes the same object.
    Duplicate = "duplicate";
    /// The cluster refused it.
    Rejected = "rejected";
    /// The cluster could not be reached for it.
    Unavailable = "unavailable";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A field that differs between git and the cluster.
///
/// Its `Debug` form has no digest of the value: that of a short secret gives it away.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FieldDiff {
    /// The path, as in `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// The field manager that owns the field in the cluster, if one is known.
    pub owner: Option<String>,
    /// When that manager wrote to the object last, RFC 3339; `None` if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
    /// The path of a field that git no longer names, so that it goes away, in the elements of
    /// `fieldsV1`; empty for a field that git names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) released: Vec<String>,
    /// The SHA-256 of the value in the cluster, by which it is known again; empty if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) live: String,
}

impl FieldDiff {
    /// Returns `true` if git no longer names the field, so that it goes away.
    pub fn is_removed(&self) -> bool {
        !self.released.is_empty()
    }
}

impl fmt::Debug for FieldDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldDiff")
            .field("path", &self.path)
            .field("owner", &self.owner)
            .field("changed", &self.changed)
            .field("released", &self.released)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for FieldDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        match (&self.owner, &self.changed) {
            (Some(owner), Some(time)) => write!(f, " (set by {owner} at {time})"),
            (Some(owner), None) => write!(f, " (set by {owner})"),
            (None, _) => Ok(()),
        }
    }
}
