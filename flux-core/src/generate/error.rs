//! Errors of generation.

use std::time::Duration;

use super::source::KUSTOMIZE;
use crate::backend::Error as BackendError;

/// How generation fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The files cannot be read.
    #[error(transparent)]
    Repo(#[from] BackendError),
    /// A command ended badly.
    #[error("`{}` failed with {status}{}", short_command(.command), after_colon(.stderr))]
    Failed {
        /// The command.
        command: String,
        /// How it ended: an exit code, or a signal.
        status: String,
        /// The end of what it printed to standard error.
        stderr: String,
    },
    /// A command took too long and was killed.
    #[error("`{}` took longer than {}s and was killed", short_command(.command), .after.as_secs_f32())]
    TimedOut {
        /// The command.
        command: String,
        /// The limit.
        after: Duration,
    },
    /// A command printed too much and was killed.
    #[error("`{}` printed more than {limit} bytes and was killed", short_command(.command))]
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

impl GenerateError {
    /// Returns `true` if the same call may succeed later with nothing else changed.
    ///
    /// A command that failed, or printed too much, does so again: it depends on nothing but the
    /// files.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Repo(error) => error.is_retryable(),
            Self::TimedOut { .. } | Self::Unavailable(_) => true,
            Self::Failed { .. } | Self::TooMuch { .. } | Self::TooManyFiles { .. } => false,
        }
    }
}

/// Returns a command as messages name it: of a script, the beginning.
pub fn short_command(command: &str) -> String {
    const LONGEST: usize = 80;
    if command == KUSTOMIZE {
        return "kustomize build".to_owned();
    }
    let line = command.trim().lines().next().unwrap_or_default();
    let kept: String = line.chars().take(LONGEST).collect();
    if kept.len() < command.trim().len() { format!("{} …", kept.trim_end()) } else { kept }
}

fn after_colon(stderr: &str) -> String {
    let text = stderr.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_another_time_may_mend_is_retryable() {
        let command = || "x".to_owned();
        let failed =
            GenerateError::Failed { command: command(), status: String::new(), stderr: String::new() };
        for (error, retryable) in [
            (GenerateError::Repo(BackendError::unavailable("", "")), true),
            (GenerateError::Repo(BackendError::not_found("", "")), false),
            (GenerateError::TimedOut { command: command(), after: Duration::from_secs(1) }, true),
            (GenerateError::Unavailable(String::new()), true),
            (failed, false),
            (GenerateError::TooMuch { command: command(), limit: 1 }, false),
            (GenerateError::TooManyFiles { files: 1, bytes: 1 }, false),
        ] {
            assert_eq!(error.is_retryable(), retryable, "{error:?}");
        }
    }
}
