//! [`Generator`]: runs the commands of a repository, and keeps them away from everything else.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use super::GenerateError;
use crate::{
    backend::{ConfigRepo, Tree},
    finding::Place,
    repo_path::RepoPath,
};

/// How long a command may run that has no limit of its own: one minute.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the commands of a repository.
///
/// # Contract
/// - A [`Checkout`] is private: nobody else can read or change it, and it is gone when it is
///   dropped.
/// - Commands see `PATH` and the variables of the [`Run`], perhaps one by which they are found, and
///   nothing else of the environment; they have no standard input.
/// - A command that runs longer than its limit is killed, with all that it started, and so is one
///   whose future is dropped. What a command left running when it ended is killed too.
/// - What is printed is bounded.
///
/// # Example
/// A generator that starts no process: its only command is `print FILE`.
///
/// ```
/// use std::{collections::BTreeMap, sync::Arc};
///
/// use async_trait::async_trait;
/// use bytes::Bytes;
/// use flux_core::{
///     RepoPath,
///     backend::{ConfigRepo, FileBody, Tree},
///     generate::{Checkout, GenerateError, Generation, Generator, Output, Run},
/// };
///
/// #[derive(Debug)]
/// struct Printer;
///
/// #[derive(Debug)]
/// struct Copy(BTreeMap<RepoPath, Bytes>);
///
/// #[async_trait]
/// impl Generator for Printer {
///     async fn checkout(
///         &self,
///         repo: &dyn ConfigRepo,
///         tree: &Tree,
///         over: &BTreeMap<RepoPath, Bytes>,
///     ) -> Result<Box<dyn Checkout>, GenerateError> {
///         let ids: Vec<_> = tree.files().map(|(_, id)| id.clone()).collect();
///         let bodies = repo.read(&ids, 1 << 20).await?;
///         let mut files = BTreeMap::new();
///         for (path, body) in tree.file_paths().zip(bodies) {
///             if let FileBody::Bytes(bytes) = body {
///                 files.insert(path.clone(), bytes);
///             }
///         }
///         files.extend(over.clone());
///         Ok(Box::new(Copy(files)))
///     }
/// }
///
/// #[async_trait]
/// impl Checkout for Copy {
///     async fn run(&mut self, run: &Run) -> Result<Output, GenerateError> {
///         let unknown = || GenerateError::Unavailable(format!("no command `{}`", run.command));
///         let file = run.command.strip_prefix("print ").ok_or_else(unknown)?;
///         let file = format!("{}/{file}", run.folder);
///         let stdout = self.0.get(file.as_str()).cloned().unwrap_or_default();
///         Ok(Output { stdout })
///     }
///
///     async fn changes(&mut self) -> Result<BTreeMap<RepoPath, Option<Bytes>>, GenerateError> {
///         Ok(BTreeMap::new())
///     }
/// }
///
/// let generation = Generation::by(Arc::new(Printer), vec!["prod".to_owned()]);
/// assert!(generation.generator.is_some());
/// ```
#[async_trait]
pub trait Generator: fmt::Debug + Send + Sync {
    /// Copies the files of a tree, those in `over` with these contents instead.
    ///
    /// # Errors
    /// [`GenerateError`] if they cannot be read or written.
    async fn checkout(
        &self,
        repo: &dyn ConfigRepo,
        tree: &Tree,
        over: &BTreeMap<RepoPath, Bytes>,
    ) -> Result<Box<dyn Checkout>, GenerateError>;
}

/// A private copy of a repository's files.
#[async_trait]
pub trait Checkout: fmt::Debug + Send {
    /// Runs a command.
    ///
    /// # Errors
    /// [`GenerateError`] if it cannot be started, fails, takes too long, or prints too much.
    async fn run(&mut self, run: &Run) -> Result<Output, GenerateError>;

    /// Returns the files that are not as they were copied, and those that are new, with their
    /// contents; `None` where one has gone.
    ///
    /// New files that the repository ignores (`.gitignore`) are left out.
    ///
    /// # Errors
    /// [`GenerateError`] if the copy cannot be read, or if what is new is too much, or no file.
    async fn changes(&mut self) -> Result<BTreeMap<RepoPath, Option<Bytes>>, GenerateError>;
}

/// A command that is to be run.
///
/// Exhaustive: an implementor of a generator must heed all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The text, for `/bin/sh -c`.
    pub command: String,
    /// The folder to run it in, from the root of the repository; empty for the root.
    pub folder: String,
    /// The variables that it finds in its environment beside `PATH`.
    pub env: BTreeMap<String, String>,
    /// How long it may run.
    pub timeout: Duration,
    /// Where the command is written.
    pub place: Place,
}

/// The output of a command.
///
/// Exhaustive: implementors of a generator make it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// To standard output.
    pub stdout: Bytes,
}

/// The rules by which manifests are generated: for which paths, by which [`Generator`], and for how
/// long.
///
/// By default no command is run, and a path whose manifests commands would make is a finding.
///
/// ```
/// use std::time::Duration;
///
/// use flux_core::generate::{Generation, in_view};
///
/// let paths = vec!["deploy/prod".to_owned()];
/// // No command is run; the repository may be narrowed to what says whether there should be one.
/// let narrowed = in_view(&paths);
/// let generation = Generation::off(paths).with_timeout(Duration::from_secs(90));
/// assert_eq!(narrowed, ["deploy/prod", ".flux.yaml", "deploy/.flux.yaml"]);
/// assert!(generation.generator.is_none());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Generation {
    /// The configured paths; empty for the whole repository.
    ///
    /// When there is a generator, the repository must not be narrowed to them, as what generates
    /// them may stand elsewhere in it; without one, at most to what is to be
    /// [`in_view`](super::in_view).
    pub paths: Vec<String>,
    /// Runs the commands; if `None`, paths that need some are findings.
    pub generator: Option<Arc<dyn Generator>>,
    /// How long a command may run that has no limit of its own.
    ///
    /// By default one minute.
    pub timeout: Duration,
}

impl Generation {
    /// Runs no command for these paths.
    pub fn off(paths: Vec<String>) -> Self {
        Self { paths, generator: None, timeout: DEFAULT_TIMEOUT }
    }

    /// Runs the commands of these paths by `generator`.
    pub fn by(generator: Arc<dyn Generator>, paths: Vec<String>) -> Self {
        Self { generator: Some(generator), ..Self::off(paths) }
    }

    /// Sets how long a command may run that has no limit of its own.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

impl Default for Generation {
    fn default() -> Self {
        Self::off(Vec::new())
    }
}
