//! What is asked for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{image::ImageRef, manifest::WorkloadId};

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
