//! What is asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{backend::Revision, image::ImageRef, manifest::WorkloadId, manifest_set::Manifests};

/// A request: what is to be released, and on whose behalf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What is to be released.
    pub spec: Spec,
    /// Who asks, and why.
    #[serde(default)]
    pub cause: Cause,
}

/// What is to be released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
#[non_exhaustive]
pub enum Spec {
    /// Images to workloads, as a person asks for it.
    Image(ImageRelease),
    /// What automation does: the newest image that policy allows, for every automated workload.
    Auto,
    /// Named images to named containers.
    Containers(ContainersRelease),
    /// A change of policies.
    Policy(PolicyChange),
    /// Back to the images of an earlier revision.
    Rollback(Rollback),
}

impl Spec {
    /// The workloads that are named, if some are.
    pub fn named(&self) -> Option<BTreeSet<&WorkloadId>> {
        match self {
            Self::Image(ImageRelease { workloads: Selection::Named(ids), .. })
            | Self::Rollback(Rollback { workloads: Selection::Named(ids), .. }) => Some(ids.iter().collect()),
            Self::Containers(release) => Some(release.containers.keys().collect()),
            Self::Policy(change) => Some(change.updates.keys().collect()),
            Self::Image(_) | Self::Rollback(_) | Self::Auto => None,
        }
    }

    /// The word for it in notes: v1's, where v1 has one.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Image(_) => "image",
            Self::Auto => "auto",
            Self::Containers(_) => "containers",
            Self::Policy(_) => "policy",
            Self::Rollback(_) => "rollback",
        }
    }
}

/// Named images to named containers: all of it, or nothing if any of it cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainersRelease {
    /// What each workload's containers are to run.
    pub containers: BTreeMap<WorkloadId, Vec<ContainerUpdate>>,
    /// Whether containers that run something else than expected are passed over instead of failing the release.
    #[serde(default)]
    pub skip_mismatches: bool,
    /// Whether locks and `ignore` are disregarded.
    #[serde(default)]
    pub force: bool,
}

/// What a container is to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerUpdate {
    /// The container's name.
    pub container: String,
    /// What it is expected to run; none if that does not matter.
    pub current: Option<ImageRef>,
    /// What it is to run.
    pub target: ImageRef,
}

/// A change of the policies of some workloads, written as annotations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChange {
    /// What changes for each workload.
    pub updates: BTreeMap<WorkloadId, PolicyUpdate>,
}

/// A change of the policies of a workload, by v1's names (`automated`, `locked`, `tag.web`, `tag_all`, …).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyUpdate {
    /// Policies set, with their values. `tag_all` sets the pattern of every container; `glob:*` and `*` remove a pattern, as they are the default.
    pub add: BTreeMap<String, String>,
    /// Policies removed. Removing wins over setting.
    pub remove: BTreeSet<String>,
}

/// Back to the images of an earlier revision, by a new commit. Nothing but images goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The revision whose images are wanted.
    pub to: Revision,
    /// Which workloads go back.
    pub workloads: Selection,
    /// Whether locks and `ignore` are disregarded, for workloads that are named.
    #[serde(default)]
    pub force: bool,
}

/// A release of images that a person asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRelease {
    /// To which workloads.
    pub workloads: Selection,
    /// Which images.
    pub image: Wish,
    /// Workloads left out.
    #[serde(default)]
    pub exclude: BTreeSet<WorkloadId>,
    /// Whether locks, `ignore` and tag patterns are disregarded. As in v1 it has no effect with [`Selection::All`] or [`Wish::Latest`]:
    /// those need a person to name what is forced.
    #[serde(default)]
    pub force: bool,
}

impl ImageRelease {
    /// Whether force is asked for and has an effect.
    pub fn forced(&self) -> bool {
        self.force && matches!(self.workloads, Selection::Named(_)) && matches!(self.image, Wish::Image(_))
    }
}

/// Which workloads a request is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// All that git describes.
    All,
    /// These.
    Named(BTreeSet<WorkloadId>),
}

/// Which images a request wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// Of each container the newest image that its policy allows.
    Latest,
    /// This image, wherever its name is used.
    Image(ImageRef),
}

/// Who asks, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The user, as `Name <address>` or a name.
    pub user: Option<String>,
    /// The message that becomes the commit's.
    pub message: Option<String>,
}

impl Request {
    /// The same with the ids that workloads have: an id with an API group that nothing needs, or without one that is needed, is that of the one
    /// that it can mean. Left out is all that an id may mean; what is asked for by an id that may mean several is not found.
    pub(super) fn settled(&self, manifests: &Manifests) -> Self {
        let one = |id: &WorkloadId| match manifests.candidates_for(id).as_slice() {
            [one] => one.clone(),
            _ => id.clone(),
        };
        let selection = |selection: &mut Selection| {
            if let Selection::Named(ids) = selection {
                *ids = ids.iter().map(one).collect();
            }
        };
        let mut settled = self.clone();
        match &mut settled.spec {
            Spec::Image(release) => {
                selection(&mut release.workloads);
                release.exclude =
                    release.exclude.iter().flat_map(|id| manifests.candidates_for(id)).collect();
            }
            Spec::Rollback(rollback) => selection(&mut rollback.workloads),
            Spec::Containers(release) => {
                release.containers = std::mem::take(&mut release.containers)
                    .into_iter()
                    .map(|(id, to)| (one(&id), to))
                    .collect();
            }
            Spec::Policy(change) => {
                change.updates =
                    std::mem::take(&mut change.updates).into_iter().map(|(id, to)| (one(&id), to)).collect();
            }
            Spec::Auto => {}
        }
        settled
    }

    /// The release of the newest images to one workload.
    pub fn latest(workload: WorkloadId) -> Self {
        Self::image(Selection::Named([workload].into()), Wish::Latest)
    }

    /// A release of images to workloads, nothing excluded, not forced.
    pub fn image(workloads: Selection, image: Wish) -> Self {
        let spec = Spec::Image(ImageRelease { workloads, image, exclude: BTreeSet::new(), force: false });
        Self { spec, cause: Cause::default() }
    }

    /// What automation does.
    pub fn automation() -> Self {
        Self { spec: Spec::Auto, cause: Cause::default() }
    }
}
