//! The limits of a deployer.

use std::time::Duration;

use crate::manifest_set::DEFAULT_NAMESPACE;

/// The limits of a [`Deployer`](super::Deployer).
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::deployer::Options;
///
/// let mut options = Options::default();
/// assert_eq!(options.attempts, 16);
/// options.failure_memory = Duration::from_secs(5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How often a release is planned when the branch moves under it, before it gives up.
    ///
    /// Default 16, at least 1.
    pub attempts: usize,
    /// How many image repositories are asked at the same time.
    ///
    /// Default 16, at least 1.
    pub concurrent_repositories: usize,
    /// How often a planner may ask for more before it has to decide on what it has.
    ///
    /// Default 32.
    pub rounds: usize,
    /// How many commits are looked at to tell who set and who reverted an image.
    ///
    /// Default 100.
    pub history_commits: usize,
    /// How many changes of one file are enough to tell that.
    ///
    /// Default 8.
    pub history_changes: usize,
    /// How many files are read at a time: those that are not parsed yet are in memory as bytes.
    ///
    /// Default 256, at least 1.
    pub read_batch: usize,
    /// How long it is remembered that commands which generate manifests failed; then they are run
    /// again.
    ///
    /// Default 30 s: long enough for one operation, which loads several times.
    pub failure_memory: Duration,
    /// The namespace of namespaced objects that name none.
    ///
    /// By default `default`, as in Flux v1, whatever the context of the kubeconfig says and in
    /// whatever namespace a pod runs: the same repository means the same everywhere.
    pub default_namespace: String,
    /// The image repositories of which the dates of labels count before those of configurations:
    /// globs of their canonical names, such as `index.docker.io/weaveworks/*`.
    ///
    /// Flux v1's `--registry-use-labels`; by default none. The policy `label-dates` says the same
    /// for single workloads.
    pub label_dates: Vec<String>,
    /// Lets every sync look at everything again, and compares its plan with one that is made from
    /// nothing: a difference is a finding.
    ///
    /// Off by default: what has not changed is not decided anew.
    pub recheck: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            attempts: 16,
            concurrent_repositories: 16,
            rounds: 32,
            history_commits: 100,
            history_changes: 8,
            read_batch: 256,
            failure_memory: Duration::from_secs(30),
            default_namespace: DEFAULT_NAMESPACE.to_owned(),
            label_dates: Vec::new(),
            recheck: false,
        }
    }
}
