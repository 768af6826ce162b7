//! [`Generator`]: what runs the commands of a repository, and keeps them away from everything else.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use super::source::KUSTOMIZE;
use crate::{
    backend::{self, ConfigRepo, Tree},
    finding::Place,
};

/// How long a command may run that says nothing itself: one minute.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the commands of a repository.
///
/// # Contract
/// - A [`Checkout`] is private: nobody else can read or change it, and it is gone when it is dropped.
/// - Commands see `PATH` and the variables of the [`Run`], perhaps one by which they are found, and nothing else of the environment; they have no
///   standard input.
/// - A command that runs longer than its limit is killed, with all that it started, and so is one whose future is dropped. What a command left
///   running when it ended is killed too.
/// - What is printed is bounded.
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
        over: &BTreeMap<String, Bytes>,
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

    /// The files that are not as they were copied, and those that are new, with their contents; none where one has gone. New files that the
    /// repository ignores (`.gitignore`) are not told.
    ///
    /// # Errors
    /// [`GenerateError`] if the copy cannot be read, or if what is new is too much, or no file.
    async fn changes(&mut self) -> Result<BTreeMap<String, Option<Bytes>>, GenerateError>;
}

/// A command that is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The text, for `/bin/sh -c`.
    pub command: String,
    /// The folder to run it in, from the root of the repository; empty for the root.
    pub folder: String,
    /// What it finds in its environment beside `PATH`.
    pub env: BTreeMap<String, String>,
    /// How long it may run.
    pub timeout: Duration,
    /// Where the command is written.
    pub place: Place,
}

/// What a command printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// To standard output.
    pub stdout: Bytes,
}

/// How commands fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The files cannot be read.
    #[error(transparent)]
    Repo(#[from] backend::Error),
    /// A command ended badly.
    #[error("`{}` failed with {status}{}", brief(.command), said(.stderr))]
    Failed {
        /// The command.
        command: String,
        /// How it ended: an exit code, or a signal.
        status: String,
        /// The end of what it printed to standard error.
        stderr: String,
    },
    /// A command took too long and was killed.
    #[error("`{}` took longer than {}s and was killed", brief(.command), .after.as_secs_f32())]
    TimedOut {
        /// The command.
        command: String,
        /// The limit.
        after: Duration,
    },
    /// A command printed too much and was killed.
    #[error("`{}` printed more than {limit} bytes and was killed", brief(.command))]
    TooMuch {
        /// The command.
        command: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// Commands made too many files, or too large ones.
    #[error("more than {files} files, or {bytes} bytes, are new; list what is not to be kept in .gitignore")]
    TooManyFiles {
        /// The limit of their number.
        files: usize,
        /// The limit of their sizes together.
        bytes: u64,
    },
    /// The private copy cannot be made or used, or no command can be started.
    #[error("{0}")]
    Unavailable(String),
}

/// A command as it is told of: of a script, the beginning.
pub fn brief(command: &str) -> String {
    const LONGEST: usize = 80;
    if command == KUSTOMIZE {
        return "kustomize build".to_owned();
    }
    let line = command.trim().lines().next().unwrap_or_default();
    let kept: String = line.chars().take(LONGEST).collect();
    if kept.len() < command.trim().len() { format!("{} …", kept.trim_end()) } else { kept }
}

fn said(stderr: &str) -> String {
    let text = stderr.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// Whether and how manifests are generated.
#[derive(Clone, Debug)]
pub struct Generation {
    /// The configured paths; none for the whole repository. When there is a generator, the repository must not be narrowed to them, as what
    /// generates them may stand elsewhere in it; without one, at most to what is to be [`in_view`](super::in_view).
    pub paths: Vec<String>,
    /// What runs the commands; with none, paths that need some are findings.
    pub generator: Option<Arc<dyn Generator>>,
    /// How long a command may run that says nothing itself. By default one minute.
    pub timeout: Duration,
}

impl Generation {
    /// No command is run for these paths.
    pub fn off(paths: Vec<String>) -> Self {
        Self { paths, generator: None, timeout: DEFAULT_TIMEOUT }
    }

    /// The commands of these paths are run by `generator`.
    pub fn by(generator: Arc<dyn Generator>, paths: Vec<String>) -> Self {
        Self { generator: Some(generator), ..Self::off(paths) }
    }
}

impl Default for Generation {
    fn default() -> Self {
        Self::off(Vec::new())
    }
}
