//! Changes of generated workloads, as data.

use serde::{Deserialize, Serialize};

use crate::{image::ImageRef, manifest::WorkloadId, repo_path::RepoPath};

/// A change of a generated workload, which a release brings about where no bytes can be edited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GeneratedEdit {
    /// The path under which the workload is known.
    pub path: RepoPath,
    /// The workload.
    pub workload: WorkloadId,
    /// The change.
    #[serde(flatten)]
    pub change: GeneratedChange,
}

/// The change of a generated workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
#[non_exhaustive]
pub enum GeneratedChange {
    /// A container's image.
    Image {
        /// The container.
        container: String,
        /// The image as it is generated.
        before: String,
        /// The image that is to be generated.
        after: ImageRef,
    },
    /// A policy.
    Policy {
        /// Its name, without prefix.
        policy: String,
        /// Its annotation.
        key: String,
        /// Its value; `None` if it is removed.
        value: Option<String>,
    },
}
