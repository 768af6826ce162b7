//! Requests: the operation that is asked for, and who asks.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{image::ImageRef, manifest::WorkloadId, revision::Revision};

/// A request for a release.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The operation that is asked for.
    #[serde(rename = "spec")]
    pub operation: Operation,
    /// The person who asks, and the reason.
    #[serde(default)]
    pub cause: Cause,
}

/// An operation that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
#[non_exhaustive]
pub enum Operation {
    /// Images to workloads, as a person asks for it.
    Image(ImageRelease),
    /// Automation: the newest image that policy allows, for every automated workload.
    Auto,
    /// Named images to named containers.
    Containers(ContainersRelease),
    /// A change of policies.
    Policy(PolicyChange),
    /// Back to the images of an earlier revision.
    Rollback(Rollback),
}

impl Operation {
    /// Returns the workloads that are named; `None` if the operation is for all.
    pub fn named(&self) -> Option<BTreeSet<&WorkloadId>> {
        match self {
            Self::Image(ImageRelease { workloads: Selection::Named(ids), .. })
            | Self::Rollback(Rollback { workloads: Selection::Named(ids), .. }) => Some(ids.iter().collect()),
            Self::Containers(release) => Some(release.containers.keys().collect()),
            Self::Policy(change) => Some(change.updates.keys().collect()),
            Self::Image(_) | Self::Rollback(_) | Self::Auto => None,
        }
    }

    /// Reports that locks, `ignore` and the like are disregarded.
    pub fn is_forced(&self) -> bool {
        match self {
            Self::Image(release) => release.is_forced(),
            Self::Containers(release) => release.force,
            Self::Rollback(back) => back.force && matches!(back.workloads, Selection::Named(_)),
            Self::Auto | Self::Policy(_) => false,
        }
    }

    /// Reports that automation asks, not a person.
    pub fn is_automatic(&self) -> bool {
        matches!(self, Self::Auto)
    }
}

/// Named images to named containers: all of it, or nothing if any of it cannot be done.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainersRelease {
    /// The images that each workload's containers are to run.
    pub containers: BTreeMap<WorkloadId, Vec<ContainerUpdate>>,
    /// Passes over containers that run something else than expected, instead of failing.
    #[serde(default)]
    pub skip_mismatches: bool,
    /// Disregards locks, `ignore`, freeze windows and guards that cannot be read.
    #[serde(default)]
    pub force: bool,
}

/// An image for a container.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerUpdate {
    /// The container's name.
    pub container: String,
    /// The image that it is expected to run; `None` if that does not matter.
    pub current: Option<ImageRef>,
    /// The image that it is to run.
    pub target: ImageRef,
}

/// A change of the policies of some workloads, written as annotations.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChange {
    /// The change for each workload.
    pub updates: BTreeMap<WorkloadId, PolicyUpdate>,
}

/// A change of the policies of a workload, by v1's names (`automated`, `locked`, `tag.web`, …).
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyUpdate {
    /// Policies set, with their values.
    ///
    /// `tag_all` sets the pattern of every container; `glob:*` and `*` remove a pattern, as they
    /// are the default.
    pub add: BTreeMap<String, String>,
    /// Policies removed.
    ///
    /// Removing wins over setting.
    pub remove: BTreeSet<String>,
}

/// Back to the images of an earlier revision, by a new commit.
///
/// Nothing but images goes back.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The revision whose images are wanted.
    pub to: Revision,
    /// The workloads that go back.
    pub workloads: Selection,
    /// Disregards locks and `ignore`, for workloads that are named.
    #[serde(default)]
    pub force: bool,
}

/// A release of images that a person asks for.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRelease {
    /// The workloads that get images.
    pub workloads: Selection,
    /// The images.
    pub image: ImageTarget,
    /// Workloads left out.
    #[serde(default)]
    pub exclude: BTreeSet<WorkloadId>,
    /// Disregards locks, `ignore`, freeze windows, guards that cannot be read, tag patterns,
    /// `min-age`, `platforms` and release groups.
    ///
    /// With `pin-digest` it also writes a tag whose digest is not known; an image that is pinned by
    /// digest already stays as it is then.
    ///
    /// As in v1 it has no effect with [`Selection::All`] or [`ImageTarget::Latest`]: those need a
    /// person to name what is forced.
    #[serde(default)]
    pub force: bool,
}

impl ImageRelease {
    /// Reports that force is asked for and has an effect.
    pub fn is_forced(&self) -> bool {
        self.force
            && matches!(self.workloads, Selection::Named(_))
            && matches!(self.image, ImageTarget::Image(_))
    }
}

/// The workloads that a request is about.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// All that git describes.
    All,
    /// These.
    Named(BTreeSet<WorkloadId>),
}

/// The images that a request wants.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageTarget {
    /// Of each container the newest image that its policy allows.
    Latest,
    /// This image, wherever its name is used.
    Image(ImageRef),
}

/// The person who asks, and the reason.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The user, as `Name <address>` or a name.
    pub user: Option<String>,
    /// The message that becomes the commit's.
    pub message: Option<String>,
}

impl Request {
    /// Asks for the newest images for one workload.
    pub fn latest(workload: WorkloadId) -> Self {
        Self::image(Selection::Named([workload].into()), ImageTarget::Latest)
    }

    /// Asks for images for workloads, nothing excluded, not forced.
    pub fn image(workloads: Selection, image: ImageTarget) -> Self {
        Self::of(Operation::Image(ImageRelease { workloads, image, exclude: BTreeSet::new(), force: false }))
    }

    /// Asks for the releases of automation.
    pub fn automation() -> Self {
        Self::of(Operation::Auto)
    }

    /// Asks for an operation, without a user or a message.
    pub fn of(operation: Operation) -> Self {
        Self { operation, cause: Cause::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_of_a_request_has_the_keys_that_stored_plans_have() {
        let request = Request::image(Selection::All, ImageTarget::Image("team/web:1".parse().unwrap()));
        let json = serde_json::json!({
            "spec": {
                "type": "image",
                "workloads": "all",
                "image": {"image": "team/web:1"},
                "exclude": [],
                "force": false,
            },
            "cause": {"user": null, "message": null},
        });
        assert_eq!(serde_json::to_value(&request).unwrap(), json);
        assert_eq!(serde_json::from_value::<Request>(json).unwrap(), request);
        let auto: Request = serde_json::from_str(r#"{"spec": {"type": "auto"}}"#).unwrap();
        assert_eq!(auto, Request::automation());
    }
}
