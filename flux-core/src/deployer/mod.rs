//! The one-shot operations: look, plan, act. Decides nothing itself.
//!
//! A [`Deployer`] holds the three backends and a clock. Each operation looks at what it needs and no more, calls a pure
//! planner, and acts on the plan; the `plan_…` methods stop before the last step.

mod check;
mod generate;
#[cfg(test)]
mod generated_tests;
mod kustomizations;
mod learn;
#[cfg(test)]
mod learn_tests;
mod lineage;
mod look;
mod patched;
mod proof;
mod release;
mod sync;
#[cfg(test)]
mod tests;
mod updates;
mod views;

use std::{fmt, sync::Arc};

use crate::{
    backend::{self, Clock, Cluster, ConfigRepo, Registry, Revision, SystemClock},
    generate::Generation,
    manifest::EditError,
};

pub use check::Checked;
pub use generate::Made;
pub use look::{Look, MemoryParseCache, ParseCache, Reading};
pub use release::{ReleaseReport, Released};
pub use views::{AvailableTag, ContainerImages, ContainerView, ImagesView, Listing, WorkloadView};

/// How often a release is planned anew when the branch moves under it, before it gives up.
pub const MAX_ATTEMPTS: usize = 16;

/// The composition of the three backends.
///
/// Cheap to clone; clones share what was read and parsed.
#[derive(Clone)]
pub struct Deployer {
    repo: Arc<dyn ConfigRepo>,
    registry: Arc<dyn Registry>,
    cluster: Arc<dyn Cluster>,
    clock: Arc<dyn Clock>,
    looker: Arc<look::Looker>,
}

impl fmt::Debug for Deployer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployer")
            .field("repo", &self.repo)
            .field("registry", &self.registry)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl Deployer {
    /// Composes three backends, with the machine's clock and a parse cache in memory.
    pub fn new(repo: Arc<dyn ConfigRepo>, registry: Arc<dyn Registry>, cluster: Arc<dyn Cluster>) -> Self {
        let looker = look::Looker::new(Arc::new(MemoryParseCache::default()), Generation::default());
        let looker = Arc::new(looker);
        Self { repo, registry, cluster, clock: Arc::new(SystemClock), looker }
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Keeps what was parsed in `cache`, which may outlive the process.
    #[must_use]
    pub fn with_parse_cache(self, cache: Arc<dyn ParseCache>) -> Self {
        Self { looker: Arc::new(self.looker.with_cache(cache)), ..self }
    }

    /// Generates manifests as `generation` says. By default no command of the repository is run, and a path whose manifests commands
    /// would make is a finding.
    #[must_use]
    pub fn with_generation(self, generation: Generation) -> Self {
        Self { looker: Arc::new(self.looker.with_generation(generation)), ..self }
    }

    /// Asks upstream for the tip of the branch, without reading it.
    ///
    /// # Errors
    /// Those of [`ConfigRepo::head`].
    pub async fn head(&self) -> Result<Revision, DeployError> {
        Ok(self.repo.head().await?)
    }

    /// Reads what git describes at the tip. What was parsed before is not read again.
    ///
    /// # Errors
    /// Those of [`ConfigRepo`]; what is wrong with single files is told in the findings.
    pub async fn look(&self) -> Result<Arc<Look>, DeployError> {
        let head = self.repo.head().await?;
        self.looker.look(&*self.repo, &head, &*self.clock).await
    }
}

/// How an operation fails as a whole. What fails for one file, image, workload or object is told in the reports.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// The config repository failed.
    #[error(transparent)]
    Repo(#[from] backend::Error),
    /// The cluster failed.
    #[error(transparent)]
    Cluster(backend::Error),
    /// The edits of a plan do not do exactly what they are meant to. Nothing was written.
    #[error("{path}: {source}; nothing was written")]
    Edit {
        /// The file.
        path: String,
        /// What is wrong.
        source: EditError,
    },
    /// The branch moved each time that the change was planned anew.
    #[error(
        "the branch moved {attempts} times while the change was made; nothing was written, try again when it is quieter"
    )]
    KeptMoving {
        /// How often it was planned.
        attempts: usize,
    },
    /// The plan was made on another revision than the tip; nothing was written.
    #[error("the plan was made on {planned} and the branch is at {head} now; plan anew")]
    Outdated {
        /// The revision that was planned on.
        planned: Revision,
        /// The tip.
        head: Revision,
    },
}

impl DeployError {
    /// Returns `true` if the same operation may succeed later with nothing else changed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Repo(error) | Self::Cluster(error) => error.is_retryable(),
            Self::KeptMoving { .. } => true,
            Self::Edit { .. } | Self::Outdated { .. } => false,
        }
    }
}
