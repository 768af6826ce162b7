//! Errors of whole operations.

use std::fmt;

use crate::{
    backend::{Error as BackendError, Revision},
    generate::GenerateError,
    plan::PlanFileError,
    release::Violation as ReleaseViolation,
    repo_path::RepoPath,
    sync::{Outdated as OutdatedStep, Violation as SyncViolation},
};

/// How an operation fails as a whole.
///
/// Failures of single files, images, workloads or objects are in the reports.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// The config repository failed.
    #[error(transparent)]
    Repo(#[from] BackendError),
    /// The cluster failed.
    #[error(transparent)]
    Cluster(BackendError),
    /// Manifests cannot be generated at all.
    #[error(transparent)]
    Generate(GenerateError),
    /// The edits of a plan do not make the files that they are intended to.
    ///
    /// Nothing was written.
    #[error("{0}; nothing was written")]
    Files(PlanFileError),
    /// The files of a prepared release are not those that its plan makes.
    ///
    /// Nothing was written.
    #[error("{path}: {why}; nothing was written, plan the release anew")]
    Altered {
        /// The file, or the path under which generated workloads are known.
        path: RepoPath,
        /// The difference.
        why: String,
    },
    /// The branch moved each time that the change was planned anew.
    #[error(
        "the branch moved {attempts} times while the change was made; nothing was written, try again when it is quieter"
    )]
    KeptMoving {
        /// How often it was planned.
        attempts: usize,
    },
    /// The plan was made on another revision than the tip.
    ///
    /// Nothing was written.
    #[error("the plan was made on {planned} and the branch is at {head} now; plan anew")]
    Outdated {
        /// The revision that was planned on.
        planned: Revision,
        /// The tip.
        head: Revision,
    },
    /// The plan of a sync was made on objects that have changed since; nothing was sent.
    #[error("the plan no longer fits: {} Plan anew; nothing was sent", sentences(.0))]
    SyncOutdated(Vec<OutdatedStep>),
    /// The plan of a release breaks a rule that every plan keeps: a fault of the planner.
    ///
    /// Nothing was written.
    #[error("the plan breaks its own rules, which is a fault of the planner; nothing was written: {}", sentences(.0))]
    ReleaseViolations(Vec<ReleaseViolation>),
    /// The plan of a sync breaks a rule that every plan keeps: a fault of the planner.
    ///
    /// Nothing was sent.
    #[error("the plan breaks its own rules, which is a fault of the planner; nothing was sent: {}", sentences(.0))]
    SyncViolations(Vec<SyncViolation>),
}

/// Joins sentences.
fn sentences<T: fmt::Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

impl DeployError {
    /// Returns `true` if the same call may succeed later with nothing else changed.
    ///
    /// A prepared release whose plan is outdated, or whose files were altered, never will: it is
    /// planned anew.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Repo(error) => error.is_retryable(),
            Self::Cluster(error) => error.is_retryable(),
            Self::Generate(error) => error.is_retryable(),
            Self::KeptMoving { .. } => true,
            Self::Files(_)
            | Self::SyncOutdated(_)
            | Self::ReleaseViolations(_)
            | Self::SyncViolations(_)
            | Self::Altered { .. }
            | Self::Outdated { .. } => false,
        }
    }
}

impl From<GenerateError> for DeployError {
    fn from(error: GenerateError) -> Self {
        match error {
            GenerateError::Repo(error) => Self::Repo(error),
            other => Self::Generate(other),
        }
    }
}
